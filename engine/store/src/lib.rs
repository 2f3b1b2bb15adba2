//! engine-store
