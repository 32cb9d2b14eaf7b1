//! The campaign: the same few lives very often, killed and raced at random moments. `make test` runs a fair sample of each,
//! `make campaign` all of them.
//!
//! `CAMPAIGN_SEED` repeats the random numbers of a run, which are printed; `CAMPAIGN_COUNT` says how often, and
//! `CAMPAIGN_DATASTORES` and `CAMPAIGN_PARTS` what is in the configuration.

mod destroys;
mod kills;
mod races;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{Warehouse, Workspace};

/// How often: all of it in the campaign, else the sample, unless somebody says a number.
pub(crate) fn count(all: usize, sample: usize) -> usize {
    number("CAMPAIGN_COUNT").unwrap_or(if is_campaign() { all } else { sample })
}

fn is_campaign() -> bool {
    std::env::var_os("CAMPAIGN").is_some()
}

/// All of them in the campaign, else some at random, in their order: a fair sample.
pub(crate) fn sampled<T>(all: impl IntoIterator<Item = T>, some: usize) -> Vec<T> {
    let mut chosen: Vec<T> = all.into_iter().collect();
    let mut random = Random::start("a sample");
    while !is_campaign() && chosen.len() > some {
        let out = random.up_to(chosen.len() as u64) as usize - 1;
        chosen.remove(out);
    }
    chosen
}

fn number(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// Random numbers that a seed repeats (splitmix64).
struct Random(u64);

impl Random {
    /// From `CAMPAIGN_SEED`, else from the clock.
    fn start(what: &str) -> Random {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as usize);
        let seed = number("CAMPAIGN_SEED").unwrap_or_else(now);
        eprintln!("{what}: CAMPAIGN_SEED={seed}");
        Random(seed as u64)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 1 to `most`.
    fn up_to(&mut self, most: u64) -> u64 {
        1 + self.next() % most.max(1)
    }
}

/// What is in the configuration.
#[derive(Clone)]
struct Parts {
    user: bool,
    connection: bool,
    integration: bool,
    datastores: usize,
}

impl Parts {
    fn all() -> Parts {
        let named = std::env::var("CAMPAIGN_PARTS").ok();
        let has = |part: &str| named.as_ref().is_none_or(|named| named.split(',').any(|name| name.trim() == part));
        let datastores = if has("datastores") {
            number("CAMPAIGN_DATASTORES").unwrap_or(if is_campaign() { 30 } else { 9 })
        } else {
            0
        };
        Parts { user: has("user"), connection: has("connection"), integration: has("integration"), datastores }
    }

    /// As it is first, and after it was edited.
    fn configuration(&self, edited: bool) -> String {
        let or = |now: &'static str, then: &'static str| if edited { then } else { now };
        let mut text = "provider \"redshift\" {}\n".to_owned();
        if self.user {
            text.push_str(&format!(
                "resource \"redshift_user\" \"tool\" {{\n  name                = \"tool\"\n  password_wo         = \"{}\"\n  password_wo_version = {}\n  connection_limit    = {}\n}}\n",
                or("Tool-secret-1", "Tool-secret-2"),
                or("1", "2"),
                or("5", "6")
            ));
        }
        if self.connection {
            text.push_str(&format!(
                "resource \"redshift_connection\" \"main\" {{\n  name        = \"main\"\n  description = \"{}\"\n}}\n",
                or("one", "two")
            ));
        }
        if self.integration {
            text.push_str(&format!(
                "resource \"redshift_integration\" \"i\" {{\n  auto_bootstrap = true\n  database       = \"governed\"\n  system_user {{\n    password_wo         = \"{}\"\n    password_wo_version = {}\n  }}\n  impersonation {{\n    enabled = true\n    name    = \"{}\"\n  }}\n}}\n",
                or("System-secret-1", "System-secret-2"),
                or("1", "2"),
                or("actors", "deputies")
            ));
        }
        for (number, kind) in (0..self.datastores).map(|number| (number, Kind::of(number))) {
            let (schema, service_user) = kind.settings(number, self.user);
            text.push_str(&format!(
                "resource \"redshift_datastore\" \"d{number}\" {{\n  name            = \"d{number}\"\n  database        = \"dev\"\n  schema          = \"{schema}\"\n  enrichment_only = {}\n  service_user {{\n{service_user}  }}\n}}\n",
                or("false", "true")
            ));
        }
        text
    }

    /// The users and groups that get the rights, beside the one that the configuration makes.
    fn furnish(&self, warehouse: &Warehouse) {
        for number in 0..self.datastores {
            match Kind::of(number) {
                Kind::Role => drop(warehouse.sql("dev", &format!("CREATE USER reader_{number} PASSWORD DISABLE"))),
                Kind::Direct => drop(warehouse.sql("dev", &format!("CREATE USER writer_{number} PASSWORD DISABLE"))),
                Kind::Group => drop(warehouse.sql("dev", &format!("CREATE GROUP team_{number}"))),
            }
        }
    }
}

/// How a datastore gives its rights.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Role,
    Direct,
    Group,
}

impl Kind {
    fn of(number: usize) -> Kind {
        [Kind::Role, Kind::Direct, Kind::Group][number % 3]
    }

    /// The schema, and who gets the rights: the first gives them to the user of the configuration.
    fn settings(self, number: usize, user: bool) -> (&'static str, String) {
        match self {
            Kind::Role if number == 0 && user => ("finance", "    name = redshift_user.tool.name\n".to_owned()),
            Kind::Role => ("finance", format!("    name = \"reader_{number}\"\n")),
            Kind::Direct => {
                ("quality", format!("    name          = \"writer_{number}\"\n    grant_through = \"direct\"\n"))
            }
            Kind::Group => ("finance", format!("    name = \"team_{number}\"\n    type = \"group\"\n")),
        }
    }
}

/// A warehouse with people in it, and a folder to manage it from.
struct Bench {
    warehouse: Warehouse,
    workspace: Workspace,
    parts: Parts,
    /// Everything that is there before anything is made.
    before: Vec<String>,
}

impl Bench {
    fn new(parts: &Parts) -> Bench {
        let warehouse = Warehouse::start();
        parts.furnish(&warehouse);
        let before = warehouse.dump_all();
        let workspace = Workspace::on(&warehouse);
        Bench { warehouse, workspace, parts: parts.clone(), before }
    }

    fn write(&self, edited: bool) {
        self.workspace.write(&self.parts.configuration(edited));
    }

    /// What is in the warehouse and was not, and the other way round.
    fn left_behind(&self) -> Result<(), String> {
        let after = self.warehouse.dump_all();
        if after == self.before {
            return Ok(());
        }
        let lacks = |from: &[String], what: &str, sign: char| {
            (!from.iter().any(|line| line == what)).then(|| format!("{sign} {what}"))
        };
        let more = after.iter().filter_map(|line| lacks(&self.before, line, '+'));
        let less = self.before.iter().filter_map(|line| lacks(&after, line, '-'));
        let lines: Vec<String> = more.chain(less).collect();
        match lines.len() {
            0 => Err("the same lines, but not as often".to_owned()),
            many => Err(format!("{many} lines differ:\n    {}", lines[..many.min(30)].join("\n    "))),
        }
    }
}
