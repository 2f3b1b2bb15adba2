//! Names and versions of tasks.

use std::any::TypeId;

use engine_core::task::{InvalidTaskName, TaskName};

use super::TaskFn;
use crate::StepContext;
use crate::seal::Seal;

/// The name and version that a function was given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given {
    name: Option<&'static str>,
    version: Option<u32>,
}

/// The task's name: as given, else this one, version 1.
pub(crate) fn task_name(given: Given, otherwise: &str) -> Result<TaskName, InvalidTaskName> {
    TaskName::new(given.name.unwrap_or(otherwise), given.version.unwrap_or(1))
}

/// A function with a name or a version of its own: see [`task!`](crate::task!) and [`TaskExt::version`].
#[derive(Clone, Copy, Debug)]
pub struct Named<F> {
    function: F,
    given: Given,
}

impl<F> Named<F> {
    #[doc(hidden)]
    pub const fn __new(name: &'static str, version: u32, function: F) -> Self {
        Self { function, given: Given { name: Some(name), version: Some(version) } }
    }
}

#[diagnostic::do_not_recommend]
impl<F: TaskFn<Sig>, Sig> TaskFn<Sig> for Named<F> {
    type Ret = F::Ret;

    const CAPTURED: usize = F::CAPTURED;

    fn call(&self, cx: StepContext, args: Sig, seal: Seal) -> F::Ret {
        self.function.call(cx, args, seal)
    }

    fn given(&self, _: Seal) -> Given {
        self.given
    }

    fn identity(seal: Seal) -> (TypeId, &'static str)
    where
        Self: 'static,
    {
        F::identity(seal)
    }
}

/// What can be said of a function that is used as a task.
pub trait TaskExt<Sig>: TaskFn<Sig> {
    /// The task under the step's name and this version, which counts from 1: a function that takes or gives something
    /// else than before has another version.
    fn version(self, version: u32) -> Named<Self> {
        Named { function: self, given: Given { name: None, version: Some(version) } }
    }
}

impl<F: TaskFn<Sig>, Sig> TaskExt<Sig> for F {}

/// A function as a task with a name and a version of its own, whatever its step is called: `task!(charge@2)`,
/// `task!(payments::charge@2)`, `task!("card.charge"@2 = payments::charge)`.
///
/// ```
/// use engine::{DefinitionError, StepContext, TaskError, Workflow, task};
///
/// async fn charge(_: StepContext, cents: u64, currency: String) -> Result<String, TaskError> {
///     Ok(format!("{cents} {currency}"))
/// }
///
/// /// What runs in flight were started with.
/// async fn charge_1(_: StepContext, cents: u32) -> Result<String, TaskError> {
///     Ok(format!("{cents} EUR"))
/// }
///
/// # fn main() -> Result<(), DefinitionError> {
/// let wf = Workflow::builder("payment");
/// let (cents, currency) = (wf.input::<u64>(), engine::value("CNY"));
/// let charged = wf.step("charge", task!(charge@2), (cents, currency));
/// wf.keep("charge@1", charge_1);
/// let payment = wf.finish(charged)?;
/// assert!(payment.to_json().contains("charge@2"));
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! task {
    ($name:literal @ $version:literal = $function:expr) => {
        $crate::Named::<_>::__new($name, $version, $function)
    };
    ($($part:ident)::+ @ $version:literal) => {
        $crate::Named::<_>::__new($crate::__last!($($part)::+), $version, $($part)::+)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __last {
    ($last:ident) => { stringify!($last) };
    ($first:ident :: $($rest:ident)::+) => { $crate::__last!($($rest)::+) };
}
