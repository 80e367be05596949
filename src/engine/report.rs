//! How an agent's process ended, and what it used.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::at::At;

/// What an agent's end means. Read from its exit, its frames and its own error channel only.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It finished and said something.
    Ok,
    /// The provider asked us to wait.
    RateLimited,
    /// The provider has no capacity at the moment.
    Overloaded,
    /// The account has no credit.
    NoCredit,
    /// The agent is not logged in, or may not use the model.
    Auth,
    /// The task does not fit into the model's context.
    Context,
    /// The deadline passed and the process tree was ended.
    TimedOut,
    /// It was silent for too long and was ended.
    Idle,
    /// It ended abnormally.
    Crashed,
    /// It ended well and said nothing.
    Empty,
    /// Its program could not be started.
    Missing,
    /// Nothing is left of the room on the disk that there was when it began.
    DiskFull,
}

/// What an agent reports to have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Tokens read, without those from a cache.
    pub input: u64,
    /// Tokens read from a cache.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
    /// What it cost, in US dollars, where the agent says so or the configuration has a price.
    pub cost_usd: Option<Usd>,
    /// Whether the cost was worked out from the prices in the configuration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_estimated: bool,
}

/// What an agent did besides talking, as far as it says so. No audit: some programs do not tell of
/// a command that fails at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// Tools it used, commands included.
    pub tools: u64,
    /// Commands it ran in a shell.
    pub commands: u64,
}

/// How much of an allowance is used, as an agent's provider tells it on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaWindow {
    /// Which allowance, in the provider's words, such as `five_hour` or `primary`.
    pub window: String,
    /// Per cent of it, rounded up.
    pub used_percent: u32,
    /// When it begins anew.
    pub resets_at: Option<At>,
}

/// US dollars, kept in millionths so that sums are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(i64);

impl Usd {
    /// From millionths of a dollar.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// In millionths of a dollar.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// From dollars as JSON writes them; absurd values saturate.
    #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
    pub fn from_dollars(dollars: f64) -> Self {
        Self((dollars * 1e6).round() as i64)
    }
}

impl Serialize for Usd {
    #[expect(clippy::cast_precision_loss, reason = "exact below nine billion dollars")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from_dollars)
    }
}

impl JsonSchema for Usd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "US dollars.", "type": "number" })
    }
}
