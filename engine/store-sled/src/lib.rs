//! The store on sled: one directory, one process, nothing to install.
//!
//! What it does beyond sled, because sled does not:
//!
//! - a sync that survives a power cut (sled's flush does not), by one writer thread for all that queued meanwhile;
//! - readers that never see what is not yet synced;
//! - a watermark beside the database, so that a loss is said and not served;
//! - a panic of sled ends in an error that says what to do.
//!
//! | module | what it does |
//! |---|---|
//! | `directory` | whose the directory is: format, lock |
//! | `opening` | what is checked before anything is served |
//! | `log` | whether sled would leave something out of its log without a word |
//! | `watermark` | what was acknowledged, kept outside the database |
//! | `database` | the only place that calls sled |
//! | `writer` | gathers requests into batches, syncs, answers |
//! | `staged`, `encoded` | a unit as rows, checked against those that are there |
//! | `removal` | deleting runs, sweeping definitions |
//! | `reader`, `pool` | reads, on threads of their own |
//! | `blobs`, `files` | files that survive a power cut |
//! | `doctor` | looks at everything; mends what follows from histories |
//! | `backup`, `copying` | a whole data directory from a store that is being written |
//! | `compact` | the live rows in new files |
//! | `shared`, `panics` | how far the store is, and how it ends |

mod backup;
mod blobs;
mod compact;
mod copying;
mod database;
mod directory;
mod doctor;
mod encoded;
mod files;
mod log;
mod opening;
mod panics;
mod pool;
mod reader;
mod removal;
mod shared;
mod staged;
mod store;
mod watermark;
mod writer;

pub use compact::{Compacted, compact, compact_with};
pub use doctor::{Definitions, Rebuild, Rebuilt, Repaired, doctor, doctor_repair};
pub use store::SledStore;
