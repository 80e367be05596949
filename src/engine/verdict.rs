//! What a critic rules, and how it is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A critic's ruling.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Try again.
    Fail,
    /// A person is needed.
    Blocked,
    /// The task needs more files than it names.
    ScopeExpand,
    /// The task is too large.
    SplitTask,
    /// Something else must be done first.
    DependencyInsert,
}

impl Verdict {
    /// The word after `VERDICT:`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Blocked => "BLOCKED",
            Self::ScopeExpand => "SCOPE_EXPAND",
            Self::SplitTask => "SPLIT_TASK",
            Self::DependencyInsert => "DEPENDENCY_INSERT",
        }
    }

    /// Whether it asks a person to change the backlog.
    pub fn is_proposal(self) -> bool {
        match self {
            Self::ScopeExpand | Self::SplitTask | Self::DependencyInsert => true,
            Self::Pass | Self::Fail | Self::Blocked => false,
        }
    }
}

/// The verdict is the last non-empty line, exactly, and no other line may look like one. A near
/// miss counts as no verdict: a critic that cannot follow the format has not earned a pass. One
/// trailing carriage return is forgiven.
pub fn verdict(reply: &str) -> Option<Verdict> {
    const VERDICTS: [Verdict; 6] = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::Blocked,
        Verdict::ScopeExpand,
        Verdict::SplitTask,
        Verdict::DependencyInsert,
    ];
    let mut lines = reply.split('\n').filter(|line| !line.trim().is_empty());
    let last = lines.next_back()?;
    if lines.any(|line| line.starts_with("VERDICT:")) {
        return None;
    }
    let word = last.strip_suffix('\r').unwrap_or(last).strip_prefix("VERDICT: ")?;
    VERDICTS.into_iter().find(|verdict| verdict.word() == word)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Proves I13.
    #[rstest]
    #[case::last_line_counts("Looks fine.\nVERDICT: PASS\n", Some(Verdict::Pass))]
    #[case::blank_lines_after_it_do_not("VERDICT: FAIL\n\n  \n", Some(Verdict::Fail))]
    #[case::one_carriage_return_is_forgiven("ok\r\nVERDICT: PASS\r\n", Some(Verdict::Pass))]
    #[case::two_are_not("VERDICT: PASS\r\r\n", None)]
    #[case::every_word("VERDICT: DEPENDENCY_INSERT", Some(Verdict::DependencyInsert))]
    #[case::an_earlier_line_does_not("VERDICT: PASS\nBut wait.", None)]
    #[case::two_do_not("VERDICT: FAIL\nVERDICT: PASS", None)]
    #[case::a_malformed_one_before_it("VERDICT:PASS\nVERDICT: PASS", None)]
    #[case::lower_case("Verdict: pass", None)]
    #[case::markup("**VERDICT: PASS**", None)]
    #[case::leading_space(" VERDICT: PASS", None)]
    #[case::trailing_space("VERDICT: PASS ", None)]
    #[case::quoted("> VERDICT: PASS", None)]
    #[case::homoglyph("VERDICT: PАSS", None)]
    #[case::unknown_word("VERDICT: MAYBE", None)]
    #[case::only_a_prefix("VERDICT: SPLIT_TASK please", None)]
    #[case::nothing("", None)]
    fn verdict_is_the_exact_last_line(#[case] reply: &str, #[case] want: Option<Verdict>) {
        assert_eq!(verdict(reply), want);
    }
}
