//! A configuration file as a layer, with every complaint in its place.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::agent::AgentConfig;
use super::choice::agent_name;
use super::error::{ConfigError, Place, near, plain, reworded};
use super::layers::{Layer, SECTIONS};
use super::price::{PriceConfig, model_name};
use crate::host::files;

/// More than any configuration needs; the project's file is whatever a repository brings along.
const SIZE_MAX: u64 = 1 << 20;

/// Reads a file. A missing one says nothing.
pub(super) fn read(path: &Path) -> Result<Layer, ConfigError> {
    let bytes = match files::read_bounded(path, SIZE_MAX) {
        Err(error) if error.is_missing() => return Ok(Layer::default()),
        result => result?,
    };
    match str::from_utf8(&bytes) {
        Ok(text) => File { path, text }.parse(),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let file = File { path, text: &good };
            Err(file.invalid(good.len()..good.len(), "not UTF-8"))
        }
    }
}

/// A file in hand.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn parse(&self) -> Result<Layer, ConfigError> {
        let table = DeTable::parse(self.text).map_err(|error| self.refused(&error))?;
        self.check_keys(table.get_ref())?;
        toml::from_str(self.text).map_err(|error| self.refused(&error))
    }

    /// Finds keys that nobody knows, which a typed reader would report without a place for them or
    /// a better one.
    fn check_keys(&self, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in table {
            let known = SECTIONS.iter().find(|(section, _)| *section == name.get_ref().as_ref());
            let named = ["agents", "prices"].into_iter().find(|it| name.get_ref() == it);
            if known.is_none() && named.is_none() {
                let names = SECTIONS.iter().map(|(section, _)| *section);
                let names = names.chain(["agents", "prices"]);
                let near = near(name.get_ref(), names).map(str::to_owned);
                let near = near.or_else(|| home_of(name.get_ref()));
                return Err(self.unknown(name.span(), name.get_ref(), near));
            }
            let DeValue::Table(inner) = value.get_ref() else {
                let message = format!("{} is a section: [{0}]", name.get_ref());
                return Err(self.invalid(value.span(), &message));
            };
            match known {
                Some((_, keys)) => self.check_section(inner, keys)?,
                None if named == Some("prices") => self.check_prices(inner)?,
                None => self.check_agents(inner)?,
            }
        }
        Ok(())
    }

    fn check_agents(&self, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in table {
            agent_name(name.get_ref()).map_err(|message| self.invalid(name.span(), &message))?;
            match value.get_ref() {
                DeValue::Table(inner) => self.check_section(inner, AgentConfig::KEYS)?,
                _ => {
                    let message = format!("an agent is a section: [agents.{}]", name.get_ref());
                    return Err(self.invalid(value.span(), &message));
                }
            }
        }
        Ok(())
    }

    fn check_prices(&self, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in table {
            model_name(name.get_ref()).map_err(|message| self.invalid(name.span(), &message))?;
            match value.get_ref() {
                DeValue::Table(inner) => self.check_section(inner, PriceConfig::KEYS)?,
                _ => {
                    let message = format!("a price is a section: [prices.{:?}]", name.get_ref());
                    return Err(self.invalid(value.span(), &message));
                }
            }
        }
        Ok(())
    }

    fn check_section(&self, table: &DeTable<'_>, keys: &[&str]) -> Result<(), ConfigError> {
        for (name, _) in table {
            let key = name.get_ref().as_ref();
            if !keys.contains(&key) {
                let near = near(key, keys.iter().copied()).map(str::to_owned);
                return Err(self.unknown(name.span(), key, near.or_else(|| home_of(key))));
            }
        }
        Ok(())
    }

    fn unknown(&self, span: Range<usize>, key: &str, near: Option<String>) -> ConfigError {
        ConfigError::UnknownKey { place: self.place(span.start), key: plain(key), near }
    }

    fn invalid(&self, span: Range<usize>, message: &str) -> ConfigError {
        ConfigError::Invalid { place: self.place(span.start), message: plain(message) }
    }

    fn refused(&self, error: &toml::de::Error) -> ConfigError {
        self.invalid(error.span().unwrap_or_default(), &reworded(error))
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        Place::File { path: PathBuf::from(self.path), line, column }
    }
}

/// The section a key belongs to that stands in another, or in none.
fn home_of(key: &str) -> Option<String> {
    let (section, _) = SECTIONS.iter().find(|(_, keys)| keys.contains(&key))?;
    Some(format!("[{section}] {key}"))
}
