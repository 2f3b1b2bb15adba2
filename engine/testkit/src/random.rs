//! Random bits that are the same each time.

use std::sync::atomic::{AtomicU64, Ordering};

use engine_runtime::Random;

/// The bytes that follow from a seed, the same in every run of a test.
#[derive(Debug)]
pub struct SeededRandom {
    next: AtomicU64,
}

impl SeededRandom {
    /// The bytes of this seed.
    pub fn new(seed: u64) -> Self {
        Self { next: AtomicU64::new(seed) }
    }

    /// `SplitMix64`.
    fn word(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut word = self.next.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

impl Random for SeededRandom {
    fn bytes(&self) -> [u8; 10] {
        let words = [self.word().to_be_bytes(), self.word().to_be_bytes()];
        let mut bytes = [0; 10];
        for (byte, drawn) in bytes.iter_mut().zip(words.iter().flatten()) {
            *byte = *drawn;
        }
        bytes
    }
}
