//! Where a value comes from.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// The layer that decided a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The user's file.
    User {
        /// It.
        path: String,
    },
    /// The project's file.
    Project {
        /// It.
        path: String,
    },
    /// The environment.
    Env {
        /// The variable.
        name: String,
    },
    /// The command line.
    Flag {
        /// The flag.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::User { path } | Self::Project { path } => f.write_str(path),
            Self::Env { name } | Self::Flag { name } => f.write_str(name),
        }
    }
}
