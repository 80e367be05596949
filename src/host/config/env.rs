//! The environment as a layer: `LOOPER_<SECTION>_<KEY>`.

use std::collections::BTreeMap;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer};

use super::agent::AgentConfig;
use super::error::{ConfigError, Place, near, plain, reworded};
use super::layers::{Layer, SECTIONS};
use super::price::{self, PriceConfig};
use crate::engine::id::AgentName;

/// What every variable begins with.
const PREFIX: &str = "LOOPER_";

/// Whether a value may be a list with commas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// It may.
    Commas,
    /// Commas mean nothing.
    Plain,
}

/// Reads a value as TOML writes it, or as plain text where that is no TOML of the right type.
pub(super) fn parse<T: DeserializeOwned>(text: &str, form: Form) -> Result<T, String> {
    let toml = toml::de::ValueDeserializer::parse(text).map(T::deserialize);
    if let Ok(Ok(value)) = toml {
        return Ok(value);
    }
    let word: StrDeserializer<'_, de::value::Error> = text.into_deserializer();
    let error = match T::deserialize(word) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if form == Form::Commas && text.contains(',') {
        let words: SeqDeserializer<_, de::value::Error> =
            SeqDeserializer::new(text.split(',').map(str::trim));
        return T::deserialize(words).map_err(|error| plain(&error.to_string()));
    }
    match toml {
        Ok(Err(error)) => Err(reworded(&error)),
        Ok(Ok(_)) | Err(_) => Err(plain(&error.to_string())),
    }
}

/// What the environment says, key by key with the variable that says it.
pub(super) struct Variables {
    /// As a layer.
    pub(super) layer: Layer,
    /// The variable of each key.
    pub(super) names: BTreeMap<String, String>,
}

/// The names known so far, because a variable shows them in capitals.
pub(super) struct Known {
    /// Of agents.
    pub(super) agents: Vec<AgentName>,
    /// Of models that have a price. A name of a model cannot be told from a variable alone.
    pub(super) models: Vec<String>,
}

/// Reads the variables that belong to a section; other variables of ours are not configuration.
pub(super) fn read(
    env: &BTreeMap<String, String>,
    known: &Known,
) -> Result<Variables, ConfigError> {
    let mut variables = Variables { layer: Layer::default(), names: BTreeMap::new() };
    for (name, text) in env {
        let Some((section, rest)) = name.strip_prefix(PREFIX).and_then(split) else { continue };
        let invalid = |message| ConfigError::Invalid { place: Place::Named(name.clone()), message };
        if section == "prices" {
            let (model, key) = split_price(rest, &known.models).map_err(invalid)?;
            let price = variables.layer.prices.entry(model.to_owned()).or_default();
            price.set(key, text).map_err(invalid)?;
            variables.names.insert(price::key_of(model, key), name.clone());
            continue;
        }
        let (agent, key) = match section {
            "agents" => match split_agent(rest, &known.agents) {
                Some((agent, key)) => (Some(agent), key),
                None => return Err(unknown(name, rest, AgentConfig::KEYS)),
            },
            _ => (None, rest.to_ascii_lowercase()),
        };
        let is_known = match &agent {
            Some(agent) => variables.layer.agents.entry(agent.clone()).or_default().set(&key, text),
            None => variables.layer.set(section, &key, text),
        };
        if !is_known.map_err(invalid)? {
            let keys = SECTIONS.iter().find(|(known, _)| *known == section).map(|(_, keys)| *keys);
            return Err(unknown(name, rest, keys.unwrap_or_default()));
        }
        let path = agent.map_or_else(String::new, |agent| format!("{agent}."));
        variables.names.insert(format!("{section}.{path}{key}"), name.clone());
    }
    Ok(variables)
}

/// The section a variable belongs to, and the rest of its name.
fn split(name: &str) -> Option<(&'static str, &str)> {
    let mut names = SECTIONS.iter().map(|(section, _)| *section).chain(["agents", "prices"]);
    names.find_map(|section| {
        let rest = name.strip_prefix(&section.to_ascii_uppercase())?.strip_prefix('_')?;
        Some((section, rest))
    })
}

/// The agent and the key in `CODEX_TIMEOUT_S`. An agent nobody named so far is one in lower case.
fn split_agent(rest: &str, agents: &[AgentName]) -> Option<(AgentName, String)> {
    let (key, shown) = AgentConfig::KEYS.iter().find_map(|key| {
        let shown = rest.strip_suffix(&key.to_ascii_uppercase())?.strip_suffix('_')?;
        Some((*key, shown))
    })?;
    let is_shown = |agent: &&AgentName| in_capitals(agent) == shown;
    let agent = match agents.iter().find(is_shown) {
        Some(agent) => agent.clone(),
        None => super::choice::agent_name(&shown.to_ascii_lowercase()).ok()?,
    };
    Some((agent, key.to_owned()))
}

/// The model and the key in `GPT_5_5_INPUT`.
fn split_price<'a>(rest: &str, models: &'a [String]) -> Result<(&'a str, &'static str), String> {
    let shown = PriceConfig::KEYS.iter().find_map(|key| {
        let shown = rest.strip_suffix(&key.to_ascii_uppercase())?.strip_suffix('_')?;
        Some((*key, shown))
    });
    let Some((key, shown)) = shown else {
        return Err(format!("expected one of {} at its end", PriceConfig::KEYS.join(", ")));
    };
    let mut fitting = models.iter().filter(|model| price::in_capitals(model) == shown);
    match (fitting.next(), fitting.next()) {
        (Some(model), None) => Ok((model, key)),
        (Some(one), Some(other)) => Err(format!("it could mean {one:?} or {other:?}")),
        (None, _) => Err("a variable changes only a price that a file has under [prices]".into()),
    }
}

fn in_capitals(agent: &AgentName) -> String {
    agent.as_str().to_ascii_uppercase().replace('-', "_")
}

fn unknown(name: &str, rest: &str, keys: &[&str]) -> ConfigError {
    let prefix = name.strip_suffix(rest).unwrap_or_default();
    let near = near(&rest.to_ascii_lowercase(), keys.iter().copied());
    ConfigError::UnknownKey {
        place: Place::Named("the environment".to_owned()),
        key: name.to_owned(),
        near: near.map(|key| format!("{prefix}{}", key.to_ascii_uppercase())),
    }
}
