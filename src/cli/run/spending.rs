//! What people hear about money: before a run what a budget cannot see, after it what was spent.

use std::collections::BTreeMap;

use crate::engine::charter::{AgentTerms, Charter, Limits};
use crate::engine::event::EndReason;
use crate::engine::id::AgentName;
use crate::engine::price::Prices;
use crate::engine::state::Spent;
use crate::ui::accounts::{Accounts, Axis, Budget, Group, Used};
use crate::ui::sanitize::clean_line;

/// Formats in which a program says what it cost.
const SAY_COST: [&str; 3] = ["claude", "opencode", "pi"];

/// Formats in which a program says neither what it cost nor its tokens: no price makes a cost.
const SAY_NOTHING: [&str; 2] = ["copilot", "text"];

/// Formats in which a program says which model it used.
const SAY_MODEL: [&str; 5] = ["claude", "opencode", "pi", "gemini", "qwen"];

/// How many agents are listed.
const AGENTS_SHOWN_MAX: usize = 20;

/// Agents of which it is known beforehand that nobody will know what they cost, each with the model
/// it is asked for: they say no cost, and no price helps.
pub(crate) fn without_price(
    agents: &BTreeMap<AgentName, AgentTerms>,
    prices: Option<&Prices>,
) -> Vec<String> {
    let says = |list: &[&str], terms: &AgentTerms| list.contains(&terms.output.as_str());
    let is_without = |(_, terms): &(&AgentName, &AgentTerms)| {
        // A program that names its model may yet name one that has a price.
        let may_name = prices.is_some() && says(&SAY_MODEL, terms);
        let has_price = prices.is_some_and(|prices| prices.of(&[&terms.model]).is_some());
        let can_be_worked_out = !says(&SAY_NOTHING, terms) && (has_price || may_name);
        !says(&SAY_COST, terms) && !can_be_worked_out
    };
    let shown = |(name, terms): (&AgentName, &AgentTerms)| match terms.model.as_str() {
        "" => format!("{name} (no model is asked for)"),
        model => format!("{name} ({model})"),
    };
    agents.iter().filter(is_without).map(shown).collect()
}

/// What a person should know who set a budget in dollars.
pub(super) fn warning(charter: &Charter) -> Option<String> {
    if charter.limits.cost_usd.micros() == 0 {
        return None;
    }
    let without = without_price(&charter.agents, charter.prices.as_ref());
    let names = without.join(", ");
    match without.len() {
        0 => None,
        count if count == charter.agents.len() => Some(format!(
            "budget.cost_usd can never be reached: no cost is known for {names}; \
             give the model and its price under [prices], or bound the run by tokens or wall_clock_s"
        )),
        _ => Some(format!(
            "budget.cost_usd does not count what {names} will cost: nobody says; \
             give the model and its price under [prices]"
        )),
    }
}

/// What a command has spent, and on what where the budget ended it.
pub(super) fn told(accounts: &Accounts, limits: Limits, reason: EndReason) -> String {
    let total = accounts.total();
    if total == Used::default() {
        return String::new();
    }
    let per_accepted = accounts.spending().per_accepted_text();
    if reason != EndReason::Budget {
        return format!("Used: {}; per accepted change: {per_accepted}.\n", total.text());
    }
    let mut text = String::from("The budget is spent:\n");
    for line in Budget::new(limits, Spent::default(), total).lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("It was spent on:\n");
    let stages = accounts.groups(Axis::Stage);
    let agents = accounts.groups(Axis::Agent);
    let shown = agents.len().min(AGENTS_SHOWN_MAX);
    let groups = || stages.iter().chain(&agents[..shown]);
    let width = groups().map(|group| group.name.chars().count()).max().unwrap_or(0);
    let row =
        |group: &Group| format!("  {:<width$}  {}\n", clean_line(&group.name), group.used.text());
    text.extend(stages.iter().map(row));
    text.push_str("by:\n");
    text.extend(agents[..shown].iter().map(row));
    if agents.len() > shown {
        text.push_str(&format!("  and {} more: `looper report`\n", agents.len() - shown));
    }
    text.push_str(&format!("in all: {}\nper accepted change: {per_accepted}\n", total.text()));
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::engine::charter::PromptBy;
    use crate::engine::price::Price;

    #[rstest]
    #[case::says_what_it_costs("claude", "", &[], &[])]
    #[case::says_nothing("codex", "", &[], &["a (no model is asked for)"])]
    #[case::no_price_fits("codex", "gpt-5.5", &["gpt-4*"], &["a (gpt-5.5)"])]
    #[case::a_price_fits("codex", "gpt-5.5", &["gpt-5*"], &[])]
    #[case::a_price_for_whatever_it_is("codex", "", &["*"], &[])]
    #[case::may_name_a_model("gemini", "", &["gemini-3*"], &[])]
    #[case::nothing_fits_what_it_may_name("gemini", "", &[], &["a (no model is asked for)"])]
    #[case::text("text", "m", &["x"], &["a (m)"])]
    #[case::text_whatever_the_price("text", "m", &["m"], &["a (m)"])]
    #[case::copilot_whatever_the_price("copilot", "gpt-5.5", &["*"], &["a (gpt-5.5)"])]
    #[case::pi("pi", "", &[], &[])]
    fn who_costs_what_nobody_knows_is_known_beforehand(
        #[case] output: &str,
        #[case] model: &str,
        #[case] prices: &[&str],
        #[case] want: &[&str],
    ) {
        let terms = AgentTerms {
            command: vec![],
            prompt: PromptBy::Stdin,
            output: output.to_owned(),
            model: model.to_owned(),
            timeout_s: 1,
            idle_s: 0,
        };
        let agents = [(AgentName::new("a"), terms)].into();
        let prices = prices.iter().map(|name| ((*name).to_owned(), Price::default())).collect();
        let prices = Some(Prices::new(prices)).filter(|prices| !prices.is_empty());
        assert_eq!(without_price(&agents, prices.as_ref()), want);
    }
}
