//! What evaluation costs, and when it stops.
//!
//! An expression is stopped by counted operations, never by a clock, so that the same expression
//! over the same data fails or passes on every machine and for ever. The *table of charges* is
//! this file: every charge that depends on the size of data is a function below, and everything
//! else costs one step. A changed charge changes which stored runs fail: whoever changes one
//! raises [`CHARGES_VERSION`].
//!
//! | what | units |
//! |---|---|
//! | a node of the syntax tree evaluated, a part of a path followed | 1 |
//! | an element iterated, a result collected, a variable passed by while one is looked up | 1 |
//! | making a text, or reading one whole | 1 + bytes / 8 |
//! | making an array, an object | 1 + elements, 1 + 2 × entries |
//! | comparing two values | 1 + the smaller weight |
//! | sorting | the keys' weight × log2 of their number |
//! | searching, splitting, subtracting, repeating | see the functions |
//!
//! What leaves the evaluator is walked over by whoever stores or sends it, and costs no units: a payload is passed on
//! whole as large as it may be. But what one evaluation, or one rendering, gives may not weigh more than [`GIVEN`].
//!
//! The *weight* of a value is what it would take to walk over it: one for every scalar, container
//! and key, and one for every eight bytes of text. It is cached in the containers and counts
//! shared parts as often as they occur, so a value that is small in memory but huge when written
//! (`[.,.]` forty times) is refused before anything walks it.

use super::failure::{Flow, Stop};
use super::value::Value;
use crate::bounds::MAX_PAYLOAD;
use std::cell::Cell;

/// The version of the table of charges.
pub const CHARGES_VERSION: u32 = 2;

/// The units that one evaluation, or one rendering of a template, may spend.
pub const UNITS: u64 = 1_000_000;

/// What the results of one evaluation, or of one rendering of a template, may weigh together: as much as the largest
/// payload with one text in it, and what little stands around that.
pub const GIVEN: u64 = MAX_PAYLOAD as u64 / 8 + 100_000;

/// The charge for one node, one element, one result.
pub(super) const STEP: u64 = 1;

/// Counts what is spent.
pub(super) struct Budget {
    limit: u64,
    left: Cell<u64>,
    /// What results may still weigh.
    to_give: Cell<u64>,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, left: Cell::new(limit), to_give: Cell::new(GIVEN) }
    }

    /// Takes `units`, or stops the evaluation when there are not so many left.
    pub(super) fn pay(&self, units: u64) -> Flow {
        if let Some(left) = self.left.get().checked_sub(units) {
            self.left.set(left);
            Ok(())
        } else {
            // Nothing is left for whoever would go on regardless.
            self.left.set(0);
            Err(Stop::Budget)
        }
    }

    /// Lets a result of this weight out, or stops the evaluation.
    pub(super) fn give(&self, weight: u64) -> Flow {
        let left = self.to_give.get().checked_sub(weight).ok_or(Stop::Budget)?;
        self.to_give.set(left);
        Ok(())
    }

    pub(super) fn used(&self) -> u64 {
        self.limit - self.left.get()
    }
}

/// Making a text of so many bytes, or reading it whole.
pub(super) fn text(bytes: usize) -> u64 {
    1 + bytes as u64 / 8
}

/// Making an array of so many elements.
pub(super) fn array(elements: usize) -> u64 {
    1 + elements as u64
}

/// Making an object of so many entries; this also pays for the order of its keys, which is made
/// at most once.
pub(super) fn object(entries: usize) -> u64 {
    1 + 2 * entries as u64
}

/// Comparing two values: the comparison ends at the first difference, so the smaller one bounds
/// it.
pub(super) fn comparison(left: &Value, right: &Value) -> u64 {
    1 + left.weight().min(right.weight())
}

/// Sorting by these keys.
pub(super) fn sort<'v>(keys: impl ExactSizeIterator<Item = &'v Value>) -> u64 {
    let rounds = u64::from(usize::BITS - keys.len().leading_zeros());
    let weight = keys.fold(0_u64, |sum, key| sum.saturating_add(key.weight()));
    weight.saturating_mul(rounds)
}

/// Looking for a text of `needle` bytes at every place of one of `haystack` bytes.
pub(super) fn text_search(haystack: usize, needle: usize) -> u64 {
    1 + (haystack as u64).saturating_mul(1 + needle as u64) / 8
}

/// Comparing every element of one array with every element, or every run, of another.
pub(super) fn cross(weight: u64, times: u64) -> u64 {
    weight.saturating_mul(times.saturating_add(1))
}
