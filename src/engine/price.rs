//! What tokens cost where an agent does not say.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::{Usage, Usd};

/// So many tokens a price is for.
const TOKENS: u128 = 1_000_000;

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens read, without those from a cache.
    pub input: Usd,
    /// Tokens read from a cache.
    pub cached: Usd,
    /// Tokens written.
    pub output: Usd,
}

/// Prices by the name of the model; a name that ends in `*` stands for all that begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Prices(BTreeMap<String, Price>);

impl Price {
    /// What this much costs, to the nearest millionth of a dollar.
    fn of(&self, usage: &Usage) -> Usd {
        let micros = |price: Usd| u128::try_from(price.micros()).unwrap_or(0);
        let parts =
            [(usage.input, self.input), (usage.cached, self.cached), (usage.output, self.output)];
        let sum = parts.into_iter().fold(0_u128, |sum, (tokens, price)| {
            sum.saturating_add(u128::from(tokens) * micros(price))
        });
        let rounded = sum.saturating_add(TOKENS / 2) / TOKENS;
        Usd::from_micros(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

impl Prices {
    /// Prices by name.
    pub fn new(prices: BTreeMap<String, Price>) -> Self {
        Self(prices)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The price of a model that goes by any of these names: the first that is listed as it is, or
    /// else the longest listed beginning.
    pub fn of(&self, names: &[&str]) -> Option<&Price> {
        let exact = names.iter().find_map(|name| self.0.get(*name));
        let begins = |pattern: &str| {
            let beginning = pattern.strip_suffix('*')?;
            names.iter().any(|name| name.starts_with(beginning)).then_some(beginning.len())
        };
        exact.or_else(|| {
            let fitting = self.0.iter().filter_map(|(name, price)| Some((begins(name)?, price)));
            fitting.max_by_key(|(len, _)| *len).map(|(_, price)| price)
        })
    }
}

/// What a call used, with a cost where there is a price for it. `reported` is the model that the
/// agent names, `asked` the one it was asked for.
///
/// Without tokens nothing is worked out: an agent that reports none has used some all the same. A
/// cost below zero is none that a budget could be held against.
pub fn priced(usage: Usage, prices: Option<&Prices>, reported: Option<&str>, asked: &str) -> Usage {
    if usage.cost_usd.is_some_and(|cost| cost.micros() >= 0) {
        return usage;
    }
    let unknown = Usage { cost_usd: None, is_estimated: false, ..usage };
    if [usage.input, usage.cached, usage.output] == [0; 3] {
        return unknown;
    }
    let price = prices.and_then(|prices| match reported {
        Some(reported) => prices.of(&[reported, asked]),
        None => prices.of(&[asked]),
    });
    match price {
        None => unknown,
        Some(price) => Usage { cost_usd: Some(price.of(&usage)), is_estimated: true, ..usage },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn price(dollars: f64) -> Price {
        let dollars = Usd::from_dollars(dollars);
        Price { input: dollars, cached: dollars, output: dollars }
    }

    fn prices() -> Prices {
        let listed = [("gpt-5.5", 1.0), ("gpt-5*", 2.0), ("gpt*", 3.0), ("opus", 4.0)];
        Prices::new(listed.map(|(name, dollars)| (name.to_owned(), price(dollars))).into())
    }

    #[rstest]
    #[case::exact(&["gpt-5.5"], Some(1.0))]
    #[case::longest_beginning(&["gpt-5.5-mini"], Some(2.0))]
    #[case::shorter_beginning(&["gpt-4"], Some(3.0))]
    #[case::the_beginning_itself(&["gpt-5"], Some(2.0))]
    #[case::no_beginning(&["a-gpt-5.5"], None)]
    #[case::another_case(&["GPT-5.5"], None)]
    #[case::a_star_in_a_name_is_no_pattern(&["gpt-5*"], Some(2.0))]
    #[case::nameless(&[""], None)]
    #[case::the_first_exact_name(&["opus", "gpt-5.5"], Some(4.0))]
    #[case::exact_before_any_beginning(&["gpt-5.5-2026", "opus"], Some(4.0))]
    fn a_model_has_the_price_that_fits_best(#[case] names: &[&str], #[case] want: Option<f64>) {
        assert_eq!(prices().of(names).copied(), want.map(price));
    }

    #[test]
    fn a_star_alone_fits_whatever_nobody_names() {
        let prices = Prices::new([("*".to_owned(), price(1.0))].into());
        assert_eq!(prices.of(&[""]).copied(), Some(price(1.0)));
    }

    fn usage(input: u64, cached: u64, output: u64, cost: Option<i64>) -> Usage {
        let cost_usd = cost.map(Usd::from_micros);
        Usage { input, cached, output, cost_usd, is_estimated: false }
    }

    #[rstest]
    #[case::each_kind_has_its_price(usage(800, 200, 50, None), Some(1_525), true)]
    #[case::a_million_of_each(usage(1_000_000, 1_000_000, 1_000_000, None), Some(11_375_000), true)]
    #[case::rounded_up(usage(0, 4, 0, None), Some(1), true)]
    #[case::rounded_down(usage(0, 3, 0, None), Some(0), true)]
    #[case::too_much(usage(u64::MAX, 0, u64::MAX, None), Some(i64::MAX), true)]
    #[case::what_the_agent_says_stands(usage(800, 200, 50, Some(7)), Some(7), false)]
    #[case::nothing_is_a_cost_too(usage(800, 200, 50, Some(0)), Some(0), false)]
    #[case::without_tokens_nothing_is_known(usage(0, 0, 0, None), None, false)]
    #[case::nobody_earns(usage(800, 200, 50, Some(-7)), Some(1_525), true)]
    #[case::nobody_earns_without_tokens(usage(0, 0, 0, Some(-7)), None, false)]
    fn a_cost_is_worked_out_where_none_is_said(
        #[case] usage: Usage,
        #[case] micros: Option<i64>,
        #[case] is_estimated: bool,
    ) {
        let [input, cached, output] = [1.25, 0.125, 10.0].map(Usd::from_dollars);
        let listed = Prices::new([("m".to_owned(), Price { input, cached, output })].into());
        let got = priced(usage, Some(&listed), None, "m");
        assert_eq!((got.cost_usd, got.is_estimated), (micros.map(Usd::from_micros), is_estimated));
        assert_eq!((got.input, got.cached, got.output), (usage.input, usage.cached, usage.output));
    }

    #[test]
    fn without_a_price_the_cost_stays_unknown() {
        let got = priced(usage(800, 200, 50, None), Some(&prices()), Some("elsewhere"), "");
        assert_eq!((got.cost_usd, got.is_estimated), (None, false));
        let got = priced(usage(800, 200, 50, None), None, None, "m");
        assert_eq!(got.cost_usd, None);
    }
}
