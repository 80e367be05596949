//! What a configuration says about one agent; a preset fills in the rest.

use super::optional::optional;
use super::value::{Output, Seconds, Timeout, Writable};
use crate::engine::charter::PromptBy;

optional! {
    /// How an agent is called. What is left out is as in the preset of that name.
    AgentConfig {
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
}
