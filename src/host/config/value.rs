//! Values that a configuration can hold, checked where they are read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::engine::report::Usd;

/// A year: no wait is longer, and sums of waits cannot overflow.
const SECONDS_MAX: u64 = 366 * 24 * 3600;

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// It counts.
    On,
    /// It does not.
    Off,
}

/// Whether agents run in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// Where the machine has one.
    Auto,
    /// Or not at all.
    Required,
    /// Never.
    Off,
}

/// How far a critic must be from whoever made what it judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Independence {
    /// It may be the same agent.
    Off,
    /// It is another agent.
    Agent,
    /// It is of another vendor.
    Vendor,
}

/// Stands for the caches of the usual tools.
const CACHES: &str = "caches";

/// A place that may be written: absolute, below the home directory where it begins with `~/`, or
/// the caches of the usual tools.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Writable(String);

impl Writable {
    pub(super) fn caches() -> Self {
        Self(CACHES.to_owned())
    }

    /// The path, unless it stands for the caches.
    pub fn path(&self) -> Option<&str> {
        (self.0 != CACHES).then_some(&self.0)
    }
}

impl From<Writable> for String {
    fn from(place: Writable) -> Self {
        place.0
    }
}

impl TryFrom<String> for Writable {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_plain = !text.split('/').any(|part| part == "..") && !text.contains('\0');
        if text == CACHES || is_plain && (text.starts_with('/') || text.starts_with("~/")) {
            Ok(Self(text))
        } else {
            Err(format!("expected \"caches\", or a path from / or ~/ without .., found {text:?}"))
        }
    }
}

impl JsonSchema for Writable {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Writable".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(caches$|/|~/)" })
    }
}

/// How what an agent prints is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Frames of codex.
    Codex,
    /// Frames of claude.
    Claude,
    /// Frames of gemini.
    Gemini,
    /// Frames of opencode.
    Opencode,
    /// Frames of qwen.
    Qwen,
    /// Frames of pi.
    Pi,
    /// Frames of copilot.
    Copilot,
    /// The whole text is the answer.
    Text,
}

impl Output {
    /// The name in the configuration and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Claude => "claude",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Qwen => "qwen",
            Self::Pi => "pi",
            Self::Copilot => "copilot",
            Self::Text => "text",
        }
    }
}

macro_rules! seconds {
    ($(#[$doc:meta])* $name:ident from $least:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            pub(super) const fn literal(seconds: u64) -> Self {
                assert!(seconds <= SECONDS_MAX);
                Self(seconds)
            }

            /// As a number.
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl From<$name> for u64 {
            fn from(seconds: $name) -> Self {
                seconds.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = String;

            fn try_from(seconds: u64) -> Result<Self, String> {
                if ($least..=SECONDS_MAX).contains(&seconds) {
                    Ok(Self(seconds))
                } else {
                    Err(format!("expected {} to {SECONDS_MAX} seconds, found {seconds}", $least))
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": $least, "maximum": SECONDS_MAX })
            }
        }
    };
}

seconds! {
    /// Seconds after which something is ended.
    Timeout from 1
}
seconds! {
    /// Seconds; 0 where there is no bound.
    Seconds from 0
}

macro_rules! count {
    ($(#[$doc:meta])* $name:ident to $most:literal $unit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $name(u32);

        impl $name {
            pub(super) const fn literal(count: u32) -> Self {
                assert!(count <= $most);
                Self(count)
            }

            /// As a number.
            pub fn get(self) -> u32 {
                self.0
            }
        }

        impl From<$name> for u32 {
            fn from(count: $name) -> Self {
                count.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = String;

            fn try_from(count: u32) -> Result<Self, String> {
                if count <= $most {
                    Ok(Self(count))
                } else {
                    Err(format!("expected 0 to {} {}, found {count}", $most, $unit))
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": 0, "maximum": $most })
            }
        }
    };
}

count! {
    /// How often something is tried again.
    Times to 20 "times"
}
count! {
    /// A part of something in per cent; 0 where there is no bound.
    Percent to 100 "per cent"
}

/// An amount of money; 0 where there is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Dollars(Usd);

impl Dollars {
    /// As the engine counts it.
    pub fn usd(self) -> Usd {
        self.0
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const MOST: f64 = 1e9;
        let dollars = f64::deserialize(deserializer)?;
        if (0.0..=MOST).contains(&dollars) {
            Ok(Self(Usd::from_dollars(dollars)))
        } else {
            Err(de::Error::custom(format!("expected 0 to {MOST} US dollars, found {dollars}")))
        }
    }
}

impl JsonSchema for Dollars {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0 })
    }
}
