//! The data source `redshift_data_policy`: rules of masking and row filtering as one document. It asks nobody.

use serde::Deserialize;

use super::configured::Configured;
use super::rules;
use crate::engine::governance::{FilterRule, MaskRule, Policy};
use crate::terraform::{DataSource, Diagnostics, Read, Schema, Value, string};

/// The data source `redshift_data_policy`.
pub struct DataPolicy;

/// What is written.
#[derive(Deserialize)]
pub struct Model {
    name: String,
    mask: Vec<MaskRule>,
    row_filter: Vec<FilterRule>,
}

impl DataSource for DataPolicy {
    type Data = Configured;
    type Model = Model;
    const NAME: &'static str = "data_policy";

    fn schema() -> Schema<Configured> {
        Schema::new("Rules of who sees which rows and values, as one document that serves many schemas. Nothing is asked or made.")
            .setting(
                "name",
                string().required().check(name).doc("What the policy is called where a rule is named: in plans and simulations."),
            )
            .block("mask", "A mask: what shows of columns instead of their values.", rules::mask())
            .block("row_filter", "A row filter: which rows are seen.", rules::row_filter())
            .computed("json", string().doc("The policy as JSON. The same rules give the same text, in whatever order they are written."))
    }

    fn check(config: &Value, d: &mut Diagnostics) {
        rules::check(config, d);
    }

    async fn read(_: &Configured, model: Model, cx: &mut Read<'_>) -> Result<(), Diagnostics> {
        cx.set("json", Policy::new(Some(&model.name), model.mask, model.row_filter).json());
        Ok(())
    }
}

fn name(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err("It is for people to read: some letters on one line.".to_owned());
    }
    Ok(())
}
