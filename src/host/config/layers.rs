//! Layers over layers: what holds in the end, and who said so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::AgentConfig;
use super::choice::{Agents, Profile};
use super::error::ConfigError;
use super::origin::Origin;
use super::price::{self, PriceConfig};
use super::section::{
    Budget, BudgetLayer, Gates, GatesLayer, Retry, RetryLayer, Roles, RolesLayer, Run, RunLayer,
    Verify, VerifyLayer,
};
use super::{env, file};
use crate::engine::id::AgentName;

/// The sections with fixed keys. `agents` has names between.
pub(super) const SECTIONS: [(&str, &[&str]); 6] = [
    ("run", Run::KEYS),
    ("verify", Verify::KEYS),
    ("gates", Gates::KEYS),
    ("budget", Budget::KEYS),
    ("retry", Retry::KEYS),
    ("roles", Roles::KEYS),
];

/// What one source says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "Config")]
pub(super) struct Layer {
    #[schemars(default)]
    run: RunLayer,
    #[schemars(default)]
    verify: VerifyLayer,
    #[schemars(default)]
    gates: GatesLayer,
    #[schemars(default)]
    budget: BudgetLayer,
    #[schemars(default)]
    retry: RetryLayer,
    #[schemars(default)]
    pub(super) agents: BTreeMap<AgentName, AgentConfig>,
    /// What a million tokens cost, by the name of the model that an agent reports or was asked
    /// for; a name that ends in `*` stands for all that begin so. Only for agents that report no
    /// cost.
    #[schemars(default)]
    pub(super) prices: BTreeMap<String, PriceConfig>,
    #[schemars(default)]
    roles: RolesLayer,
}

impl Layer {
    /// Reads one value as the environment writes it; `false` where no key is called that.
    pub(super) fn set(&mut self, section: &str, key: &str, text: &str) -> Result<bool, String> {
        match section {
            "run" => self.run.set(key, text),
            "verify" => self.verify.set(key, text),
            "gates" => self.gates.set(key, text),
            "budget" => self.budget.set(key, text),
            "retry" => self.retry.set(key, text),
            "roles" => self.roles.set(key, text),
            _ => Ok(false),
        }
    }
}

/// Where a configuration is read from.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// The user's file, where there is a place for one; see [`user_file`].
    pub user_file: Option<PathBuf>,
    /// The project's file.
    pub project_file: PathBuf,
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// The command line.
    pub flags: &'a Overrides,
}

/// What the command line may say.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--profile`
    pub profile: Option<Profile>,
    /// `--iterations`
    pub iterations: Option<u32>,
    /// `--agent`: for every role.
    pub agent: Option<AgentName>,
}

/// What holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Config {
    /// How a run goes.
    pub run: Run,
    /// How verify commands run.
    pub verify: Verify,
    /// Which gates count.
    pub gates: Gates,
    /// What a run may use.
    pub budget: Budget,
    /// How often a stage is taken again.
    pub retry: Retry,
    /// What is said about agents; a preset fills in the rest.
    pub agents: BTreeMap<AgentName, AgentConfig>,
    /// What tokens cost where an agent does not say.
    pub prices: BTreeMap<String, PriceConfig>,
    /// Which agent does what.
    pub roles: Roles,
    #[serde(skip)]
    origins: BTreeMap<String, Origin>,
}

/// One value and where it comes from, as `doctor` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Setting {
    /// Its key, with its section.
    pub key: String,
    /// The value.
    pub value: serde_json::Value,
    /// Who decided it.
    pub origin: Origin,
}

/// The user's own file: below `XDG_CONFIG_HOME` where that is set, else below `~/.config`.
pub fn user_file(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let absolute = |name: &str| env.get(name).map(Path::new).filter(|path| path.is_absolute());
    let base = match absolute("XDG_CONFIG_HOME") {
        Some(base) => base.to_owned(),
        None => absolute("HOME")?.join(".config"),
    };
    Some(base.join("looper/config.toml"))
}

