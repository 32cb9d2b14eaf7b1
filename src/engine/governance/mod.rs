//! What a governance integration shows to whom. Pure: from policies, profiles and the columns of tables to the text of
//! views, and to what somebody would see. Nothing here asks a warehouse.
//!
//! - [`policy`]: rules as they are written, and as one canonical JSON;
//! - [`condition`]: whom a rule concerns; [`profile`]: what is known of a user;
//! - [`mask`], [`row_filter`], [`expression`]: what a rule makes of a column or a row, as SQL;
//! - [`rules`] and [`table`]: a policy made ready, and held against a table; [`decision`]: which of several masks shows;
//! - [`entitlements`] and [`view`]: the two views between a reader and a table;
//! - [`simulate`]: what a reader would see; [`mod@effects`]: what a change of rules shows and hides.
//!
//! Rules only take away, in any order: row filters all have to let a row pass, and of the masks that hold the strictest
//! shows. So no rule can weaken another, and a rule more never shows more.

mod columns;
mod condition;
mod decision;
mod effects;
mod entitlements;
mod expression;
mod mask;
mod pattern;
mod policy;
mod problem;
mod profile;
mod row_filter;
mod rules;
mod simulate;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use columns::{Column, ColumnType, column};
pub use condition::Condition;
pub use effects::effects;
pub use entitlements::Entitlements;
pub use mask::NAMES as MASKS;
pub use policy::{FilterRule, MaskRule, Policy, tag_problems};
pub use problem::Problem;
pub use profile::{Profile, check_user};
pub use rules::Rules;
pub use simulate::{SeenColumn, SeenRows, Simulation};
pub use table::{Protected, Table};
pub use view::{Barrier, Target};
