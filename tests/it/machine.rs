//! The driver on a scripted world: whatever is answered and whenever the power is cut.

use std::collections::BTreeSet;

use looper::driver::{Driver, Outcome, Request};
use looper::engine::charter::{
    AgentTerms, BacklogPin, Base, Charter, Checkout, FailToPass, Limits, Policy, PromptBy, RULES,
    Risk, Roles, Stage, VerifyTerms,
};
use looper::engine::event::{
    BacklogLoaded, EndReason, Event, EventKind, GatesJudged, JudgedAs, RunEnded,
};
use looper::engine::id::{AgentName, CommitId, Digest, RunId, TaskId, TreeId};
use looper::engine::replay::{ReplayError, replay};
use looper::engine::report::Class;
use looper::engine::state::State;
use looper::engine::task::{Mark, Pattern, Status, Task};
use looper::engine::verdict::Verdict;
use proptest::prelude::*;
use rstest::rstest;

use crate::mem_log::{MemLog, Nobody, Tick};
use crate::scripted_world::{Answer, Script};

pub(crate) const FULL: [Stage; 5] =
    [Stage::Plan, Stage::PlanCritique, Stage::Implement, Stage::Verify, Stage::ImplCritique];

pub(crate) fn task(id: &str, verify: &str, depends: &[&str]) -> Task {
    Task {
        id: TaskId::new(id),
        title: format!("title of {id}"),
        files: vec![Pattern::new("src/*.rs")],
        description: String::new(),
        criteria: vec![],
        verify: vec![verify.to_owned()],
        depends: depends.iter().map(|id| TaskId::new(*id)).collect(),
        size: None,
    }
}

pub(crate) fn charter(stages: &[Stage], tasks: Vec<Task>) -> Charter {
    let agent = AgentName::new("a");
    let one = || vec![agent.clone()];
    let terms = AgentTerms {
        command: vec!["a".to_owned()],
        prompt: PromptBy::Stdin,
        output: "text".to_owned(),
        model: String::new(),
        timeout_s: 1,
        idle_s: 0,
    };
    Charter {
        engine: "0".to_owned(),
        rules: RULES,
        base: Base { commit: CommitId::new("base"), branch: Some("main".to_owned()) },
        backlog: BacklogPin { path: "b".into(), format: "m".into(), digest: Digest::new("d") },
        policy: Policy {
            stages: stages.to_vec(),
            iterations: 0,
            failures_max: 2,
            commit_on_pass: true,
            only: None,
            allow_dirty: false,
            risk: Risk::Unattended,
            verify: VerifyTerms { timeout_s: 1, checkout: Checkout::Worktree, repeat: 1 },
            gates_off: vec![],
            protected: vec![],
            fail_to_pass: FailToPass::Off,
            recovery: None,
        },
        roles: Roles { plan: one(), plan_critique: one(), implement: one(), impl_critique: one() },
        agents: [(agent.clone(), terms)].into(),
        limits: Limits::default(),
        tasks,
        archived: vec![],
        containment: None,
        settings: None,
        prices: None,
        spent_before: None,
    }
}

/// What one process did.
pub(crate) struct Life {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) world: Script,
    pub(crate) state: State,
    pub(crate) log: MemLog,
}

pub(crate) fn live(world: Script, events: Vec<Event>, room: usize, charter: &Charter) -> Life {
    let state = replay(&events).expect("what was written replays");
    let clock = Tick::after(&events);
    let log = MemLog::holding(events, room);
    let mut driver = Driver::new(log, world, clock, Nobody, state, RunId::new("r"));
    let digest = driver.world.digest();
    let marks = charter.tasks.iter().map(|task| Mark {
        task: task.id.clone(),
        status: Status::Todo,
        fail_count: 0,
        reason: None,
    });
    let news = EventKind::BacklogLoaded(BacklogLoaded { digest, marks: marks.collect() });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let outcome = runtime.block_on(async {
        driver.settle().await?;
        driver.run(charter.clone(), vec![news]).await
    });
    let state = driver.state().clone();
    Life { outcome: outcome.ok(), world: driver.world, state, log: driver.log }
}

pub(crate) fn ended(reason: EndReason) -> Option<Outcome> {
    Some(Outcome::Ended(RunEnded { reason, exit_code: reason.exit_code() }))
}

