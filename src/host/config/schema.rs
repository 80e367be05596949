//! The JSON Schema of a configuration file.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use super::layers::{Config, Layer};

/// The schema, with the defaults in it.
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(WithoutNull);
    let mut root = settings.into_generator().into_root_schema_for::<Layer>().to_value();
    for setting in Config::default().settings() {
        let pointer = format!("/properties/{}", setting.key.replace('.', "/properties/"));
        if let Some(Value::Object(key)) = root.pointer_mut(&pointer) {
            key.insert("default".to_owned(), setting.value);
        }
    }
    Schema::try_from(root).expect("an object stays one")
}

/// TOML has no null: what is optional is left out.
#[derive(Clone)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = &types[..] {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(values)) = object.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            flatten(object);
        }
        transform_subschemas(self, schema);
    }
}

/// `anyOf: [X, null]` is X.
fn flatten(object: &mut serde_json::Map<String, Value>) {
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
    if let [Value::Object(one)] = &choices[..] {
        let one = one.clone();
        object.remove("anyOf");
        for (key, value) in one {
            object.entry(key).or_insert(value);
        }
    }
}
