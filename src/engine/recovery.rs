//! What follows where an agent cannot be had: the terms, as the charter pins them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::At;
use super::id::AgentName;
use super::report::QuotaWindow;

/// No pause before a retry is longer, in seconds: a provider without capacity for that long is
/// waited for between two runs.
const PAUSE_S_MAX: u32 = 300;

/// How many allowances of one agent are remembered. Their names are its provider's words.
const WINDOWS_MAX: usize = 16;

/// What follows where an agent cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// How often an agent is called again for a stage while its provider has no capacity.
    pub overloaded: u32,
    /// How often a planner or a critic that said nothing is asked again.
    pub empty: u32,
    /// Seconds before the first call again without capacity; each further pause is twice as long.
    pub pause_s: u32,
    /// Whether the next agent of a role takes over from one that cannot be had.
    pub failover: bool,
    /// Per cent of an allowance from which on its agent takes no part in another attempt; 0: none.
    pub quota_percent: u32,
    /// Who counts as one maker, where nobody may judge its own work. Whoever is not named is one
    /// by itself.
    pub apart: Option<BTreeMap<AgentName, String>>,
}

impl Recovery {
    /// Seconds before the call again that has this number, from one.
    pub(super) fn pause_before(&self, number: u32) -> u32 {
        let doublings = number.saturating_sub(1).min(u32::BITS - 1);
        self.pause_s.saturating_mul(1 << doublings).min(PAUSE_S_MAX)
    }

    /// Whether one of them must not judge the work of the other.
    pub(super) fn are_near(&self, one: &AgentName, other: &AgentName) -> bool {
        let Some(apart) = &self.apart else { return false };
        let whose = |name| apart.get(name).map_or(AgentName::as_str(name), String::as_str);
        one == other || whose(one) == whose(other)
    }

    /// The limit that allowances amount to, where so much of one is used that it counts.
    pub(super) fn limit_by(&self, windows: &[QuotaWindow]) -> Option<Limit> {
        let is_near_the_wall = |window: &&QuotaWindow| {
            self.quota_percent > 0 && window.used_percent >= self.quota_percent
        };
        let untils = windows.iter().filter(is_near_the_wall).map(|window| window.resets_at);
        let until = untils.reduce(later)?;
        Some(Limit { cause: LimitCause::Quota, until })
    }
}

/// Why nobody asks an agent for anything, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Why.
    pub cause: LimitCause,
    /// When it may be asked again, where its provider says so.
    pub until: Option<At>,
}

/// Why nobody asks an agent for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitCause {
    /// Its provider said so.
    RateLimit,
    /// Too much of an allowance is used. An attempt that has begun is finished all the same.
    Quota,
}

impl Limit {
    /// Both of them together.
    pub(super) fn with(self, other: Self) -> Self {
        match (self.cause, other.cause) {
            (LimitCause::Quota, LimitCause::RateLimit) => other,
            (LimitCause::RateLimit, LimitCause::Quota) => self,
            (LimitCause::Quota, LimitCause::Quota)
            | (LimitCause::RateLimit, LimitCause::RateLimit) => {
                Self { until: later(self.until, other.until), ..self }
            }
        }
    }
}

/// Nobody knows when is later than any time.
fn later(one: Option<At>, other: Option<At>) -> Option<At> {
    Some(one?.max(other?))
}

/// Takes over what a provider says about its allowances: the latest word on each of them holds.
pub(super) fn keep_windows(known: &mut Vec<QuotaWindow>, said: &[QuotaWindow]) {
    for window in said.iter().take(WINDOWS_MAX) {
        known.retain(|old| old.window != window.window);
        known.push(window.clone());
    }
    let spare = known.len().saturating_sub(WINDOWS_MAX);
    known.drain(..spare);
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn terms() -> Recovery {
        Recovery {
            overloaded: 3,
            empty: 1,
            pause_s: 5,
            failover: true,
            quota_percent: 90,
            apart: None,
        }
    }

    #[rstest]
    #[case(1, 5)]
    #[case(2, 10)]
    #[case(3, 20)]
    #[case(7, 300)]
    #[case(u32::MAX, 300)]
    fn a_pause_doubles_and_is_bounded(#[case] number: u32, #[case] want: u32) {
        assert_eq!(terms().pause_before(number), want);
    }

    #[rstest]
    #[case::not_asked("a", "a", None, false)]
    #[case::itself("a", "a", Some(&[][..]), true)]
    #[case::another("a", "b", Some(&[][..]), false)]
    #[case::of_one_vendor("a", "b", Some(&[("a", "v"), ("b", "v")][..]), true)]
    #[case::of_two("a", "b", Some(&[("a", "v"), ("b", "w")][..]), false)]
    #[case::a_name_like_a_vendor("v", "b", Some(&[("b", "v")][..]), true)]
    fn who_is_near_must_not_judge(
        #[case] one: &str,
        #[case] other: &str,
        #[case] apart: Option<&[(&str, &str)]>,
        #[case] want: bool,
    ) {
        let pair = |(name, whose): &(&str, &str)| (AgentName::new(*name), (*whose).to_owned());
        let apart = apart.map(|pairs| pairs.iter().map(pair).collect());
        let terms = Recovery { apart, ..terms() };
        assert_eq!(terms.are_near(&AgentName::new(one), &AgentName::new(other)), want);
    }

    fn window(name: &str, used_percent: u32, resets_at: Option<i64>) -> QuotaWindow {
        let resets_at = resets_at.map(At::from_millis);
        QuotaWindow { window: name.to_owned(), used_percent, resets_at }
    }

    #[rstest]
    #[case::nothing(&[], None)]
    #[case::below(&[window("w", 89, Some(1))], None)]
    #[case::at(&[window("w", 90, Some(1))], Some(Some(1)))]
    #[case::the_later_of_two(&[window("w", 90, Some(1)), window("v", 100, Some(2))], Some(Some(2)))]
    #[case::nobody_knows_when(&[window("w", 90, Some(1)), window("v", 100, None)], Some(None))]
    #[case::below_does_not_count(&[window("w", 90, Some(1)), window("v", 1, None)], Some(Some(1)))]
    fn the_wall_is_near_at_so_many_per_cent(
        #[case] windows: &[QuotaWindow],
        #[case] want: Option<Option<i64>>,
    ) {
        let found = terms().limit_by(windows).map(|limit| limit.until.map(At::millis));
        assert_eq!(found, want);
        let off = Recovery { quota_percent: 0, ..terms() };
        assert_eq!(off.limit_by(windows), None);
    }

    #[test]
    fn the_latest_word_on_each_allowance_holds_and_there_are_few() {
        let mut known = vec![window("a", 1, None), window("b", 2, None)];
        keep_windows(&mut known, &[window("a", 3, Some(1))]);
        assert_eq!(known, [window("b", 2, None), window("a", 3, Some(1))]);
        let many: Vec<QuotaWindow> = (0..99).map(|it| window(&it.to_string(), 1, None)).collect();
        keep_windows(&mut known, &many);
        assert_eq!(known.len(), WINDOWS_MAX);
    }
}
