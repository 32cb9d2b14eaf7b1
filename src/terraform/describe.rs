//! A provider described, for whoever writes its docs.

use super::function::Parameter;
use super::schema::{Entry, Items, Kind, Nesting, Replaces, Schema};
use super::{Attribute, Provider, Type, Value, json, tables};

/// Everything a generator of docs needs to know about a provider.
#[derive(Clone, Debug)]
pub struct ProviderDescription {
    /// The provider's name.
    pub name: &'static str,
    /// Where it is published.
    pub address: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The provider block.
    pub provider: SchemaDescription,
    /// The resources by full name, sorted.
    pub resources: Vec<(String, SchemaDescription)>,
    /// The data sources by full name, sorted.
    pub data_sources: Vec<(String, SchemaDescription)>,
    /// The ephemeral resources by full name, sorted.
    pub ephemerals: Vec<(String, SchemaDescription)>,
    /// The functions, sorted by name.
    pub functions: Vec<FunctionDescription>,
}

/// A schema described.
#[derive(Clone, Debug)]
pub struct SchemaDescription {
    /// What it is, in Markdown.
    pub description: String,
    /// The heading under which its page stands.
    pub subcategory: String,
    /// Why it should not be used any more.
    pub deprecated: Option<String>,
    /// The version of the state's form.
    pub version: i64,
    /// Attributes and blocks, in the schema's order.
    pub attributes: Vec<AttributeDescription>,
}

/// Who gives an attribute its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A person must write it.
    Required,
    /// A person may write it.
    Optional,
    /// The provider computes it.
    ReadOnly,
}

/// An attribute or a block described.
#[derive(Clone, Debug)]
pub struct AttributeDescription {
    /// Its name.
    pub name: String,
    /// Its type in the Registry's words, such as `List of String`, `Attributes Map` or `Block List, Min: 1`.
    pub type_name: String,
    /// Whether it is a block.
    pub block: bool,
    /// Who gives it its value.
    pub presence: Presence,
    /// What it means, in Markdown.
    pub doc: String,
    /// Whether Terraform hides it.
    pub sensitive: bool,
    /// Whether it is never stored.
    pub write_only: bool,
    /// Why it should not be used any more.
    pub deprecated: Option<String>,
    /// What it is when it is left out, as JSON.
    pub default: Option<String>,
    /// The values it may have, where only some are possible.
    pub one_of: Vec<String>,
    /// Whether changing it makes (or may make) a new resource.
    pub replaces: bool,
    /// How it is planned: `constant`, `pinned`, `pure`, `observed`, `drift`, `computed`, or nothing for a setting.
    pub class: &'static str,
    /// What is in it.
    pub nested: Vec<AttributeDescription>,
}

/// A function described.
#[derive(Clone, Debug)]
pub struct FunctionDescription {
    /// Its name.
    pub name: String,
    /// What it does, in a line.
    pub summary: String,
    /// What it does, in Markdown.
    pub description: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The last parameter, if it can be given any number of times.
    pub variadic: Option<Parameter>,
    /// The type of its result.
    pub returns: Type,
}

/// Describes a provider.
pub fn describe<P: Provider>() -> ProviderDescription {
    let (provider, types) = tables::<P>();
    let full = |name: &String| format!("{}_{name}", P::NAME);
    ProviderDescription {
        name: P::NAME,
        address: P::ADDRESS,
        version: P::VERSION,
        provider: describe_schema(&provider),
        resources: types.resources.iter().map(|(name, r)| (full(name), describe_schema(&r.form().schema))).collect(),
        data_sources: types
            .data_sources
            .iter()
            .map(|(name, s)| (full(name), describe_schema(&s.form().schema)))
            .collect(),
        ephemerals: types.ephemerals.iter().map(|(name, e)| (full(name), describe_schema(&e.form().schema))).collect(),
        functions: (types.functions.iter())
            .map(|(name, function)| {
                let signature = function.signature().clone();
                FunctionDescription {
                    name: name.clone(),
                    summary: signature.summary,
                    description: signature.description,
                    parameters: signature.parameters,
                    variadic: signature.variadic,
                    returns: signature.returns,
                }
            })
            .collect(),
    }
}

pub(super) fn describe_schema<D>(schema: &Schema<D>) -> SchemaDescription {
    let one = |Entry { name, attribute: a, class }: &Entry<D>| attribute(name, a, class.word());
    SchemaDescription {
        description: schema.description.clone(),
        subcategory: schema.subcategory.clone(),
        deprecated: schema.deprecated.clone(),
        version: schema.version,
        attributes: schema.entries.iter().map(one).collect(),
    }
}

fn attribute(name: &str, attribute: &Attribute, class: &'static str) -> AttributeDescription {
    let presence = match (class, attribute.required) {
        ("", true) => Presence::Required,
        ("", false) => Presence::Optional,
        _ => Presence::ReadOnly,
    };
    let type_name = match &attribute.kind {
        Kind::Plain(ty) => type_name(ty),
        Kind::Nested(..) if let Some(items) = attribute.block => block_name(items),
        Kind::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Kind::Nested(nesting, _) => format!("Attributes {nesting:?}"),
    };
    let default = |value: &Value| json::to_json(value.clone(), &attribute.ty()).ok().map(|json| json.to_string());
    AttributeDescription {
        name: name.to_owned(),
        type_name,
        block: attribute.block.is_some(),
        presence,
        doc: attribute.doc.clone(),
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.clone(),
        default: attribute.default.as_ref().and_then(default),
        one_of: attribute.allowed(),
        replaces: !matches!(attribute.replaces, Replaces::No),
        class,
        nested: attribute.children().iter().map(|(name, child)| self::attribute(name, child, class)).collect(),
    }
}

fn block_name(items: Items) -> String {
    if !items.repeated {
        return "Block".to_owned();
    }
    let least = if items.least > 0 { format!(", Min: {}", items.least) } else { String::new() };
    let most = items.most.map_or_else(String::new, |most| format!(", Max: {most}"));
    format!("Block List{least}{most}")
}

/// In the Registry's words.
pub(super) fn type_name(ty: &Type) -> String {
    match ty {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", type_name(element)),
        Type::Set(element) => format!("Set of {}", type_name(element)),
        Type::Map(element) => format!("Map of {}", type_name(element)),
        Type::Tuple(_) => "Tuple".to_owned(),
        Type::Object { .. } => "Object".to_owned(),
    }
}
