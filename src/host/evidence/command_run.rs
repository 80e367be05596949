//! One run of one verify command, with what it printed.

/// One run of one verify command.
#[derive(Clone, Copy, Debug)]
pub struct CommandRun<'a> {
    /// The command.
    pub command: &'a str,
    /// Its exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// Whether the time was over.
    pub timed_out: bool,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// What it printed.
    pub output: &'a [u8],
}

impl CommandRun<'_> {
    /// Whether it counts as passed.
    pub fn passed(&self) -> bool {
        !self.timed_out && self.exit_code == Some(0)
    }

    /// How it ended, in words.
    pub fn result(&self) -> String {
        match (self.timed_out, self.exit_code) {
            (true, _) => "stopped, the time was over".to_owned(),
            (false, Some(code)) => format!("exit {code}"),
            (false, None) => "ended by a signal".to_owned(),
        }
    }

    /// `PASS`, `FAIL` or `TIMEOUT`.
    pub(super) fn status(&self) -> &'static str {
        match (self.timed_out, self.passed()) {
            (true, _) => "TIMEOUT",
            (false, true) => "PASS",
            (false, false) => "FAIL",
        }
    }

    /// The exit code as `timeout` and the shell report it.
    pub(super) fn exit_word(&self) -> String {
        match (self.timed_out, self.exit_code) {
            (true, _) => "124".to_owned(),
            (false, Some(code)) => code.to_string(),
            (false, None) => "signal".to_owned(),
        }
    }
}
