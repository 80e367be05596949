//! What a configuration says about the price of a model.

use std::collections::BTreeMap;

use super::error::{ConfigError, Place};
use super::layers::Config;
use super::optional::optional;
use super::value::Dollars;
use crate::engine::price::{Price, Prices};
use crate::engine::text::is_hidden;

/// More prices than this are a mistake: every run keeps them in its charter.
pub(super) const PRICES_MAX: usize = 500;

/// A longer name is none of a model, in bytes.
const NAME_MAX: usize = 128;

optional! {
    /// US dollars for a million tokens of a model whose agent reports no cost.
    #[derive(Copy)]
    PriceConfig {
        /// Tokens read, without those from a cache.
        input: Dollars,
        /// Tokens read from a cache; as `input` where nothing is said.
        cached: Dollars,
        /// Tokens written.
        output: Dollars,
    }
}

/// Reads the name of a model, or the beginning of names with a `*` behind it.
pub(super) fn model_name(text: &str) -> Result<(), String> {
    let beginning = text.strip_suffix('*').unwrap_or(text);
    if text.is_empty() || text.len() > NAME_MAX || text.contains(is_hidden) {
        return Err(format!("{text:?} is not the name of a model"));
    }
    if beginning.contains('*') {
        return Err(format!("{text:?} has a * that is not at its end"));
    }
    Ok(())
}

/// A key as it is shown: the name of a model has dots of its own.
pub(super) fn key_of(model: &str, key: &str) -> String {
    format!("prices.{model:?}.{key}")
}

/// A name as it stands in a variable.
pub(super) fn in_capitals(model: &str) -> String {
    let letter = |char: char| if char.is_ascii_alphanumeric() { char } else { '_' };
    model.to_ascii_uppercase().chars().map(letter).collect()
}

/// A price needs both ways.
pub(super) fn check(prices: &BTreeMap<String, PriceConfig>) -> Result<(), ConfigError> {
    let invalid = |name: &str, message: String| {
        Err(ConfigError::Invalid { place: Place::Named(name.to_owned()), message })
    };
    if prices.len() > PRICES_MAX {
        return invalid("[prices]", format!("expected at most {PRICES_MAX} prices"));
    }
    for (model, price) in prices {
        let missing = match (price.input, price.output) {
            (None, _) => "input",
            (_, None) => "output",
            (Some(_), Some(_)) => continue,
        };
        return invalid(&format!("[prices.{model:?}]"), format!("a price needs {missing}"));
    }
    Ok(())
}

