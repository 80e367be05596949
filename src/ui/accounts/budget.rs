//! What bounds a run, and how much of it is left.

use schemars::JsonSchema;
use serde::Serialize;

use super::used::{Used, calls, money};
use crate::engine::charter::Limits;
use crate::engine::report::Usd;
use crate::engine::state::Spent;
use crate::ui::story::duration;

/// One limit, and what counts against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bound<T> {
    /// How much there may be.
    pub limit: T,
    /// How much there was.
    pub spent: T,
    /// What is left.
    pub left: T,
    /// How much there was too much: attempts are not broken off for a budget.
    pub over: T,
}

/// What a command may use, and what it has used of it. A limit that is null is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Budget {
    /// US dollars.
    pub cost_usd: Option<Bound<Usd>>,
    /// How many calls' cost nobody knows, so that they do not count against the dollars.
    pub calls_without_cost: u64,
    /// Tokens of every kind.
    pub tokens: Option<Bound<u64>>,
    /// Seconds in stages.
    pub wall_clock_s: Option<Bound<u64>>,
}

impl<T: Copy + Ord> Bound<T> {
    fn new(limit: T, spent: T, minus: impl Fn(T, T) -> T) -> Self {
        let (left, over) = (minus(limit, spent.min(limit)), minus(spent.max(limit), limit));
        Self { limit, spent, left, over }
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.spent >= self.limit
    }
}

impl Budget {
    /// The limits of a charter, what counted against them before it, and what was used since.
    pub fn new(limits: Limits, before: Spent, used: Used) -> Self {
        let micros = |amount: i64| amount.max(0);
        let cost = used.cost_usd.unwrap_or_default().micros();
        let cost = Usd::from_micros(micros(before.cost_micros).saturating_add(cost));
        let tokens = before.tokens.saturating_add(used.tokens());
        let seconds = before.duration_ms.saturating_add(used.duration_ms) / 1000;
        let dollars =
            |one: Usd, other: Usd| Usd::from_micros(one.micros().saturating_sub(other.micros()));
        let count = |limit: u64, spent: u64| {
            (limit > 0).then(|| Bound::new(limit, spent, u64::saturating_sub))
        };
        Self {
            cost_usd: (limits.cost_usd.micros() > 0)
                .then(|| Bound::new(limits.cost_usd, cost, dollars)),
            calls_without_cost: used.calls_without_cost,
            tokens: count(limits.tokens, tokens),
            wall_clock_s: count(limits.wall_clock_s, seconds),
        }
    }

    /// Whether there is no limit.
    pub fn is_open(&self) -> bool {
        self.cost_usd.is_none() && self.tokens.is_none() && self.wall_clock_s.is_none()
    }

    /// Each limit for people: `cost_usd: $5.35 of $5.00, $0.35 over`.
    pub fn lines(&self) -> Vec<String> {
        let seconds = |seconds: u64| duration(seconds.saturating_mul(1000));
        let count = |count: u64| count.to_string();
        let cost = self.cost_usd.map(|bound| {
            let mut text = line("cost_usd", bound, money);
            if self.calls_without_cost > 0 {
                let calls = calls(self.calls_without_cost);
                text.push_str(&format!(", not counting {calls} without a price"));
            }
            text
        });
        let others = [
            self.tokens.map(|bound| line("tokens", bound, count)),
            self.wall_clock_s.map(|bound| line("wall_clock_s", bound, seconds)),
        ];
        cost.into_iter().chain(others.into_iter().flatten()).collect()
    }
}

fn line<T: Copy + Ord>(key: &str, bound: Bound<T>, text: impl Fn(T) -> String) -> String {
    let Bound { limit, spent, left, over } = bound;
    let rest = match bound.is_spent() {
        true if spent == limit => "spent to the last".to_owned(),
        true => format!("{} over", text(over)),
        false => format!("{} left", text(left)),
    };
    format!("{key}: {} of {}, {rest}", text(spent), text(limit))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn limits(micros: i64, tokens: u64, wall_clock_s: u64) -> Limits {
        Limits { cost_usd: Usd::from_micros(micros), tokens, wall_clock_s }
    }

    fn used(micros: Option<i64>, tokens: u64, duration_ms: u64) -> Used {
        let cost_usd = micros.map(Usd::from_micros);
        let calls_without_cost = u64::from(micros.is_none());
        Used { cost_usd, calls_without_cost, output: tokens, duration_ms, ..Used::default() }
    }

    #[rstest]
    #[case::no_limit(limits(0, 0, 0), used(Some(9), 9, 9), &[])]
    #[case::left(limits(0, 100, 0), used(None, 40, 0), &["tokens: 40 of 100, 60 left"])]
    #[case::to_the_last(limits(0, 40, 0), used(None, 40, 0), &["tokens: 40 of 40, spent to the last"])]
    #[case::over(
        limits(5_000_000, 0, 60), used(Some(5_350_000), 1, 90_500),
        &["cost_usd: $5.35 of $5.00, $0.3500 over", "wall_clock_s: 1 min 30 s of 1 min 0 s, 30.0 s over"]
    )]
    #[case::not_known(
        limits(5_000_000, 0, 0), used(None, 1, 0),
        &["cost_usd: $0.00 of $5.00, $5.00 left, not counting 1 call without a price"]
    )]
    fn each_limit_is_told(#[case] limits: Limits, #[case] used: Used, #[case] want: &[&str]) {
        assert_eq!(Budget::new(limits, Spent::default(), used).lines(), want);
    }

    #[test]
    fn what_was_spent_before_counts() {
        let before = Spent { tokens: 70, ..Spent::default() };
        let budget = Budget::new(limits(0, 100, 0), before, used(None, 40, 0));
        assert_eq!(budget.tokens.map(|bound| (bound.left, bound.over)), Some((0, 10)));
    }
}
