//! The fold of a history.

mod status;

pub use status::Status;
