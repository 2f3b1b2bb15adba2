//! Working beside the process that has the data directory: it listens on a Unix socket, and whoever finds the
//! directory taken asks it.
//!
//! | module | what it does |
//! |---|---|
//! | `place` | where the socket is, and that only its user reaches it |
//! | `frame`, `hello` | messages of bounded length; who speaks, in which protocol and version |
//! | `wire` | what may be asked, and what is answered |
//! | `look` | the reading half of a store, as questions: by them a store beside reads like one's own |
//! | `keep` | what is done with the directory as a whole, by whoever has it |
//! | `lacks` | what a process lacks to drive a run that is handed to it |
//! | `handed` | runs handed in, for which the process stays |
//! | `server`, `serve` | the process that has the directory |
//! | `client` | one beside it |
//!
//! A connection carries one question: hello, hello, question, answer. So nothing on it outlives an answer, and a
//! process that dies is noticed by whoever waits for one. The connection of a run that was handed in stays open for as
//! long as its follower reads, and the process stays as long (a little while at most) once the run has come to rest.
//!
//! Every question may be asked again of another process: looks change nothing, and all else has a request id or names
//! what is to be so. A backup that was cut off is made anew in its place.
//!
//! What takes long, as a backup, is answered by signs of life until it is done, and given up where nobody reads them.

mod client;
mod frame;
mod handed;
mod hello;
mod keep;
mod lacks;
mod look;
mod place;
mod refusal;
mod serve;
mod server;
mod wire;

pub use client::{AskError, Client, ConnectError, Presence};
pub use look::{Look, LookStore, Looked, Looker, look};
pub use place::Place;
pub use refusal::{Refusal, RefusalKind};
pub use server::Control;
pub use wire::Bytes;
