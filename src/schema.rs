//! The public formats and their JSON Schemas: what `looper schema` prints and the drift test holds.

mod page;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::bench::mutation::Mutation;
use crate::bench::report::Report;
use crate::cli::doctor::Findings;
use crate::engine::event::{EventKind, FORMAT};
use crate::host::config;
use crate::host::tape::Page;
use crate::ui;
use crate::ui::status::Status;

/// A public format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name, and the stem of its file in `schema/`.
    pub name: &'static str,
    /// What it describes.
    pub about: &'static str,
    make: fn() -> Schema,
}

impl Format {
    /// The schema as it stands in `schema/`.
    ///
    /// # Panics
    /// Never: a schema is JSON.
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(&(self.make)());
        text.expect("a schema is JSON") + "\n"
    }
}

/// Every public format.
pub const FORMATS: &[Format] = &[
    Format { name: "event-v1", about: "one line of events.jsonl", make: event_line },
    Format { name: "config-v1", about: "config.toml, as JSON", make: config::schema },
    Format { name: "bench-v1", about: "what `looper bench --format json` prints", make: bench },
    Format {
        name: "mutation-v1",
        about: "what `looper bench --mutate LOG --format json` prints",
        make: mutation,
    },
    Format {
        name: "cassette-v1",
        about: "tape.json and call.json of what `looper run --record` writes",
        make: cassette,
    },
    Format { name: "report-v1", about: "what `looper report --format json` prints", make: report },
    Format { name: "doctor-v1", about: "what `looper doctor --format json` prints", make: doctor },
    Format { name: "status-v1", about: "what `looper status --format json` prints", make: status },
];

fn status() -> Schema {
    printed::<Status>("Where a project stands")
}

fn doctor() -> Schema {
    printed::<Findings<'_>>("Whether everything a run needs is there")
}

fn cassette() -> Schema {
    printed::<Page>("A page of a tape")
}

fn report() -> Schema {
    printed::<ui::report::Report>("What became of everything, and what it took")
}

fn bench() -> Schema {
    printed::<Report>("How much of what is committed is bad")
}

fn mutation() -> Schema {
    printed::<Mutation>("Which small faults verify commands notice")
}

fn printed<T: JsonSchema>(title: &str) -> Schema {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.root_schema_for::<T>();
    schema.ensure_object().insert("title".into(), json!(title));
    schema
}

/// The reference of all events for people, as it stands in `docs/events.md`.
pub fn events_page() -> String {
    page::page(event_line().as_value())
}

/// The envelope around every variant of the vocabulary.
fn event_line() -> Schema {
    let mut generator = SchemaGenerator::default();
    let mut schema = generator.root_schema_for::<EventKind>();
    let root = schema.ensure_object();
    for variant in root.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(variant) = variant.as_object_mut() else { continue };
        if let Some(properties) = variant.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("v".into(), json!({ "type": "integer", "const": FORMAT }));
            properties.insert("seq".into(), json!({ "type": "integer", "minimum": 1 }));
            properties.insert("at".into(), json!({ "type": "string", "format": "date-time" }));
            properties.insert("run".into(), json!({ "type": "string", "minLength": 1 }));
            properties.insert("h".into(), json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }));
        }
        variant.insert("required".into(), json!(["v", "seq", "at", "run", "event", "data", "h"]));
        variant.insert("additionalProperties".into(), json!(false));
    }
    root.insert("title".into(), json!("One line of a looper event log"));
    schema
}
