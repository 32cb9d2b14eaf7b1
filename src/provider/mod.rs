//! Where Terraform and Redshift meet: one file per Terraform type, each a few lines that call the engine. No SQL and no
//! protobuf here.

mod catalog;
mod configured;
mod connection;
mod connection_test;
mod data_policy;
mod datastore;
mod errors;
mod iam_policy_document;
mod integration;
mod link;
mod patterns;
mod place;
mod policy_simulation;
mod protected_tables;
mod registered;
mod rotation;
mod rules;
mod schema;
mod schemas;
mod script;
mod settings;
mod tests_result;
mod user;
mod user_profiles;
mod users;
mod versions;

use crate::engine::settings::may_hold_login;
use crate::terraform::{Configure, Diagnostics, Provider, Schema, Types, Value};

pub use catalog::Catalog;
pub use configured::Configured;
pub use connection::Connection;
pub use connection_test::ConnectionTest;
pub use data_policy::DataPolicy;
pub use datastore::Datastore;
pub use datastore::listed::Datastores;
pub use iam_policy_document::IamPolicyDocument;
pub use integration::Integration;
pub use integration::listed::Integrations;
pub use integration::scripts::IntegrationScripts;
pub use policy_simulation::PolicySimulation;
pub use protected_tables::ProtectedTables;
pub use schema::SchemaResource;
pub use schemas::Schemas;
pub use user::User;
pub use user_profiles::UserProfiles;
pub use users::Users;

/// The provider's address in a registry, less the registry's host.
pub const ADDRESS: &str = "terraform-redshift/redshift";

/// The provider that this program serves.
pub struct Redshift;

impl Provider for Redshift {
    type Data = Configured;
    const NAME: &'static str = "redshift";
    const ADDRESS: &'static str = ADDRESS;
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn schema() -> Schema<()> {
        configured::schema()
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        configured::check(config, d);
    }

    fn may_hold_secret(attribute: &str, text: &str) -> bool {
        may_hold_login(attribute, text)
    }

    async fn configure(request: Configure) -> Result<(Configured, Diagnostics), Diagnostics> {
        Configured::new(&request)
    }

    fn types() -> Types<Configured> {
        Types::new()
            .resource::<Connection>()
            .resource::<User>()
            .resource::<SchemaResource>()
            .resource::<UserProfiles>()
            .resource::<ProtectedTables>()
            .resource::<Datastore>()
            .resource::<Integration>()
            .data_source::<ConnectionTest>()
            .data_source::<Schemas>()
            .data_source::<Users>()
            .data_source::<Catalog>()
            .data_source::<IamPolicyDocument>()
            .data_source::<Datastores>()
            .data_source::<Integrations>()
            .data_source::<IntegrationScripts>()
            .data_source::<DataPolicy>()
            .data_source::<PolicySimulation>()
    }
}
