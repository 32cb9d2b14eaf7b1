//! What the end-to-end tests stand on.

// Shared with the commands of make.
mod standin;
#[path = "../../../xtask/src/tools.rs"]
pub mod tools;

mod proxy;
pub mod text;
mod workspace;

pub use proxy::{ConnectProxy, SocksProxy};
pub use standin::{CLUSTER_HOST, WORKGROUP_HOST, Warehouse};
pub use text::Problem;
pub use workspace::Workspace;
