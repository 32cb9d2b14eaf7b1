//! The provider as a library, so that its tests and tools can use its rooms.

pub mod engine;
pub mod provider;
pub mod terraform;
