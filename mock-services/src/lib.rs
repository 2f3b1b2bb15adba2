//! mock services
