//! Bugs that were found once, here and in LoopDex, and what people do at the worst moment.
//!
//! One of the five that the first simulation found is ruled out by types since: a world that
//! answers a plan with a verdict does not compile.

use std::rc::Rc;

use looper::backlog::{Backlog, marks};
use looper::engine::charter::Stage;
use looper::engine::event::EndReason;
use looper::engine::report::Class;
use looper::engine::task::Status;
use looper::engine::verdict::Verdict;
use rstest::rstest;

use crate::agents::{Act, Says};
use crate::coverage::Coverage;
use crate::directed::{dies, key, says, turn};
use crate::fault::{Cause, Doing, Fault, Phase, Point};
use crate::journal;
use crate::life::{Exit, live};
use crate::plan::{Faults, Plan};
use crate::repo::{Commit, MAIN};
use crate::run::Run;

fn crash(stage: Stage) -> Plan {
    let acts = vec![
        Act::Append("src/a.rs", "half".to_owned()),
        Act::Write("src/mine.rs", "clobbered".to_owned()),
        Act::Write("notes.txt", "clobbered".to_owned()),
        Act::Commit,
    ];
    Plan { allow_dirty: true, ..Plan::with([turn(stage, Some(acts), Says::Class(Class::Crashed))]) }
}

/// How many steps lie between two second deaths.
const SECOND_DEATHS: usize = 16;

/// Whatever dies wherever in the midst of this, and dies again when it is settled, the end is the
/// one of an undisturbed run.
#[rstest]
#[case::a_commit_that_was_not_logged_is_found_and_kept_w06(Plan::calm(), Doing::Publish)]
#[case::a_transaction_is_not_forgotten_before_its_outcome_is_logged(Plan::calm(), Doing::CloseDone)]
#[case::a_death_during_a_rollback_does_not_forget_that_the_attempt_counted(
    says(Stage::ImplCritique, Says::Verdict(Some(Verdict::Fail))),
    Doing::Rollback(Cause::Gates)
)]
#[case::what_lies_beside_a_killed_implementer_is_untouched_w07_w31(
    crash(Stage::Implement),
    Doing::Call(Stage::Implement)
)]
#[case::an_agent_that_crashes_is_rolled_back_and_the_run_goes_on_w13(
    crash(Stage::Plan),
    Doing::Rollback(Cause::AgentFailed)
)]
#[case::nothing_goes_on_behind_our_back_w24(
    says(Stage::Implement, Says::Signal),
    Doing::Call(Stage::Implement)
)]
#[case::a_limited_planner_is_rolled_back_w41(
    Plan::with([turn(Stage::Plan, Some(vec![Act::Write("src/b.rs", "x".to_owned())]),
        Says::Class(Class::RateLimited))]), Doing::Pause)]
#[case::a_run_that_ended_and_one_that_waits_are_two_things(Plan::calm(), Doing::End)]
#[case::what_is_left_uncommitted_is_not_lost(
    Plan { commit_on_pass: false, ..Plan::calm() }, Doing::CloseDone)]
#[case::a_proposal_does_not_outlive_what_it_is_made_of(
    says(Stage::PlanCritique, Says::Verdict(Some(Verdict::SplitTask))),
    Doing::Rollback(Cause::PlanRejected)
)]
fn old_bugs_stay_dead(#[case] plan: Plan, #[case] doing: Doing) {
    let mut calm = Run::new(&Rc::new(plan.clone()), false);
    let (_, want) = calm.run_to_the_end();
    let mut deaths = 0;
    for (life, trace) in calm.traces.iter().enumerate() {
        let before = vec![(u64::MAX, Fault::Kill); life];
        let is_it = |point: &Point| point.0 == doing;
        let steps = (1..).zip(trace).filter(|(_, here)| here.iter().any(is_it));
        for (step, fault) in steps.flat_map(|(step, _)| Fault::ALL.map(|fault| (step, fault))) {
            let first = [&before[..], &[(step, fault)]].concat();
            let run = dies(&plan, &first, &want, &mut Coverage::default());
            let recovery = run.traces.get(life + 1).map_or(0, |trace| trace.len() as u64);
            for again in (1..=recovery).step_by(SECOND_DEATHS) {
                let second = [&first[..], &[(again, Fault::PowerCut)]].concat();
                dies(&plan, &second, &want, &mut Coverage::default());
            }
            deaths += 1;
        }
    }
    assert!(deaths > 0, "nothing died");
}

/// A run that died at this point for the first time.
fn dead_at(plan: Plan, point: Point, fault: Fault) -> Run {
    let mut calm = Run::new(&Rc::new(plan.clone()), false);
    calm.run_to_the_end();
    let step = calm.traces[0].iter().position(|here| here.contains(&point));
    let step = step.expect("the plan comes there") as u64 + 1;
    let faults = Faults::Listed(vec![(step, fault)]);
    let mut run = Run::new(&Rc::new(Plan { faults, ..plan }), false);
    run.life();
    run
}

