//! What people decide beforehand: defaults, files, environment and flags, each over the one before,
//! and every value remembers where it came from.

mod agent;
mod choice;
mod env;
mod error;
mod file;
mod layers;
mod optional;
mod origin;
mod policy;
mod price;
mod schema;
mod section;
mod value;

pub use agent::AgentConfig;
pub use choice::{Agents, Profile, Protected};
pub use error::{ConfigError, Place};
pub use layers::{Config, Overrides, Setting, Sources, user_file};
pub use origin::Origin;
pub use policy::Ask;
pub use price::PriceConfig;
pub use schema::schema;
pub use section::{Budget, Gates, Retry, Roles, Run, Verify};
pub use value::{
    Dollars, Independence, Output, Percent, Sandbox, Seconds, Switch, Timeout, Times, Writable,
};

#[cfg(test)]
mod tests;