impl Config {
    /// What tokens cost where an agent does not say; nothing where no price is known.
    pub fn charter_prices(&self) -> Option<Prices> {
        let price = |said: &PriceConfig| {
            let input = said.input.unwrap_or_default().usd();
            let cached = said.cached.map_or(input, Dollars::usd);
            Price { input, cached, output: said.output.unwrap_or_default().usd() }
        };
        let prices = self.prices.iter().map(|(model, said)| (model.clone(), price(said)));
        Some(Prices::new(prices.collect())).filter(|prices| !prices.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::super::{Origin, Overrides, Sources};
    use super::*;
    use crate::engine::report::Usd;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let project_file = dir.path().join("config.toml");
        fs::write(&project_file, text).unwrap();
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let flags = Overrides::default();
        let place = format!("{}:", project_file.display());
        Config::load(&Sources { user_file: None, project_file, env: &env, flags: &flags })
            .map_err(|error| error.to_string().replace(&place, ""))
    }

    const TWO: &str = "[prices.\"gpt-5.5\"]\ninput = 1.25\ncached = 0.125\noutput = 10\n\
                       [prices.\"gpt-4*\"]\ninput = 2\noutput = 3\n";

    #[test]
    fn a_price_is_read_and_its_cache_costs_no_less_than_is_said() {
        let config = load(TWO, &[]).unwrap();
        let prices = config.charter_prices().unwrap();
        let price = |input: f64, cached: f64, output: f64| {
            let [input, cached, output] = [input, cached, output].map(Usd::from_dollars);
            Price { input, cached, output }
        };
        assert_eq!(prices.of(&["gpt-5.5"]), Some(&price(1.25, 0.125, 10.0)));
        assert_eq!(prices.of(&["gpt-4-mini"]), Some(&price(2.0, 2.0, 3.0)));
        assert_eq!(load("", &[]).unwrap().charter_prices(), None);
        let shown = config.settings().into_iter().filter(|it| it.key.starts_with("prices."));
        let shown: Vec<String> = shown.map(|it| format!("{} {}", it.key, it.value)).collect();
        assert_eq!(
            shown,
            [
                r#"prices."gpt-4*".input 2.0"#,
                r#"prices."gpt-4*".output 3.0"#,
                r#"prices."gpt-5.5".input 1.25"#,
                r#"prices."gpt-5.5".cached 0.125"#,
                r#"prices."gpt-5.5".output 10.0"#,
            ]
        );
    }

    #[rstest]
    #[case::negative(
        "[prices.m]\ninput = -1\noutput = 1",
        "2:9: expected 0 to 1000000000 US dollars, found -1"
    )]
    #[case::no_number(
        "[prices.m]\ninput = nan\noutput = 1",
        "2:9: expected 0 to 1000000000 US dollars, found NaN"
    )]
    #[case::endless(
        "[prices.m]\ninput = inf\noutput = 1",
        "2:9: expected 0 to 1000000000 US dollars, found inf"
    )]
    #[case::text(
        "[prices.m]\ninput = \"1\"\noutput = 1",
        "2:9: invalid type: string \"1\", expected f64"
    )]
    #[case::unknown_key(
        "[prices.m]\noutptu = 1",
        "2:1: unknown key \"outptu\", did you mean \"output\"?"
    )]
    #[case::one_way_only("[prices.m]\ninput = 1", "[prices.\"m\"]: a price needs output")]
    #[case::nothing("[prices.\"a b\"]\n", "[prices.\"a b\"]: a price needs input")]
    #[case::dots_without_quotes(
        "[prices.gpt-5.5]\ninput = 1\noutput = 1",
        "1:15: unknown key \"5\""
    )]
    #[case::no_section("[prices]\nm = 1", "2:5: a price is a section: [prices.\"m\"]")]
    #[case::nameless("[prices.\"\"]\n", "1:9: \"\" is not the name of a model")]
    #[case::hidden("[prices.\"a\\u001b[2J\"]\n", "1:9: \"a\\u{1b}[2J\" is not the name of a model")]
    #[case::star_inside("[prices.\"a*b\"]\n", "1:9: \"a*b\" has a * that is not at its end")]
    #[case::two_stars("[prices.\"a**\"]\n", "1:9: \"a**\" has a * that is not at its end")]
    #[case::misspelt_section("[price.m]\n", "1:2: unknown key \"price\", did you mean \"prices\"?")]
    fn a_mistaken_price_is_refused(#[case] text: &str, #[case] want: &str) {
        let complaint = load(text, &[]).unwrap_err();
        assert_eq!(complaint, want);
    }

    #[test]
    fn so_many_prices_are_a_mistake() {
        let text: String =
            (0..=PRICES_MAX).map(|n| format!("[prices.m{n}]\ninput = 1\noutput = 1\n")).collect();
        assert_eq!(load(&text, &[]).unwrap_err(), "[prices]: expected at most 500 prices");
    }

    #[rstest]
    #[case::exact("LOOPER_PRICES_GPT_5_5_OUTPUT", "7", r#"prices."gpt-5.5".output"#, "7.0")]
    #[case::new_key("LOOPER_PRICES_GPT_4__CACHED", "0.5", r#"prices."gpt-4*".cached"#, "0.5")]
    fn a_variable_changes_a_price(
        #[case] name: &str,
        #[case] text: &str,
        #[case] key: &str,
        #[case] want: &str,
    ) {
        let config = load(TWO, &[(name, text)]).unwrap();
        let settings = config.settings();
        let setting = settings.iter().find(|setting| setting.key == key).unwrap();
        assert_eq!(setting.value.to_string(), want);
        assert_eq!(setting.origin, Origin::Env { name: name.to_owned() });
    }

    #[rstest]
    #[case::negative("LOOPER_PRICES_GPT_5_5_INPUT", "-1", "expected 0 to 1000000000 US dollars")]
    #[case::unknown_key(
        "LOOPER_PRICES_GPT_5_5_PRICE",
        "1",
        "expected one of input, cached, output"
    )]
    #[case::unknown_model("LOOPER_PRICES_OPUS_INPUT", "1", "only a price that a file has")]
    #[case::either("LOOPER_PRICES_A_B_INPUT", "1", "it could mean \"a-b\" or \"a.b\"")]
    fn a_mistaken_variable_is_refused(#[case] name: &str, #[case] text: &str, #[case] want: &str) {
        let price = "input = 1\noutput = 1\n";
        let more = format!("{TWO}[prices.a-b]\n{price}[prices.\"a.b\"]\n{price}");
        let complaint = load(&more, &[(name, text)]).unwrap_err();
        assert!(
            complaint.starts_with(&format!("{name}: ")) && complaint.contains(want),
            "{complaint}"
        );
    }
}
