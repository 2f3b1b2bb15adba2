//! The real binary against the mock services.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]
#![allow(clippy::print_stderr, reason = "seeds are printed")]

mod bad_directory;
mod bad_input;
mod bench;
mod case;
mod clock;
#[path = "../../engine/store-sled/tests/common/disk.rs"]
#[allow(dead_code, reason = "power is cut elsewhere")]
mod disk;
mod failing_disk;
mod full_disk;
mod keeping;
mod kill;
mod new;
mod outcomes;
mod owner;
mod payload_memory;
mod race;
mod registered;
mod retries;
mod set_aside;
mod shutdown;
mod steer;
mod steered_kills;
mod stuck;
mod support;
mod verbs;
