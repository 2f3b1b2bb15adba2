//! Steps to wait for.

use super::port::Step;
use super::slot::BuilderId;
use crate::seal::Seal;

/// Steps to wait for without taking what they give.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no step to wait for",
    note = "`.after(..)` takes a step, a tuple or a list of steps; what a step takes as an argument it waits for anyway"
)]
pub trait AfterSteps {
    #[doc(hidden)]
    fn steps(self, seal: Seal) -> Vec<Awaited>;
}

/// A step to wait for.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    pub(super) builder: BuilderId,
    pub(super) node: usize,
}

impl<T, P> AfterSteps for Step<'_, T, P> {
    fn steps(self, _: Seal) -> Vec<Awaited> {
        vec![Awaited { builder: self.port.scope.id(), node: self.node }]
    }
}

impl<Each: AfterSteps> AfterSteps for Vec<Each> {
    fn steps(self, seal: Seal) -> Vec<Awaited> {
        self.into_iter().flat_map(|each| each.steps(seal)).collect()
    }
}

impl<Each: AfterSteps, const N: usize> AfterSteps for [Each; N] {
    fn steps(self, seal: Seal) -> Vec<Awaited> {
        self.into_iter().flat_map(|each| each.steps(seal)).collect()
    }
}

macro_rules! tuples {
    ($(($($Each:ident $each:ident),*))*) => { $(
        impl<$($Each: AfterSteps),*> AfterSteps for ($($Each,)*) {
            fn steps(self, seal: Seal) -> Vec<Awaited> {
                let ($($each,)*) = self;
                [$($each.steps(seal)),*].concat()
            }
        }
    )* };
}

tuples! {
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, F f)
    (A a, B b, C c, D d, E e, F f, G g)
    (A a, B b, C c, D d, E e, F f, G g, H h)
}
