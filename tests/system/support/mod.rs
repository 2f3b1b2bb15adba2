//! What the tests stand on: the binary, the mock services, the order saga and its variants.

mod effects;
mod engine;
mod file;
mod gate;
mod optional;
mod place;
mod process;
mod random;
mod shop;
mod watched;

pub(crate) use effects::Effects;
pub(crate) use engine::{Engine, Ran};
pub(crate) use file::{fast, input, saga, shipped};
pub(crate) use gate::Gate;
pub(crate) use optional::{all_are_required, skip};
pub(crate) use place::{Place, assert_completed};
pub(crate) use process::Running;
pub(crate) use random::Random;
pub(crate) use shop::Shop;
pub(crate) use watched::Watched;
