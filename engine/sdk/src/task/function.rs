//! Which functions may be tasks.

use std::any::{TypeId, type_name};
use std::future::Future;

use super::Given;
use crate::seal::Seal;
use crate::{StepContext, TaskError};

/// A function `Fn(StepContext, A, B, …) -> R` of up to 8 values (9 for a compensation); `Sig` is the tuple
/// `(A, B, …)`, found by inference. A generic task has its types named: `echo::<u32>`.
///
/// An attempt of it may be cut off anywhere, by a crash or its timeout, and the next one begins it anew: so it makes its
/// effects repeatable by [`StepContext::key`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a task",
    label = "not a task function",
    note = "a task is `async fn name(cx: StepContext, …0 to 8 owned values…) -> Result<T, TaskError>`",
    note = "`cx` comes first and by value (`StepContext`, not `&StepContext`); a method with `self` is no task: write \
            a free function and reach shared things by `cx.state::<T>()`",
    note = "if a `let` above has the same name as the function, the name now means that step: rename one of them"
)]
pub trait TaskFn<Sig>: Sized {
    /// What calling it gives.
    type Ret;

    /// Bytes of captured variables; a function item has none.
    #[doc(hidden)]
    const CAPTURED: usize = size_of::<Self>();

    #[doc(hidden)]
    fn call(&self, cx: StepContext, args: Sig, seal: Seal) -> Self::Ret;

    /// The name and version that were given with the function.
    #[doc(hidden)]
    fn given(&self, _: Seal) -> Given {
        Given::default()
    }

    /// Which function this is, and its path.
    #[doc(hidden)]
    fn identity(_: Seal) -> (TypeId, &'static str)
    where
        Self: 'static,
    {
        (TypeId::of::<Self>(), type_name::<Self>())
    }
}

/// What captures no variables: else a run could not find it again after a restart.
///
/// Captures that are `Copy`, and pointers to functions, are refused only when the program is built, not by
/// `cargo check`:
///
/// ```compile_fail,E0080
/// use engine::{StepContext, TaskError, Workflow};
///
/// let wf = Workflow::builder("captured");
/// let (input, captured) = (wf.input::<u32>(), 7);
/// wf.step("add", move |_: StepContext, a: u32| async move { Ok::<_, TaskError>(a + captured) }, input);
/// ```
#[diagnostic::on_unimplemented(
    message = "a task may not capture variables",
    label = "this closure captures",
    note = "a run outlives the process: what a task needs comes in as an argument (a port, `value(..)`) or from \
            `cx.state::<T>()`"
)]
pub trait NoCapture: 'static {}

#[diagnostic::do_not_recommend]
impl<F: Copy + 'static> NoCapture for F {}

/// What calling a task gives: a future.
#[diagnostic::on_unimplemented(
    message = "a task must be an `async fn`",
    label = "this function is not async",
    note = "calling it gives `{Self}`, which is not a future"
)]
pub trait TaskFuture: Future<Output = Self::Gives> {
    /// What the future gives.
    type Gives;
}

#[diagnostic::do_not_recommend]
impl<F: Future> TaskFuture for F {
    type Gives = F::Output;
}

/// What a task gives: `Result<T, E>` with `E: Into<TaskError>`.
#[diagnostic::on_unimplemented(
    message = "a task gives a `Result<T, TaskError>`, this one gives `{Self}`",
    label = "the task's return type is not a `Result` that fits",
    note = "write `-> Result<T, TaskError>`; inside, `?` turns any `std::error::Error` into a `TaskError`"
)]
pub trait TaskResult {
    /// The step's output.
    type Ok;

    #[doc(hidden)]
    fn into_result(self, seal: Seal) -> Result<Self::Ok, TaskError>;
}

impl<T, E: Into<TaskError>> TaskResult for Result<T, E> {
    type Ok = T;

    fn into_result(self, _: Seal) -> Result<T, TaskError> {
        self.map_err(Into::into)
    }
}

/// The output of the task `F`.
pub type TaskOutput<F, Sig> = <<<F as TaskFn<Sig>>::Ret as TaskFuture>::Gives as TaskResult>::Ok;

macro_rules! functions {
    ($(($($Type:ident $value:ident),*))*) => { $(
        impl<Func, R, $($Type),*> TaskFn<($($Type,)*)> for Func
        where
            Func: Fn(StepContext, $($Type),*) -> R,
        {
            type Ret = R;

            fn call(&self, cx: StepContext, ($($value,)*): ($($Type,)*), _: Seal) -> R {
                self(cx, $($value),*)
            }
        }
    )* };
}

functions! {
    ()
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, F f)
    (A a, B b, C c, D d, E e, F f, G g)
    (A a, B b, C c, D d, E e, F f, G g, H h)
    (A a, B b, C c, D d, E e, F f, G g, H h, I i)
}