pub(crate) fn one_task(stages: &[Stage]) -> Charter {
    charter(stages, vec![task("1", "true", &[])])
}

/// Proves I14.
#[rstest]
#[case::all_gates_pass(vec![Answer::Ok; 5], EndReason::Done, 1)]
#[case::an_out_of_scope_change_never_commits(
    vec![Answer::Ok, Answer::Ok, Answer::Paths(vec!["x"]), Answer::Ok], EndReason::NothingRunnable, 0)]
#[case::a_secret_never_commits(
    vec![Answer::Ok, Answer::Ok, Answer::Paths(vec![".env"])], EndReason::NothingRunnable, 0)]
#[case::no_change_never_commits(
    vec![Answer::Ok, Answer::Ok, Answer::Paths(vec![]), Answer::Ok, Answer::Ok], EndReason::NothingRunnable, 0)]
#[case::a_failed_verify_never_commits(
    vec![Answer::Ok, Answer::Ok, Answer::Ok, Answer::Verify(false), Answer::Ok], EndReason::NothingRunnable, 0)]
#[case::an_unreadable_verdict_never_commits(
    vec![Answer::Ok, Answer::Ok, Answer::Ok, Answer::Ok, Answer::Verdict(None)], EndReason::NothingRunnable, 0)]
#[case::a_touched_state_directory_never_commits(
    vec![Answer::Ok, Answer::Ok, Answer::TouchesState], EndReason::NothingRunnable, 0)]
#[case::a_critic_that_touches_it_never_commits(
    vec![Answer::Ok, Answer::Ok, Answer::Ok, Answer::Ok, Answer::TouchesState], EndReason::NothingRunnable, 0)]
#[case::a_second_attempt_may_pass(
    vec![Answer::Ok, Answer::Ok, Answer::Ok, Answer::Ok, Answer::Verdict(Some(Verdict::Fail)),
         Answer::Ok, Answer::Ok, Answer::Ok, Answer::Ok, Answer::Ok], EndReason::Done, 1)]
#[case::a_plan_critic_that_says_blocked_stops_the_implementer(
    vec![Answer::Ok, Answer::Verdict(Some(Verdict::Blocked)), Answer::Ok, Answer::Ok, Answer::Ok],
    EndReason::NothingRunnable, 0)]
#[case::no_login_ends_the_run(vec![Answer::Class(Class::Auth)], EndReason::AgentUnusable, 0)]
#[case::an_agent_that_vanished_blocks_its_task(
    vec![Answer::Class(Class::Missing)], EndReason::NothingRunnable, 0)]
#[case::a_signal_ends_the_run(
    vec![Answer::Ok, Answer::Ok, Answer::Interrupted], EndReason::Interrupted, 0)]
fn a_run(#[case] answers: Vec<Answer>, #[case] want: EndReason, #[case] commits: usize) {
    let life = live(Script::new(answers), vec![], 1000, &one_task(&FULL));
    assert_eq!(life.outcome, ended(want));
    assert_eq!(life.world.history.len(), commits);
    assert!(!life.world.is_dirty);
    assert_eq!(replay(&life.log.events).unwrap(), life.state);
}

/// Proves I9.
#[test]
fn a_rate_limit_is_not_a_failure() {
    let limited = vec![Answer::Ok, Answer::Ok, Answer::Class(Class::RateLimited)];
    let life = live(Script::new(limited), vec![], 1000, &one_task(&FULL));
    assert!(matches!(life.outcome, Some(Outcome::Paused(_))));
    assert!(!life.world.is_dirty);
    assert_eq!(life.state.progress()[&TaskId::new("1")].fail_count, 0);

    let world = Script { answers: vec![Answer::Ok; 5].into(), ..life.world };
    let resumed = live(world, life.log.events, 1000, &one_task(&FULL));
    assert_eq!(resumed.outcome, ended(EndReason::Done));
    assert!(resumed.log.events.iter().any(|event| event.kind.name() == "run_resumed"));
}

#[test]
fn a_task_that_cannot_run_starves_nobody() {
    let tasks =
        vec![task("1", "sudo true", &[]), task("2", "true", &[]), task("3", "true", &["1"])];
    let life = live(Script::new(vec![Answer::Ok; 5]), vec![], 1000, &charter(&FULL, tasks));
    assert_eq!(life.outcome, ended(EndReason::NothingRunnable));
    let of = |id: &str| life.state.progress()[&TaskId::new(id)].status;
    assert_eq!([of("1"), of("2"), of("3")], [Status::Blocked, Status::Done, Status::Todo]);
}

