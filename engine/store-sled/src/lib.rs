//! engine-store-sled
