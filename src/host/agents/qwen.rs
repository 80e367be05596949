//! `qwen --output-format stream-json`: claude's language, spoken by somebody else.

use super::adapter::{Call, words};
use crate::engine::charter::Risk;

/// What it writes outside the project: settings, login, sessions.
pub(super) const WRITABLE: &[&str] = &["~/.qwen"];

pub(super) fn command(call: &Call<'_>) -> Vec<String> {
    let mut command = words(["qwen", "--output-format", "stream-json", "--approval-mode"]);
    command.extend(match call.risk {
        Risk::Unattended => words(["yolo"]),
        Risk::Safe => words(["auto-edit"]),
    });
    command.extend(call.model("-m"));
    command
}
