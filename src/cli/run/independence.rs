//! Nobody judges its own work, where the configuration says so.

use std::collections::BTreeMap;
use std::path::Path;

use super::charter::agent_terms;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::engine::charter::{AgentTerms, Stage};
use crate::engine::id::AgentName;
use crate::host::agents::Format;
use crate::host::config::{Config, Independence};

/// An attempt in which a critic is too near to whoever made what it judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clash<'a> {
    /// Which attempt at a task, from one.
    attempt: usize,
    maker: &'a AgentName,
    critic: &'a AgentName,
}

/// Looks for an attempt in which a critic would judge its own work.
///
/// # Errors
/// There is one.
pub(super) fn check(config: &Config) -> Result<(), Failure> {
    let roles = config.charter_roles();
    let pairs = [
        (Stage::Plan, &roles.plan, Stage::PlanCritique, &roles.plan_critique),
        (Stage::Implement, &roles.implement, Stage::ImplCritique, &roles.impl_critique),
    ];
    let stages = config.run.profile.stages();
    for (making, makers, judging, critics) in pairs {
        if !stages.contains(&making) || !stages.contains(&judging) {
            continue;
        }
        let vendor_of = |name: &AgentName| vendor(&agent_terms(config, name));
        let found = match config.roles.independent {
            Independence::Off => None,
            Independence::Agent => clash(makers, critics, |maker, critic| maker == critic),
            Independence::Vendor => {
                clash(makers, critics, |maker, critic| vendor_of(maker) == vendor_of(critic))
            }
        };
        if let Some(Clash { attempt, maker, critic }) = found {
            let (making, judging) = (making.name(), judging.name());
            let whose = if maker == critic {
                format!("{critic} would judge its own work")
            } else {
                format!("{critic} would judge the work of {maker}: both are {}", vendor_of(maker))
            };
            let what = format!(
                "roles.{making} and roles.{judging} are not independent: in attempt {attempt} of a \
                 task, {whose}"
            );
            return Err(Failure::new(Exit::Refused, what).help(format!(
                "give roles.{judging} to somebody else (of two lists, attempt n takes the n-th of \
                 each, round and round), or set roles.independent to \"off\""
            )));
        }
    }
    Ok(())
}

/// Who counts as one maker, where nobody may judge its own work.
pub(super) fn apart(
    config: &Config,
    agents: &BTreeMap<AgentName, AgentTerms>,
) -> Option<BTreeMap<AgentName, String>> {
    match config.roles.independent {
        Independence::Off => None,
        Independence::Agent => Some(BTreeMap::new()),
        Independence::Vendor => {
            Some(agents.iter().map(|(name, terms)| (name.clone(), vendor(terms))).collect())
        }
    }
}

/// The first attempt in which two lists that rotate bring together who must not meet. After the
/// least common multiple of their lengths everything comes again.
fn clash<'a>(
    makers: &'a [AgentName],
    critics: &'a [AgentName],
    is_near: impl Fn(&AgentName, &AgentName) -> bool,
) -> Option<Clash<'a>> {
    let attempts = (1..=makers.len() * critics.len())
        .find(|it| it % makers.len() == 0 && it % critics.len() == 0);
    (0..attempts?).find_map(|turn| {
        let (maker, critic) = (&makers[turn % makers.len()], &critics[turn % critics.len()]);
        is_near(maker, critic).then_some(Clash { attempt: turn + 1, maker, critic })
    })
}

/// Whose an agent is: the format it speaks says so, and where that is only text, its program.
fn vendor(terms: &AgentTerms) -> String {
    if terms.output != Format::Text.name() {
        return terms.output.clone();
    }
    let program = terms.command.first().map_or("", String::as_str);
    let name = Path::new(program).file_name();
    name.map_or_else(|| program.to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::engine::charter::PromptBy;

    fn names(text: &str) -> Vec<AgentName> {
        text.split(' ').map(AgentName::new).collect()
    }

    #[rstest]
    #[case::two_agents("a", "b", None)]
    #[case::one_agent("a", "a", Some(1))]
    #[case::in_turn("a b", "b a", None)]
    #[case::in_step("a b", "b b", Some(2))]
    #[case::a_list_and_one("a b c", "c", Some(3))]
    #[case::lengths_without_a_divisor("a a", "b b a", Some(3))]
    #[case::late("a b b b", "b c c c c c", Some(7))]
    #[case::never_at_the_same_turn("a b", "c a", None)]
    #[case::after_both_have_come_round("a b b", "c c c a", Some(4))]
    #[case::only_at_the_last_turn("b b a", "c c c a", Some(12))]
    fn every_attempt_of_a_rotation_counts(
        #[case] makers: &str,
        #[case] critics: &str,
        #[case] want: Option<usize>,
    ) {
        let (makers, critics) = (names(makers), names(critics));
        let found = clash(&makers, &critics, |maker, critic| maker == critic);
        assert_eq!(found.map(|clash| clash.attempt), want);
    }

    #[rstest]
    #[case::by_format("claude", &["/opt/wrapper", "--quiet"], "claude")]
    #[case::by_program("text", &["/usr/bin/claude", "-p"], "claude")]
    #[case::nameless("text", &[".."], "..")]
    fn a_vendor_is_known_by_format_or_program(
        #[case] output: &str,
        #[case] command: &[&str],
        #[case] want: &str,
    ) {
        let terms = AgentTerms {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            prompt: PromptBy::Stdin,
            output: output.to_owned(),
            model: String::new(),
            timeout_s: 1,
            idle_s: 0,
        };
        assert_eq!(vendor(&terms), want);
    }
}
