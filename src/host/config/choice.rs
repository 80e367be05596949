//! Values that are one word or a list.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::charter::Stage;
use crate::engine::id::AgentName;
use crate::engine::task::Pattern;

/// A role with more agents than this is a mistake.
const AGENTS_MAX: usize = 16;

/// The agents of one role, at least one. A list rotates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agents(Vec<AgentName>);

impl Agents {
    /// One agent for everything.
    pub fn only(name: AgentName) -> Self {
        Self(vec![name])
    }

    /// In order.
    pub fn names(&self) -> &[AgentName] {
        &self.0
    }
}

/// Reads the name of an agent: letters, digits, `-` and `_`, so that it can stand in a path, a
/// table header and an environment variable.
pub(super) fn agent_name(text: &str) -> Result<AgentName, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
        return Err(format!("{text:?} is not the name of an agent"));
    }
    Ok(AgentName::new(text))
}

/// Words of one's own, or a list.
struct WordOrList<W, L> {
    expecting: &'static str,
    word: W,
    list: L,
}

impl<'de, T, W, L> Visitor<'de> for WordOrList<W, L>
where
    W: FnOnce(&str) -> Result<T, String>,
    L: FnOnce(Vec<String>) -> Result<T, String>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.word)(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        let texts = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
        (self.list)(texts).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Agents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrList {
            expecting: "the name of an agent, or a list of names",
            word: |text: &str| Ok(Self(vec![agent_name(text)?])),
            list: |texts: Vec<String>| {
                if texts.is_empty() || texts.len() > AGENTS_MAX {
                    return Err(format!("expected 1 to {AGENTS_MAX} agents"));
                }
                texts.iter().map(|text| agent_name(text)).collect::<Result<_, _>>().map(Self)
            },
        })
    }
}

impl Serialize for Agents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl JsonSchema for Agents {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Agents".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = serde_json::json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" });
        json_schema!({ "oneOf": [
            name,
            { "type": "array", "items": name, "minItems": 1, "maxItems": AGENTS_MAX }
        ] })
    }
}

/// The stages of an attempt, in order, with implement and verify among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile(Vec<Stage>);

impl Profile {
    const FULL: [Stage; 5] =
        [Stage::Plan, Stage::PlanCritique, Stage::Implement, Stage::Verify, Stage::ImplCritique];
    const SOLO: [Stage; 2] = [Stage::Implement, Stage::Verify];

    /// Every stage.
    pub fn full() -> Self {
        Self(Self::FULL.into())
    }

    /// The stages.
    pub fn stages(&self) -> &[Stage] {
        &self.0
    }

    fn named(name: &str) -> Result<Self, String> {
        match name {
            "full" => Ok(Self(Self::FULL.into())),
            "solo" => Ok(Self(Self::SOLO.into())),
            _ => Err(format!("unknown profile {name:?}, expected \"full\", \"solo\" or stages")),
        }
    }

    /// Stages run in their one sensible order, so a list that says otherwise is a mistake.
    fn listed(names: Vec<String>) -> Result<Self, String> {
        let stage = |name: &String| {
            let deserializer: de::value::StrDeserializer<'_, de::value::Error> =
                name.as_str().into_deserializer();
            Stage::deserialize(deserializer).map_err(|error| error.to_string())
        };
        let stages: Vec<Stage> = names.iter().map(stage).collect::<Result<_, _>>()?;
        if !stages.is_sorted_by(|a, b| a < b) {
            let order = "plan, plan_critique, implement, verify, impl_critique";
            return Err(format!("stages come once each and in this order: {order}"));
        }
        if !Self::SOLO.iter().all(|stage| stages.contains(stage)) {
            return Err("stages must include implement and verify".to_owned());
        }
        if stages.contains(&Stage::PlanCritique) && !stages.contains(&Stage::Plan) {
            return Err("plan_critique needs plan".to_owned());
        }
        Ok(Self(stages))
    }
}

/// As on the command line: a name, or stages with commas between them.
impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(',') {
            Self::listed(text.split(',').map(|name| name.trim().to_owned()).collect())
        } else {
            Self::named(text)
        }
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrList {
            expecting: "\"full\", \"solo\" or a list of stages",
            word: Self::named,
            list: Self::listed,
        })
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == Self::FULL {
            serializer.serialize_str("full")
        } else if self.0 == Self::SOLO {
            serializer.serialize_str("solo")
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl JsonSchema for Profile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Profile".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let stage = generator.subschema_for::<Stage>();
        json_schema!({ "oneOf": [
            { "enum": ["full", "solo"] },
            { "type": "array", "items": stage, "uniqueItems": true, "minItems": 2 }
        ] })
    }
}

/// Whether protected files are guarded, and which beside those that verify commands name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protected {
    /// None.
    Off,
    /// These too.
    On(Vec<Pattern>),
}

impl Protected {
    fn patterns(texts: Vec<String>) -> Result<Self, String> {
        const MOST: usize = 1000;
        if texts.len() > MOST {
            return Err(format!("expected at most {MOST} patterns"));
        }
        let patterns: Vec<Pattern> = texts.into_iter().map(Pattern::new).collect();
        match patterns.iter().find(|pattern| pattern.as_str().is_empty() || !pattern.is_valid()) {
            Some(bad) => Err(format!("{:?} is not a pattern", bad.as_str())),
            None => Ok(Self::On(patterns)),
        }
    }
}

impl<'de> Deserialize<'de> for Protected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrList {
            expecting: "a list of patterns, \"on\" or \"off\"",
            word: |text: &str| match text {
                "on" => Ok(Self::On(Vec::new())),
                "off" => Ok(Self::Off),
                _ => Err(format!("expected a list of patterns, \"on\" or \"off\", found {text:?}")),
            },
            list: Self::patterns,
        })
    }
}

impl Serialize for Protected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::On(patterns) => patterns.serialize(serializer),
        }
    }
}

impl JsonSchema for Protected {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Protected".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "enum": ["on", "off"] },
            { "type": "array", "items": { "type": "string", "minLength": 1 } }
        ] })
    }
}