#[test]
fn failures_in_a_row_block_a_task() {
    let life = live(Script::new(vec![]), vec![], 1000, &one_task(&FULL));
    let names: Vec<&str> = life.log.events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names.iter().filter(|name| **name == "task_failed").count(), 2);
    assert_eq!(names[names.len() - 2..], ["task_blocked", "run_ended"]);
}

/// The next attempt would meet the same base and the same commands.
#[test]
fn commands_that_pass_without_the_change_wait_for_a_person() {
    let answers = [Answer::Ok, Answer::Ok, Answer::Ok, Answer::Vacuous, Answer::Ok];
    let mut charter = one_task(&FULL);
    charter.policy.fail_to_pass = FailToPass::Require;
    let life = live(Script::new(answers), vec![], 1000, &charter);
    assert_eq!(life.outcome, ended(EndReason::NothingRunnable));
    let reason = life.world.marks[&TaskId::new("1")].reason.clone();
    let want = "fail_to_pass: every verify command passes without the change too";
    assert_eq!((reason.as_deref(), life.world.history.len()), (Some(want), 0));
    let names: Vec<&str> = life.log.events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(names.iter().filter(|name| **name == "task_selected").count(), 1);
}

#[test]
fn a_stop_waits_for_the_attempt_in_hand() {
    let mut world = Script::new(vec![Answer::Ok; 10]);
    world.requests = [None, None, Some(Request::Stop)].into();
    let tasks = vec![task("1", "true", &[]), task("2", "true", &[])];
    let life = live(world, vec![], 1000, &charter(&FULL, tasks));
    assert_eq!(life.outcome, ended(EndReason::Stopped));
    assert_eq!(life.world.history.len(), 1);
}

#[test]
fn the_log_of_a_pass_names_every_transition() {
    let life = live(Script::new(vec![Answer::Ok; 5]), vec![], 1000, &one_task(&FULL));
    let names: Vec<&str> = life.log.events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        names,
        [
            "run_started",
            "backlog_loaded",
            "task_selected",
            "plan_started",
            "plan_finished",
            "plan_critique_started",
            "plan_critique_finished",
            "implement_started",
            "implement_finished",
            "verify_started",
            "verify_finished",
            "impl_critique_started",
            "impl_critique_finished",
            "gates_judged",
            "commit_started",
            "commit_prepared",
            "commit_finished",
            "task_done",
            "run_ended",
        ]
    );
}

/// Proves I4.
#[test]
fn a_forged_judgement_does_not_replay() {
    let answers = vec![Answer::Ok, Answer::Ok, Answer::Ok, Answer::Verify(false), Answer::Ok];
    let mut events = live(Script::new(answers), vec![], 1000, &one_task(&FULL)).log.events;
    let at = events.iter().position(|event| event.kind.name() == "gates_judged").unwrap();
    if let EventKind::GatesJudged(judged) = &mut events[at].kind {
        judged.outcome = JudgedAs::Pass;
        judged.gates.iter_mut().for_each(|gate| gate.passed = true);
    }
    let error = replay(&events).unwrap_err();
    assert_eq!(error.seq(), events[at].seq);
    assert!(matches!(error, ReplayError::Diverged { .. }));
}

fn any_class() -> impl Strategy<Value = Class> {
    proptest::sample::select(vec![
        Class::RateLimited,
        Class::Overloaded,
        Class::TimedOut,
        Class::Crashed,
        Class::Empty,
        Class::Context,
        Class::Missing,
        Class::Auth,
        Class::Idle,
    ])
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let verdicts = vec![
        None,
        Some(Verdict::Fail),
        Some(Verdict::Blocked),
        Some(Verdict::SplitTask),
        Some(Verdict::ScopeExpand),
    ];
    prop_oneof![
        24 => Just(Answer::Ok),
        2 => any_class().prop_map(Answer::Class),
        2 => proptest::sample::select(verdicts).prop_map(Answer::Verdict),
        2 => proptest::sample::select(vec![vec![], vec!["x"], vec![".env"], vec!["src/b.rs"]])
            .prop_map(Answer::Paths),
        1 => any::<bool>().prop_map(Answer::Verify),
        1 => Just(Answer::Vacuous),
        1 => Just(Answer::TouchesState),
        1 => Just(Answer::Interrupted),
    ]
}

