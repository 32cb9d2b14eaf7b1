//! What the end-to-end tests stand on.

// Shared with the commands of make.
#[path = "../../../xtask/src/tools.rs"]
pub mod tools;
#[path = "../../../xtask/src/warehouse.rs"]
pub mod warehouse;

pub mod text;
mod workspace;

pub use text::Problem;
pub use warehouse::Warehouse;
pub use workspace::{Outcome, Plan, Running, Workspace};
