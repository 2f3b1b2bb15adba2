//! Random bits, for ids.

/// Where a runtime takes random bits from.
pub trait Random: Send + Sync + 'static {
    /// Ten random bytes.
    fn bytes(&self) -> [u8; 10];
}

/// The operating system's random source.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        if let Err(error) = getrandom::fill(&mut bytes) {
            // Ids also hold the time; what is left is a collision within one millisecond, which a commit would refuse.
            tracing::error!(%error, "the operating system gave no random bytes");
        }
        bytes
    }
}
