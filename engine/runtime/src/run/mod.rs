//! One task per driven run: drain the mailbox, decide, commit, dispatch.

mod attempt;
mod hand;
mod mailbox;
mod task;
mod turn;

pub(crate) use attempt::Sender;
pub(crate) use mailbox::{Mail, Mailbox};
pub(crate) use task::{Broken, RunTask, Setup};
pub(crate) use turn::{Besides, Identity, row, spill_payload, timers};
