//! `qwen --output-format stream-json`: claude's language, spoken by somebody else.

use super::adapter::{Call, words};
use crate::engine::charter::Risk;

/// Without the first qwen starts itself a second time, and that child outlives it. That it reports
/// how it is used can only be switched off in its settings (`privacy.usageStatisticsEnabled`).
pub(super) const ENVIRONMENT: [(&str, &str); 2] =
    [("QWEN_CODE_NO_RELAUNCH", "true"), ("QWEN_TELEMETRY_ENABLED", "false")];

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
