//! The prompts of the stages: built-in templates, which a team may replace.
//!
//! A template gets text from outside only as fenced blocks and code spans that are ready to print,
//! so a replaced template cannot forget to quote. The first two lines are not the template's.

mod context;
mod input;
mod render;
mod sample;

#[cfg(test)]
mod tests;

pub use input::{Brief, ImplCritic, Implementer, PlanCritic, Prompt, Retry};
pub use render::{PROMPT_MAX, PromptError, PromptName, Prompts};
