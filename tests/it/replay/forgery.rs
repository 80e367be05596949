//! Forged decisions with a chain that holds: only making the decision again tells.

use looper::engine::charter::GateId;
use looper::engine::event::{By, EndReason, Event, EventKind, JudgedAs};
use looper::engine::id::{AgentName, CommitId, TreeId};

use super::{events, folders, name, replayed, text};
use crate::support::*;

/// A forgery: changes one event, and says whether it could.
pub(super) type Forge = fn(&mut EventKind) -> bool;

/// Applies a forgery to each event in turn that it fits; each result with the forged position.
pub(super) fn forgeries(honest: &[Event], forge: Forge) -> Vec<(Vec<Event>, usize)> {
    let forged = |at: usize| {
        let mut events = honest.to_vec();
        forge(&mut events[at].kind).then_some((events, at))
    };
    (0..honest.len()).filter_map(forged).collect()
}

fn elsewhere() -> TreeId {
    TreeId::new("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
}

/// What did not pass is said to have passed.
pub(super) fn passed_after_all(kind: &mut EventKind) -> bool {
    match kind {
        EventKind::GatesJudged(judged) if judged.outcome != JudgedAs::Pass => {
            judged.outcome = JudgedAs::Pass;
            judged.gates.iter_mut().for_each(|gate| gate.passed = true);
            true
        }
        _ => false,
    }
}

fn a_gate_that_objected_is_quiet(kind: &mut EventKind) -> bool {
    let EventKind::GatesJudged(judged) = kind else { return false };
    let objecting = judged.gates.iter_mut().find(|gate| !gate.passed);
    objecting.map(|gate| gate.passed = true).is_some()
}

fn a_gate_objected(kind: &mut EventKind) -> bool {
    let EventKind::GatesJudged(judged) = kind else { return false };
    let scope = judged.gates.iter_mut().find(|gate| gate.gate == GateId::Scope && gate.passed);
    scope.map(|gate| gate.passed = false).is_some()
}

fn another_tree_was_judged(kind: &mut EventKind) -> bool {
    let EventKind::GatesJudged(judged) = kind else { return false };
    judged.tree = elsewhere();
    true
}

fn another_tree_was_committed(kind: &mut EventKind) -> bool {
    match kind {
        EventKind::CommitStarted(data) => data.tree = elsewhere(),
        EventKind::CommitPrepared(data) => data.tree = elsewhere(),
        EventKind::CommitFinished(data) => data.tree = elsewhere(),
        _ => return false,
    }
    true
}

fn another_commit_was_made(kind: &mut EventKind) -> bool {
    let other = CommitId::new("7".repeat(40));
    match kind {
        EventKind::CommitFinished(data) => data.commit = other,
        EventKind::Reconciled(data) if data.commit.is_some() => data.commit = Some(other),
        EventKind::TaskDone(data) if data.by == By::Run => data.commit = Some(other),
        _ => return false,
    }
    true
}

fn fewer_failures_are_counted(kind: &mut EventKind) -> bool {
    match kind {
        EventKind::TaskFailed(data) => data.fail_count -= 1,
        EventKind::TaskBlocked(data) if data.by == By::Run && data.fail_count > 0 => {
            data.fail_count = 0;
        }
        _ => return false,
    }
    true
}

fn the_reason_is_another_one(kind: &mut EventKind) -> bool {
    match kind {
        EventKind::TaskFailed(data) => data.reason = "bad luck".to_owned(),
        EventKind::TaskBlocked(data) if data.by == By::Run => data.reason = "bad luck".to_owned(),
        _ => return false,
    }
    true
}

fn another_task_was_due(kind: &mut EventKind) -> bool {
    let EventKind::TaskSelected(data) = kind else { return false };
    data.attempt += 1;
    true
}

fn another_agent_was_called(kind: &mut EventKind) -> bool {
    match kind {
        EventKind::PlanStarted(data)
        | EventKind::PlanCritiqueStarted(data)
        | EventKind::ImplementStarted(data)
        | EventKind::ImplCritiqueStarted(data) => data.agent = AgentName::new("somebody"),
        _ => return false,
    }
    true
}

fn another_command_was_run(kind: &mut EventKind) -> bool {
    let EventKind::VerifyStarted(data) = kind else { return false };
    data.commands = vec!["exit 0".to_owned()];
    true
}

fn the_run_ended_well(kind: &mut EventKind) -> bool {
    match kind {
        EventKind::RunEnded(data) if data.reason != EndReason::Done => {
            data.reason = EndReason::Done;
            data.exit_code = 0;
            true
        }
        _ => false,
    }
}

fn the_rollback_went_elsewhere(kind: &mut EventKind) -> bool {
    let other = CommitId::new("7".repeat(40));
    match kind {
        EventKind::RollbackStarted(data) => data.to = other,
        EventKind::RollbackFinished(data) => data.to = other,
        _ => return false,
    }
    true
}

#[rstest::rstest]
#[case(passed_after_all)]
#[case(a_gate_that_objected_is_quiet)]
#[case(a_gate_objected)]
#[case(another_tree_was_judged)]
#[case(another_tree_was_committed)]
#[case(another_commit_was_made)]
#[case(fewer_failures_are_counted)]
#[case(the_reason_is_another_one)]
#[case(another_task_was_due)]
#[case(another_agent_was_called)]
#[case(another_command_was_run)]
#[case(the_run_ended_well)]
#[case(the_rollback_went_elsewhere)]
fn a_forged_decision_is_refused_where_it_stands(#[case] forge: Forge) {
    let mut tried = 0;
    for folder in folders("v1") {
        let honest = events(&text(&folder, "events.jsonl"));
        for (forged, at) in forgeries(&honest, forge) {
            tried += 1;
            let found = replayed(&rechained(&forged));
            assert_eq!(found, Err(at as u64 + 1), "{}, line {}", name(&folder), at + 1);
        }
    }
    assert!(tried > 0, "no recorded run has such an event");
}

/// An observation can be forged, but then the decisions that follow from it are others.
#[test]
fn a_forged_observation_shows_in_the_next_decision() {
    let forge: Forge = |kind| match kind {
        EventKind::VerifyFinished(data) if !data.passed => {
            data.passed = true;
            data.commands.iter_mut().for_each(|run| run.exit_code = Some(0));
            true
        }
        EventKind::ImplementFinished(data) if !data.paths.is_empty() => {
            data.paths.clear();
            true
        }
        _ => false,
    };
    let mut tried = 0;
    for folder in folders("v1") {
        let honest = events(&text(&folder, "events.jsonl"));
        for (forged, at) in forgeries(&honest, forge) {
            tried += 1;
            let line = replayed(&rechained(&forged)).expect_err(&name(&folder));
            assert!(line > at as u64 + 1, "{}", name(&folder));
        }
    }
    assert!(tried > 5, "{tried}");
}

/// What is only heard of can be left out of a story without a gap; the same terms, too, where a run
/// goes on after a crash.
fn is_hearsay(kind: &EventKind) -> bool {
    match kind {
        EventKind::RunResumed(_)
        | EventKind::BacklogLoaded(_)
        | EventKind::BacklogChanged(_)
        | EventKind::StopRequested(_)
        | EventKind::TaskUnblocked(_)
        | EventKind::TaskReopened(_) => true,
        EventKind::TaskDone(data) => data.by == By::Person,
        EventKind::TaskBlocked(data) => data.by == By::Person,
        _ => false,
    }
}

/// An event that is left out, with everything behind it renumbered, leaves a gap in the story.
#[test]
fn a_story_without_one_of_its_events_does_not_replay() {
    for folder in folders("v1") {
        let honest = events(&text(&folder, "events.jsonl"));
        for at in 0..honest.len() - 1 {
            // A crash may have come a moment earlier.
            let next = &honest[at + 1].kind;
            let is_last_word = matches!(next, EventKind::Interrupted(_) | EventKind::RunResumed(_));
            if is_hearsay(&honest[at].kind) || is_last_word {
                continue;
            }
            let mut forged = honest.clone();
            forged.remove(at);
            for event in &mut forged[at..] {
                event.seq.0 -= 1;
            }
            let told = replayed(&rechained(&forged));
            let kind = honest[at].kind.name();
            assert!(told.is_err(), "{} without {kind}, line {}", name(&folder), at + 1);
        }
    }
}