/// A person commits on the branch, whatever it points at.
fn commit_of_a_person(run: &Run) {
    let mut machine = run.shared.borrow_mut();
    let repo = &mut machine.repo;
    let head = repo.head_commit();
    let mut tree = repo.tree_of(&head).clone();
    tree.insert("README", "mine\n".into());
    repo.set_file("README", Some("mine\n".into()));
    repo.index.put(Some(tree.clone()));
    repo.index.flush();
    let (tree, parent) = (repo.store_tree(tree), Some(head));
    let id = repo.store_commit(Commit { tree, parent, message: "a person's".to_owned() });
    let branch = repo.refs.get_mut(MAIN).expect("the branch is there");
    branch.put(Some(id));
    branch.flush();
}

/// The branch moved, the process died, and somebody goes on from there before the next start: the
/// task is done, and both commits stay.
#[test]
fn a_commit_on_top_of_one_that_was_not_logged_throws_nothing_away() {
    let run = dead_at(Plan::calm(), (Doing::CloseDone, Phase::Before), Fault::Kill);
    commit_of_a_person(&run);
    assert_eq!(live(&run.shared), Some(Exit::Ended(EndReason::Done)));
    let machine = run.shared.borrow();
    let history = machine.repo.history(&machine.repo.head_commit());
    assert_eq!(history.len(), 3, "the first, ours, theirs");
    assert_eq!(machine.oracle.committed.len(), 1);
}

/// The commit was decided, the process died, and somebody commits before the next start: nothing
/// is touched until they say what they want.
#[test]
fn a_commit_beside_one_that_was_not_published_is_not_put_away() {
    let run = dead_at(Plan::calm(), (Doing::Publish, Phase::During), Fault::Kill);
    commit_of_a_person(&run);
    let before = run.shared.borrow().repo.head_commit();
    assert_eq!(live(&run.shared), Some(Exit::Refused));
    assert_eq!(run.shared.borrow().repo.head_commit(), before);
}

/// LoopDex w08: what a person wrote between a crash and the next start is not overwritten.
#[test]
fn an_edit_of_the_backlog_before_the_restart_wins() {
    let mut run = dead_at(Plan::calm(), (Doing::End, Phase::Before), Fault::Kill);
    {
        let mut machine = run.shared.borrow_mut();
        let edited = machine.backlog.get().replace("It is done.", "It is done well.");
        machine.backlog.put(edited.into());
        machine.backlog.flush();
    }
    run.run_to_the_end();
    assert!(run.shared.borrow().backlog.get().contains("It is done well."));
}

/// A mark that a person takes back, together with the failures, says the same in the log.
#[test]
fn a_block_by_hand_takes_the_count_as_it_stands_there() {
    let plan = Plan { iterations: 1, ..says(Stage::Implement, Says::Class(Class::Crashed)) };
    let mut run = Run::new(&Rc::new(plan), false);
    run.life();
    {
        let mut machine = run.shared.borrow_mut();
        let mut mark = Backlog::parse(machine.backlog.get()).backlog.marks().remove(0);
        assert_eq!(mark.fail_count, 1);
        (mark.status, mark.fail_count) = (Status::Blocked, 0);
        let text = marks::apply(machine.backlog.get(), &[mark]).expect("the task is there");
        machine.backlog.put(text.into());
        machine.backlog.flush();
    }
    let (state, _) = run.run_to_the_end();
    assert_eq!(state.progress()[&key(Stage::Plan, 0).0].fail_count, 0);
}

/// LoopDex w38, where whole lines are missing at the end: each line that anybody was told of is
/// missed by the next start, wherever the process died.
///
/// Proves I7.
#[test]
fn a_log_that_lost_acknowledged_lines_is_refused() {
    let mut calm = Run::new(&Rc::new(Plan::calm()), false);
    calm.run_to_the_end();
    let mut cuts = 0;
    for step in (1..=calm.traces[0].len() as u64).step_by(9) {
        let faults = Faults::Listed(vec![(step, Fault::Kill)]);
        let mut run = Run::new(&Rc::new(Plan { faults, ..Plan::calm() }), false);
        run.life();
        let machine = run.shared.borrow_mut();
        let told = machine.oracle.acknowledged.map_or(0, |(seq, _)| seq.0);
        let whole = machine.log.now.clone();
        drop(machine);
        let ends = (1..).zip(whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n'));
        for (seq, (end, _)) in ends.take_while(|(seq, _)| *seq < told) {
            let mut machine = run.shared.borrow_mut();
            machine.log.now = whole[..=end].to_vec();
            machine.log.flush();
            drop(machine);
            assert_eq!(live(&run.shared), Some(Exit::BadLog), "cut behind event {seq} of {told}");
            run.shared.borrow_mut().reboot();
            cuts += 1;
        }
        let mut machine = run.shared.borrow_mut();
        machine.log.now = whole;
        machine.log.flush();
        journal::read(&mut machine, &[]).expect("it is whole again");
    }
    assert!(cuts > 20, "{cuts}");
}