pub(crate) fn any_request() -> impl Strategy<Value = Option<Request>> {
    prop_oneof![
        30 => Just(None),
        1 => Just(Some(Request::Stop)),
        1 => Just(Some(Request::Interrupt)),
    ]
}

fn any_charter() -> impl Strategy<Value = Charter> {
    let solo = vec![Stage::Implement, Stage::Verify];
    let stages = prop_oneof![4 => Just(FULL.to_vec()), 1 => Just(solo)];
    let modes = vec![FailToPass::Off, FailToPass::Warn, FailToPass::Require];
    let modes = proptest::sample::select(modes);
    (stages, any::<bool>(), 0u32..4, modes).prop_map(
        |(stages, commit_on_pass, iterations, mode)| {
            let tasks =
                vec![task("1", "true", &[]), task("2", "sudo x", &[]), task("3", "true", &["1"])];
            let mut charter = charter(&stages, tasks);
            charter.policy.commit_on_pass = commit_on_pass;
            charter.policy.iterations = iterations;
            charter.policy.fail_to_pass = mode;
            charter
        },
    )
}

/// One life of the process: world calls until the power is cut, room in the log, and how much of
/// what was not synced survives.
pub(crate) type Cut = (usize, usize, usize);

pub(crate) fn judged_trees(log: &[Event]) -> BTreeSet<TreeId> {
    log.iter()
        .filter_map(|event| match &event.kind {
            EventKind::GatesJudged(GatesJudged { outcome: JudgedAs::Pass, tree, .. }) => {
                Some(tree.clone())
            }
            _ => None,
        })
        .collect()
}

fn commits_in(log: &[Event]) -> Vec<CommitId> {
    log.iter()
        .filter_map(|event| match &event.kind {
            EventKind::CommitFinished(data) => Some(data.commit.clone()),
            EventKind::Reconciled(data) => data.commit.clone(),
            _ => None,
        })
        .collect()
}

/// How many lives a run may take once the power stays: pauses and interruptions each end one.
pub(crate) const LIVES_MAX: usize = 200;

proptest! {
    /// Whatever the world answers, however often the power is cut and the disk is full: the run
    /// ends, the log replays to the state the driver held, each task is committed at most once,
    /// nothing that did not pass is ever in history, and the work tree is left clean.
    ///
    /// Proves I1, I2, I3, I5.
    #[test]
    fn survives_any_world_and_any_power_cuts(
        answers in proptest::collection::vec(any_answer(), 0..40),
        requests in proptest::collection::vec(any_request(), 0..30),
        cuts in proptest::collection::vec((0usize..40, 0usize..20, 0usize..4), 0..8),
        charter in any_charter(),
    ) {
        let mut world = Script::new(answers);
        world.requests = requests.into();
        let mut events = vec![];
        let calm: Cut = (100_000, 100_000, 0);
        let mut cuts = cuts.into_iter().chain(std::iter::repeat_n(calm, LIVES_MAX));
        loop {
            let Some((power, room, kept)) = cuts.next() else {
                prop_assert!(false, "the run does not end");
                break;
            };
            world.power = power;
            let life = live(world, events, room, &charter);
            world = life.world;
            let Some(outcome) = life.outcome else {
                events = life.log.after_a_cut(kept);
                continue;
            };
            events = life.log.events;
            prop_assert_eq!(&replay(&events).unwrap(), &life.state);
            let is_over = |reason| matches!(reason, EndReason::Done | EndReason::NothingRunnable);
            if let Outcome::Ended(RunEnded { reason, .. }) = outcome && is_over(reason) {
                break;
            }
        }
        prop_assert!(!world.is_dirty || !charter.policy.commit_on_pass);
        prop_assert_eq!(&world.kept, &None);
        let mut tasks = BTreeSet::new();
        let judged = judged_trees(&events);
        for (task, _, tree) in &world.history {
            prop_assert!(tasks.insert(task.clone()), "{} was committed twice", task);
            prop_assert!(judged.contains(tree), "{} was never judged", tree);
        }
        let logged = commits_in(&events);
        let made: Vec<CommitId> = world.history.iter().map(|(_, id, _)| id.clone()).collect();
        prop_assert_eq!(logged, made);
    }
}
