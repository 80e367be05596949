//! Sums of what agents and verify commands used.

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::report::{Usage, Usd};
use crate::ui::story::duration;

/// What was used, as agents report it and prices in the configuration complete it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Used {
    /// How many calls there were.
    pub calls: u64,
    /// Tokens read, without those from a cache.
    pub input: u64,
    /// Tokens read from a cache.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
    /// What is known to have been spent; null where nothing is known. Where some calls have no
    /// cost, it was at least this.
    pub cost_usd: Option<Usd>,
    /// How much of it was worked out from prices in the configuration.
    pub estimated_usd: Usd,
    /// How many calls' cost was worked out so.
    pub calls_estimated: u64,
    /// How many calls' cost nobody knows.
    pub calls_without_cost: u64,
    /// Milliseconds in stages.
    pub duration_ms: u64,
}

impl Used {
    /// One call that ended.
    pub(super) fn call(usage: Usage, duration_ms: u64) -> Self {
        // Older logs may hold what an agent claimed to have earned.
        let cost = usage.cost_usd.filter(|cost| cost.micros() >= 0);
        let estimated = cost.filter(|_| usage.is_estimated);
        Self {
            calls: 1,
            input: usage.input,
            cached: usage.cached,
            output: usage.output,
            cost_usd: cost,
            estimated_usd: estimated.unwrap_or_default(),
            calls_estimated: u64::from(estimated.is_some()),
            calls_without_cost: u64::from(cost.is_none()),
            duration_ms,
        }
    }

    /// One call for which no program could be started: it cost nothing.
    pub(super) fn never_started(duration_ms: u64) -> Self {
        Self { calls: 1, cost_usd: Some(Usd::default()), ..Self::time(duration_ms) }
    }

    /// One call that was cut short: it used something, and nobody says what.
    pub(super) fn cut_short() -> Self {
        Self { calls: 1, calls_without_cost: 1, ..Self::default() }
    }

    /// Time in which no agent was called.
    pub(super) fn time(duration_ms: u64) -> Self {
        Self { duration_ms, ..Self::default() }
    }

    /// Adds; sums that do not fit stay at the largest number.
    pub fn add(&mut self, other: Self) {
        let sum = |one: u64, other: u64| one.saturating_add(other);
        let dollars =
            |one: Usd, other: Usd| Usd::from_micros(one.micros().saturating_add(other.micros()));
        *self = Self {
            calls: sum(self.calls, other.calls),
            input: sum(self.input, other.input),
            cached: sum(self.cached, other.cached),
            output: sum(self.output, other.output),
            cost_usd: match (self.cost_usd, other.cost_usd) {
                (Some(one), Some(other)) => Some(dollars(one, other)),
                (one, other) => one.or(other),
            },
            estimated_usd: dollars(self.estimated_usd, other.estimated_usd),
            calls_estimated: sum(self.calls_estimated, other.calls_estimated),
            calls_without_cost: sum(self.calls_without_cost, other.calls_without_cost),
            duration_ms: sum(self.duration_ms, other.duration_ms),
        };
    }

    /// Tokens of every kind.
    pub fn tokens(&self) -> u64 {
        self.input.saturating_add(self.cached).saturating_add(self.output)
    }

    /// Whether the cost is all of it.
    pub fn is_cost_whole(&self) -> bool {
        self.calls_without_cost == 0
    }

    /// What it cost, as far as it is known: `≥ $1.20, 3 of 10 calls without a price`.
    pub fn cost_text(&self) -> String {
        let mut text = match self.cost_usd {
            None if self.calls == 0 => return "–".to_owned(),
            None => return "cost unknown".to_owned(),
            Some(cost) if self.is_cost_whole() => money(cost),
            Some(cost) => format!("≥ {}", money(cost)),
        };
        if self.calls_estimated > 0 && Some(self.estimated_usd) == self.cost_usd {
            text.push_str(", estimated");
        } else if self.calls_estimated > 0 {
            text.push_str(&format!(", {} of it estimated", money(self.estimated_usd)));
        }
        if !self.is_cost_whole() {
            let (without, all) = (self.calls_without_cost, self.calls);
            text.push_str(&format!(", {without} of {} without a price", calls(all)));
        }
        text
    }

    /// All of it in one line.
    pub fn text(&self) -> String {
        let calls = calls(self.calls);
        let (tokens, cost) = (self.tokens(), self.cost_text());
        format!("{calls}, {tokens} tokens, {cost}, {} in stages", duration(self.duration_ms))
    }
}

/// So many calls.
pub(super) fn calls(count: u64) -> String {
    if count == 1 { "1 call".to_owned() } else { format!("{count} calls") }
}

/// Dollars as people read them: to the cent, and below a dollar to the hundredth of a cent. Only
/// nothing is shown as nothing.
pub fn money(amount: Usd) -> String {
    let micros = amount.micros().unsigned_abs();
    let sign = if amount.micros() < 0 { "-" } else { "" };
    let rounded = |unit: u64| micros.saturating_add(unit / 2) / unit;
    if micros >= 1_000_000 || micros == 0 {
        let cents = rounded(10_000);
        format!("{sign}${}.{:02}", cents / 100, cents % 100)
    } else {
        let parts = rounded(100);
        if parts == 0 {
            return format!("{sign}< $0.0001");
        }
        format!("{sign}${}.{:04}", parts / 10_000, parts % 10_000)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(0, "$0.00")]
    #[case::hardly_anything(1, "< $0.0001")]
    #[case::hundredths_of_a_cent(4_160, "$0.0042")]
    #[case::almost_a_dollar(999_999, "$1.0000")]
    #[case::a_dollar(1_000_000, "$1.00")]
    #[case::rounded(1_205_000, "$1.21")]
    #[case::much(i64::MAX, "$9223372036854.78")]
    #[case::below_zero(-2_500_000, "-$2.50")]
    fn money_is_exact_to_what_is_shown(#[case] micros: i64, #[case] want: &str) {
        assert_eq!(money(Usd::from_micros(micros)), want);
    }

    fn usage(cost: Option<i64>, is_estimated: bool) -> Usage {
        Usage { cost_usd: cost.map(Usd::from_micros), is_estimated, ..Usage::default() }
    }

    #[rstest]
    #[case::nobody_was_called(&[], "–")]
    #[case::known(&[usage(Some(1_200_000), false)], "$1.20")]
    #[case::known_to_be_nothing(&[usage(Some(0), false)], "$0.00")]
    #[case::unknown(&[usage(None, false)], "cost unknown")]
    #[case::known_in_part(
        &[usage(Some(1_200_000), false), usage(None, false)],
        "≥ $1.20, 1 of 2 calls without a price"
    )]
    #[case::estimated(&[usage(Some(1_200_000), true)], "$1.20, estimated")]
    #[case::estimated_in_part(
        &[usage(Some(1_200_000), true), usage(Some(2_000_000), false), usage(None, false)],
        "≥ $3.20, $1.20 of it estimated, 1 of 3 calls without a price"
    )]
    #[case::earnings_are_not_believed(&[usage(Some(-5_000_000), false)], "cost unknown")]
    fn what_is_not_known_is_said(#[case] calls: &[Usage], #[case] want: &str) {
        let mut used = Used::default();
        calls.iter().for_each(|usage| used.add(Used::call(*usage, 0)));
        assert_eq!(used.cost_text(), want);
    }
}
