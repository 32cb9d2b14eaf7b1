//! Logs as Terraform reads them from a plugin's stderr: one JSON object per line, in the form of hclog.

use std::fmt;
use std::io::Write;

use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::on_one_line;

/// Terraform passes longer lines on without reading them.
const LONGEST_LINE: usize = 60 * 1024;

/// Starts logging, if the environment asks for it: `TF_LOG_PROVIDER_<NAME>`, else `TF_LOG_PROVIDER`, else `TF_LOG`.
/// What other crates log is written from warnings on only: what they say in detail may hold secrets.
pub(super) fn init(provider: &str) {
    let level = level(provider, |name| std::env::var(name).ok());
    if level == LevelFilter::OFF {
        return;
    }
    let layer = Hclog { level, write: |line: &str| drop(std::io::stderr().write_all(line.as_bytes())) };
    // There is a subscriber already only where a test has set one.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
}

fn level(provider: &str, variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", provider.to_uppercase().replace('-', "_"));
    let mut set = [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"].into_iter().filter_map(variable);
    match set.find(|value| !value.is_empty()).map(|value| value.to_uppercase()).as_deref() {
        None | Some("OFF") => LevelFilter::OFF,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some("INFO") => LevelFilter::INFO,
        Some("WARN") => LevelFilter::WARN,
        Some("ERROR") => LevelFilter::ERROR,
        // `TRACE`, `JSON`, and whatever else Terraform takes for them.
        Some(_) => LevelFilter::TRACE,
    }
}

struct Hclog<W> {
    level: LevelFilter,
    write: W,
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Hclog<W> {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let own = env!("CARGO_CRATE_NAME");
        let ours = metadata.target().split("::").next() == Some(own);
        let limit = if ours { self.level } else { self.level.min(LevelFilter::WARN) };
        *metadata.level() <= limit
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        (self.write)(&line(event.metadata(), fields, OffsetDateTime::now_utc()));
    }
}

fn line(metadata: &Metadata<'_>, fields: Fields, now: OffsetDateTime) -> String {
    let level = match *metadata.level() {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
    let (date, time) = (now.date(), now.time());
    let timestamp = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    );
    let mut object = fields.others;
    // Terraform takes these for strings without looking.
    for (key, value) in [
        ("@level", level.to_owned()),
        ("@message", shortened(fields.message)),
        ("@module", metadata.target().replace("::", ".")),
        ("@timestamp", timestamp),
    ] {
        object.insert(key.to_owned(), Json::String(value));
    }
    let mut line = Json::Object(object.clone()).to_string();
    if line.len() > LONGEST_LINE {
        object.retain(|key, _| key.starts_with('@'));
        line = Json::Object(object).to_string();
    }
    line.push('\n');
    line
}

/// At most a sixth of a line: in JSON, a character may take six.
fn shortened(mut message: String) -> String {
    if message.len() > LONGEST_LINE / 8 {
        let end = (0..=LONGEST_LINE / 8).rev().find(|&at| message.is_char_boundary(at)).unwrap_or(0);
        message.truncate(end);
        message.push_str(" [...]");
    }
    message
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Json>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Json) {
        // Terraform shows a message as it is, and JSON escapes little.
        let value = match value {
            Json::String(text) => Json::String(on_one_line(text)),
            other => other,
        };
        match (field.name(), value) {
            ("message", Json::String(text)) => self.message = text,
            ("message", value) => self.message = value.to_string(),
            (name, value) => drop(self.others.insert(name.trim_start_matches('@').to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn logged(level: LevelFilter, log: impl FnOnce()) -> Vec<Json> {
        let lines = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&lines);
        let write = move |line: &str| sink.lock().expect("no panic").push_str(line);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Hclog { level, write }), log);
        let lines = lines.lock().expect("no panic").clone();
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn a_line_is_what_terraform_reads() {
        let lines = logged(LevelFilter::DEBUG, || {
            tracing::debug!(rows = 3, ok = true, name = "n", shown = ?Some(1), "read {}", "it");
            tracing::trace!("too fine");
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line["@level"], "debug");
        assert_eq!(line["@message"], "read it");
        assert_eq!(
            (&line["rows"], &line["ok"], &line["name"], &line["shown"]),
            (&3.into(), &true.into(), &"n".into(), &"Some(1)".into())
        );
        let time = line["@timestamp"].as_str().expect("text");
        assert_eq!(time.len(), "2026-01-01T00:00:00.000000Z".len(), "{time}");
        assert!(line["@module"].is_string());
    }

    #[test]
    fn a_message_is_text_and_no_line_is_too_long() {
        let long = "\u{1}".repeat(100_000);
        let lines = logged(LevelFilter::TRACE, || {
            tracing::info!(message = 5);
            tracing::info!(field = long, "{long}");
        });
        assert_eq!(lines[0]["@message"], "5");
        assert!(lines[1].to_string().len() < 64 * 1024);
        assert!(lines[1]["@message"].as_str().expect("text").ends_with("[...]"));
    }

    #[test]
    fn other_crates_are_heard_from_warnings_on() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::debug!(target: "some_client::wire", "Password: s3cret");
            tracing::warn!(target: "some_client::wire", "slow");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["@module"], "some_client.wire");
    }

    #[test]
    fn the_nearest_variable_decides() {
        let level = |set: &[(&str, &str)]| {
            level("my-thing", |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(level(&[]), LevelFilter::OFF);
        assert_eq!(level(&[("TF_LOG", "info")]), LevelFilter::INFO);
        assert_eq!(level(&[("TF_LOG", "JSON")]), LevelFilter::TRACE);
        assert_eq!(level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "WARN")]), LevelFilter::WARN);
        assert_eq!(level(&[("TF_LOG_PROVIDER", "WARN"), ("TF_LOG_PROVIDER_MY_THING", "DEBUG")]), LevelFilter::DEBUG);
        assert_eq!(level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "OFF")]), LevelFilter::OFF);
        assert_eq!(level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "")]), LevelFilter::TRACE);
    }
}
