//! What the end-to-end tests stand on.

// Shared with the commands of make.
mod standin;
#[path = "../../../xtask/src/tools.rs"]
pub mod tools;

mod golden;
pub mod hostile;
mod proxy;
mod terminator;
pub mod text;
mod workspace;

pub use golden::{golden, masked};
pub use proxy::{ConnectProxy, SocksProxy};
pub use standin::{CLUSTER_HOST, Sitting, WORKGROUP_HOST, Warehouse};
pub use terminator::Terminator;
pub use text::{Problem, shown};
pub use workspace::{Outcome, PROVIDER, Workspace};
