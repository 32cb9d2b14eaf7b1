//! Temporary credentials of a database user.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;

use super::identity::Identity;
use super::policy::names::is_db_name;
use super::problem::{Asked, failed, is_not_found};
use super::{Aws, Service, one_of};
use crate::engine::error::Error;
use crate::engine::settings::access::Iam;
use crate::engine::settings::needs::Target;

/// A user's name as the sign-in wants it (`IAM:alice`, `IAMR:role`), and the password. `Debug` does not show it.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Minted {
    pub(in crate::engine) user: String,
    pub(in crate::engine) password: SecretString,
}

/// A database's name as AWS takes it (AWS: GetClusterCredentials, DbName); any other is left out of the call, and the
/// credentials are for every database.
fn db_name(database: &str) -> Option<String> {
    is_db_name(database).then(|| database.to_owned())
}

impl Aws {
    /// Credentials for a sign-in to `database`: kept until shortly before they expire, asked for once however many wait.
    pub(in crate::engine) fn mint<'a>(&'a self, iam: &'a Iam, database: &str) -> BoxFuture<'a, Result<Minted, Error>> {
        let database = db_name(database);
        let cell = one_of(&self.minted, (iam.clone(), database.clone()));
        async move { Ok(cell.get(|| self.ask(iam, database.as_deref())).await?.value.clone()) }.boxed()
    }

    /// Lets the next sign-in ask for new ones.
    pub(in crate::engine) fn forget(&self, iam: &Iam, database: &str) {
        one_of(&self.minted, (iam.clone(), db_name(database))).drop_it();
    }

    async fn ask(&self, iam: &Iam, database: Option<&str>) -> Result<(Minted, Option<SystemTime>), Error> {
        let region = self.region(iam.region.as_deref()).await?;
        let wanted = Asked {
            target: format!("{} in {region}", iam.target),
            about: iam.target.setting(),
            for_want_of_password: iam.for_want_of_password,
            ..Asked::default()
        };
        let identity = self.identity(&iam.roles, &region).await.map_err(|error| wanted.wanted(error))?;
        let seconds = i32::try_from(iam.duration.as_secs()).unwrap_or(900);
        tracing::debug!(target = %iam.target, region, user = iam.user, database, "asking for temporary credentials");
        let call = Call { aws: self, iam, region: &region, identity, database, seconds };
        match &iam.target {
            Target::Workgroup(name) => call.serverless(Some(name), None).await,
            Target::Cluster(name) => call.cluster(Some(name), None).await,
            Target::CustomDomain(name) => match call.cluster(None, Some(name)).await {
                // Whose domain it is does not show in its name.
                Err(error) if iam.user.is_none() && is_not_found(&error) => {
                    call.serverless(None, Some(name)).await.map_err(|_| error)
                }
                outcome => outcome,
            },
        }
    }
}

struct Call<'a> {
    aws: &'a Aws,
    iam: &'a Iam,
    region: &'a str,
    identity: Identity,
    database: Option<&'a str>,
    seconds: i32,
}

impl Call<'_> {
    fn asked(&self, call: &'static str) -> Asked {
        let database = self.database.unwrap_or("*");
        let resources = match (&self.iam.target, &self.iam.user) {
            (Target::Cluster(name), Some(user)) => {
                vec![format!("dbuser:{name}/{user}"), format!("dbname:{name}/{database}")]
            }
            (Target::Cluster(name), None) => vec![format!("dbname:{name}/{database}")],
            (Target::Workgroup(_), _) => vec!["workgroup/<id>".to_owned()],
            (Target::CustomDomain(_), Some(user)) => {
                vec![format!("dbuser:<cluster>/{user}"), format!("dbname:<cluster>/{database}")]
            }
            (Target::CustomDomain(_), None) => vec![format!("dbname:<cluster>/{database}")],
        };
        Asked {
            call,
            identity: self.identity.name.clone(),
            target: format!("{} in {}", self.iam.target, self.region),
            resources,
            about: self.iam.target.setting(),
            for_want_of_password: self.iam.for_want_of_password,
        }
    }

    async fn cluster(&self, id: Option<&str>, domain: Option<&str>) -> Result<(Minted, Option<SystemTime>), Error> {
        let config = self.aws.service(Service::Redshift, self.region, self.identity.credentials.clone()).await?;
        let client = aws_sdk_redshift::Client::new(&config);
        let (id, domain, database) =
            (id.map(str::to_owned), domain.map(str::to_owned), self.database.map(str::to_owned));
        match &self.iam.user {
            Some(user) => {
                let asked = self.asked("redshift:GetClusterCredentials");
                let answer = client
                    .get_cluster_credentials()
                    .db_user(user)
                    .set_db_name(database)
                    .set_cluster_identifier(id)
                    .set_custom_domain_name(domain)
                    .duration_seconds(self.seconds)
                    .auto_create(false)
                    .send()
                    .await
                    .map_err(|error| failed(&asked, &error))?;
                let end = answer.expiration().map(|end| end.secs());
                minted(&asked, answer.db_user(), answer.db_password(), end)
            }
            None => {
                let asked = self.asked("redshift:GetClusterCredentialsWithIAM");
                let answer = client
                    .get_cluster_credentials_with_iam()
                    .set_db_name(database)
                    .set_cluster_identifier(id)
                    .set_custom_domain_name(domain)
                    .duration_seconds(self.seconds)
                    .send()
                    .await
                    .map_err(|error| failed(&asked, &error))?;
                let end = answer.expiration().map(|end| end.secs());
                minted(&asked, answer.db_user(), answer.db_password(), end)
            }
        }
    }

    async fn serverless(
        &self,
        name: Option<&str>,
        domain: Option<&str>,
    ) -> Result<(Minted, Option<SystemTime>), Error> {
        let config =
            self.aws.service(Service::RedshiftServerless, self.region, self.identity.credentials.clone()).await?;
        let asked = self.asked("redshift-serverless:GetCredentials");
        let answer = aws_sdk_redshiftserverless::Client::new(&config)
            .get_credentials()
            .set_workgroup_name(name.map(str::to_owned))
            .set_custom_domain_name(domain.map(str::to_owned))
            .set_db_name(self.database.map(str::to_owned))
            .duration_seconds(self.seconds)
            .send()
            .await
            .map_err(|error| failed(&asked, &error))?;
        minted(&asked, answer.db_user(), answer.db_password(), answer.expiration().map(|end| end.secs()))
    }
}

fn minted(
    asked: &Asked,
    user: Option<&str>,
    password: Option<&str>,
    end: Option<i64>,
) -> Result<(Minted, Option<SystemTime>), Error> {
    let (Some(user), Some(password)) = (user, password) else { return Err(asked.no_answer("user and password")) };
    let end = end.and_then(|secs| u64::try_from(secs).ok()).map(|secs| UNIX_EPOCH + Duration::from_secs(secs));
    Ok((Minted { user: user.to_owned(), password: SecretString::from(password.to_owned()) }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_db_name_is_left_out() {
        for (name, sent) in [
            ("dev", true),
            ("my-db.1", true),
            ("_staging", false),
            ("user", false),
            ("a b", false),
            ("größe", false),
            ("", false),
        ] {
            assert_eq!(db_name(name).is_some(), sent, "{name}");
        }
        assert!(db_name(&"x".repeat(64)).is_some() && db_name(&"x".repeat(65)).is_none());
    }
}