impl Config {
    /// Reads every source, each over the one before.
    ///
    /// # Errors
    /// A file cannot be read, a key is unknown, or a value is not what its key takes.
    pub fn load(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if let Some(path) = &sources.user_file {
            let origin = Origin::User { path: path.display().to_string() };
            config.apply(file::read(path)?, |_| origin.clone());
        }
        let origin = Origin::Project { path: sources.project_file.display().to_string() };
        config.apply(file::read(&sources.project_file)?, |_| origin.clone());
        let known = env::Known {
            agents: config.agents.keys().cloned().collect(),
            models: config.prices.keys().cloned().collect(),
        };
        let env::Variables { layer, names } = env::read(sources.env, &known)?;
        config
            .apply(layer, |key| Origin::Env { name: names.get(key).cloned().unwrap_or_default() });
        config.apply_flags(sources.flags);
        price::check(&config.prices)?;
        Ok(config)
    }

    fn apply(&mut self, layer: Layer, origin: impl Fn(&str) -> Origin) {
        let Self { run, verify, gates, budget, retry, agents, prices, roles, origins } = self;
        let mut note = |section: &str, key: &str| {
            let key = format!("{section}.{key}");
            let origin = origin(&key);
            origins.insert(key, origin);
        };
        run.apply(layer.run, &mut |key| note("run", key));
        verify.apply(layer.verify, &mut |key| note("verify", key));
        gates.apply(layer.gates, &mut |key| note("gates", key));
        budget.apply(layer.budget, &mut |key| note("budget", key));
        retry.apply(layer.retry, &mut |key| note("retry", key));
        roles.apply(layer.roles, &mut |key| note("roles", key));
        for (name, layer) in layer.agents {
            let section = format!("agents.{name}");
            agents.entry(name).or_default().apply(layer, &mut |key| note(&section, key));
        }
        for (model, layer) in layer.prices {
            let mut note = |key: &str| {
                let key = price::key_of(&model, key);
                let origin = origin(&key);
                origins.insert(key, origin);
            };
            prices.entry(model.clone()).or_default().apply(layer, &mut note);
        }
    }

    fn apply_flags(&mut self, flags: &Overrides) {
        let mut note = |key: String, flag: &str| {
            self.origins.insert(key, Origin::Flag { name: flag.to_owned() });
        };
        if let Some(profile) = &flags.profile {
            self.run.profile = profile.clone();
            note("run.profile".to_owned(), "--profile");
        }
        if let Some(iterations) = flags.iterations {
            self.run.iterations = iterations;
            note("run.iterations".to_owned(), "--iterations");
        }
        if let Some(agent) = &flags.agent {
            let all = Agents::only(agent.clone());
            let Roles {
                plan,
                plan_critique,
                implement,
                impl_critique,
                review,
                independent: _,
                failover: _,
            } = &mut self.roles;
            for role in [plan, plan_critique, implement, impl_critique, review] {
                *role = all.clone();
            }
            let is_role = |key: &&&str| !matches!(**key, "independent" | "failover");
            for key in Roles::KEYS.iter().filter(is_role) {
                note(format!("roles.{key}"), "--agent");
            }
        }
    }

    /// Who decided the value of a key such as `run.profile`.
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// Every value there is, with where it comes from.
    pub fn settings(&self) -> Vec<Setting> {
        let json = serde_json::to_value(self).expect("every value has a JSON form");
        let setting = |key: String, value: &serde_json::Value| {
            let origin = self.origin(&key).clone();
            Setting { key, value: value.clone(), origin }
        };
        let fixed =
            SECTIONS.iter().flat_map(|(section, keys)| keys.iter().map(move |k| (*section, *k)));
        let mut settings: Vec<Setting> = fixed
            .map(|(section, key)| setting(format!("{section}.{key}"), &json[section][key]))
            .collect();
        for name in self.agents.keys() {
            for key in AgentConfig::KEYS {
                if let Some(value) = json["agents"][name.as_str()].get(key) {
                    settings.push(setting(format!("agents.{name}.{key}"), value));
                }
            }
        }
        for model in self.prices.keys() {
            for key in PriceConfig::KEYS {
                if let Some(value) = json["prices"][model.as_str()].get(key) {
                    settings.push(setting(price::key_of(model, key), value));
                }
            }
        }
        settings
    }
}
