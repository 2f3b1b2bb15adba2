//! Keeps what users must not implement from being implemented: nobody else can name what its methods take.

/// An argument of methods that only this crate writes.
#[derive(Clone, Copy, Debug)]
pub struct Seal;
