//! What a configuration says about one agent; a preset fills in the rest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::env::{self, Form};
use super::value::{Output, Seconds, Timeout, Writable};
use crate::engine::charter::PromptBy;

macro_rules! agent {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        /// How an agent is called. What is left out is as in the preset of that name.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct AgentConfig {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)+
        }

        impl AgentConfig {
            /// Every key.
            pub(super) const KEYS: &[&str] = &[$(stringify!($field)),+];

            /// Takes over what a layer says, and names each key it says something about.
            pub(super) fn apply(&mut self, layer: Self, note: &mut dyn FnMut(&str)) {
                $(if let Some(value) = layer.$field {
                    self.$field = Some(value);
                    note(stringify!($field));
                })+
            }

            /// Reads one value as the environment writes it; `false` where no key is called that.
            /// A comma is as good as any letter in an argument.
            pub(super) fn set(&mut self, key: &str, text: &str) -> Result<bool, String> {
                match key {
                    $(stringify!($field) => self.$field = Some(env::parse(text, Form::Plain)?),)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

agent! {
    /// Program and arguments.
    command: Vec<String>,
    /// How the prompt reaches it: "stdin", "file" (named by `{{prompt_file}}`) or "arg".
    prompt: PromptBy,
    /// How what it prints is read.
    output: Output,
    /// The model to ask for.
    model: String,
    /// How much it should think, in its own words.
    effort: String,
    /// Seconds after which it is ended.
    timeout_s: Timeout,
    /// Seconds of silence after which it is ended; 0: never.
    idle_s: Seconds,
    /// What it may write in a sandbox besides what is known about its program: its settings,
    /// sessions. Paths that begin with `/` or `~/`, and "caches" as in `run.writable`.
    writable: Vec<Writable>,
}
