//! The reference of all events for people, made from the schema that programs use.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What stands before the tables.
const INTRODUCTION: &str = include_str!("events.md");

/// Writes the page.
pub(super) fn page(schema: &Value) -> String {
    let defs = &schema["$defs"];
    let events = each(&schema["oneOf"]);
    let mut uses: BTreeMap<&str, u32> = BTreeMap::new();
    for event in events {
        *uses.entry(data_of(event)).or_default() += 1;
    }
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n## Events\n");
    for event in events {
        let name = word(&event["properties"]["event"]["const"]);
        let data = data_of(event);
        text.push_str(&format!("\n### {name}\n\n{}\n\n", cell(event)));
        text.push_str(&match uses[data] {
            1 => table(&defs[data]),
            _ => format!("`data` is {}.\n", link(data)),
        });
    }
    text.push_str("\n## Types\n");
    for (name, def) in defs.as_object().into_iter().flatten() {
        if uses.get(name.as_str()) != Some(&1) {
            text.push_str(&format!("\n### {name}\n\n{}\n", cell(def)));
            text.push_str(&body(def));
        }
    }
    text
}

fn each(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A description in one cell of a table.
fn cell(schema: &Value) -> String {
    word(&schema["description"]).replace('\n', " ").replace('|', "\\|")
}

/// The type of an event's data.
fn data_of(event: &Value) -> &str {
    target(&event["properties"]["data"]).unwrap_or_default()
}

/// The name of the type that a schema refers to.
fn target(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

/// What there is to say about a type beside its description.
fn body(def: &Value) -> String {
    if def["properties"].is_object() {
        return format!("\n{}", table(def));
    }
    let variants = each(&def["oneOf"]);
    if !variants.is_empty() && variants.iter().all(|variant| variant["const"].is_string()) {
        let row =
            |variant: &Value| format!("| `{}` | {} |\n", word(&variant["const"]), cell(variant));
        let rows: String = variants.iter().map(row).collect();
        return format!("\n| value | meaning |\n| --- | --- |\n{rows}");
    }
    let pattern = match def["pattern"].as_str() {
        Some(pattern) => format!(", matches `{pattern}`"),
        None => String::new(),
    };
    format!("\nIn JSON: {}{pattern}.\n", kind(def))
}

/// The fields of an object: those that are always there first, in the order of the log.
fn table(def: &Value) -> String {
    let empty = Map::new();
    let fields = def["properties"].as_object().unwrap_or(&empty);
    let required: Vec<&str> = each(&def["required"]).iter().map(word).collect();
    let is_required = |name: &&str| required.contains(name);
    let optional = fields.keys().map(String::as_str).filter(|name| !is_required(name));
    let mut rows = String::from("| field | type | what it says |\n| --- | --- | --- |\n");
    for name in required.iter().copied().chain(optional) {
        let field = &fields[name];
        rows.push_str(&format!("| `{name}` | {} | {} |\n", kind(field), cell(field)));
    }
    rows
}

/// The type of a value, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = target(schema) {
        return link(name);
    }
    let variants = [each(&schema["anyOf"]), each(&schema["oneOf"])].concat();
    if !variants.is_empty() {
        return variants.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match (&schema["type"], &schema["items"], &schema["additionalProperties"]) {
        (Value::Array(types), _, _) => types.iter().map(word).collect::<Vec<_>>().join(" or "),
        (Value::String(text), items @ Value::Object(_), _) if text == "array" => {
            format!("list of {}", kind(items))
        }
        (_, _, values @ Value::Object(_)) => format!("object, each value {}", kind(values)),
        (Value::String(text), _, Value::Bool(false)) if text == "object" => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            let shape: Vec<String> =
                fields.map(|(name, value)| format!("\"{name}\": {}", kind(value))).collect();
            format!("`{{{}}}`", shape.join(", "))
        }
        (other, _, _) => word(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({ "$ref": "#/$defs/TaskId" }), "[TaskId](#taskid)")]
    #[case(json!({ "type": ["integer", "null"] }), "integer or null")]
    #[case(json!({ "type": "array", "items": { "type": "string" } }), "list of string")]
    #[case(
        json!({ "anyOf": [{ "$ref": "#/$defs/At" }, { "type": "null" }] }),
        "[At](#at) or null"
    )]
    #[case(
        json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/At" } }),
        "object, each value [At](#at)"
    )]
    #[case(
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "b64": { "type": "string" } }
        }),
        "`{\"b64\": string}`"
    )]
    fn a_type_is_told_in_words(#[case] schema: Value, #[case] want: &str) {
        assert_eq!(kind(&schema), want);
    }
}
