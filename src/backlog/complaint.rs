//! What is wrong with a backlog, where, and how to mend it.

use std::ops::Range;

use serde::Serialize;

/// How many complaints are kept. Nobody mends more at once, and hostile input cannot fill memory.
pub const COMPLAINTS_MAX: usize = 500;

/// Whether a complaint stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The backlog is refused.
    Error,
    /// Worth a look.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// Its stable name.
    pub code: &'static str,
    /// Whether it stops a run.
    pub severity: Severity,
    /// What is wrong, as a fragment.
    pub message: String,
    /// The bytes it points at.
    pub span: Range<usize>,
    /// What to write under them.
    pub label: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Complaint {
    /// A complaint that refuses the backlog.
    pub fn error(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, severity: Severity::Error, message, span, label: String::new(), help: None }
    }

    /// A complaint that does not.
    pub fn warning(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Says what the marked text is.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Collects complaints up to the bound.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    kept: Vec<Complaint>,
    dropped: usize,
    first_dropped: Option<Range<usize>>,
}

impl Complaints {
    pub(super) fn push(&mut self, complaint: Complaint) {
        // An error must never be lost behind warnings: it alone refuses the backlog.
        if self.kept.len() < COMPLAINTS_MAX {
            self.kept.push(complaint);
        } else if complaint.severity == Severity::Error
            && let Some(warning) =
                self.kept.iter_mut().rfind(|kept| kept.severity == Severity::Warning)
        {
            self.dropped += 1;
            *warning = complaint;
        } else {
            self.dropped += 1;
            self.first_dropped.get_or_insert(complaint.span);
        }
    }

    pub(super) fn extend(&mut self, complaints: impl IntoIterator<Item = Complaint>) {
        for complaint in complaints {
            self.push(complaint);
        }
    }

    /// All of them in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Complaint> {
        self.kept.sort_by(|a, b| {
            (a.span.start, a.severity, a.code).cmp(&(b.span.start, b.severity, b.code))
        });
        if self.dropped > 0 {
            let span = self.first_dropped.unwrap_or(0..0);
            let message = format!("{} more complaints are not shown", self.dropped);
            self.kept.push(
                Complaint::warning("too-many-complaints", span, message)
                    .label("the first of them is here")
                    .help("mend those above and lint again"),
            );
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_complaints_is_bounded_and_no_error_hides_behind_warnings() {
        let mut complaints = Complaints::default();
        for at in 0..2 * COMPLAINTS_MAX {
            complaints.push(Complaint::warning("w", at..at, "w"));
        }
        complaints.push(Complaint::error("e", 0..0, "e"));
        let complaints = complaints.finish();
        assert_eq!(complaints.len(), COMPLAINTS_MAX + 1);
        assert!(complaints.iter().any(|complaint| complaint.severity == Severity::Error));
        assert_eq!(complaints[COMPLAINTS_MAX].code, "too-many-complaints");
        assert!(complaints[COMPLAINTS_MAX].message.starts_with("501 "));
    }
}
