//! Retries and hand-overs with real processes, git and a log on disk.

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

/// Settings in which each of two agents of one's own stands in a list.
fn two_agents(project: &Project) {
    let roles = "plan = [\"one\", \"two\"]\nplan_critique = [\"two\", \"one\"]\n\
                 implement = [\"one\", \"two\"]\nimpl_critique = [\"three\"]\nreview = \"three\"";
    let agents = ["one", "two", "three"]
        .map(|name| format!("[agents.{name}]\ncommand = [\"{name}\"]\noutput = \"text\"\n"));
    let text = format!("{}[roles]\n{roles}\n", agents.concat());
    project.write(".looper/config.toml", text);
}

fn with_two_agents(rules: &[Rule], limited: &[&str]) -> Project {
    let project = Project::with(&[task("1")], rules);
    two_agents(&project);
    for name in ["one", "two", "three"] {
        let limit = "echo 'Error: 429 Too Many Requests' >&2; echo half > src/half.txt; exit 1";
        let work = "exec fake-agent";
        let script = if limited.contains(&name) {
            format!("if [ \"$LOOPER_STAGE\" = implement ]; then {limit}; fi; {work}")
        } else {
            work.to_owned()
        };
        project.program(name, &script);
    }
    project
}

fn overloaded() -> [Step; 3] {
    [write("src/half.txt", "half"), frame(true, "API Error: 529 Overloaded"), exit(1)]
}

/// Agents that speak as claude does, and do well where no rule says otherwise.
fn framed(rules: &[Rule]) -> Project {
    let well = [
        on("plan").does([frame(false, "Do it.")]),
        on("plan_critique").does([frame(false, "VERDICT: PASS")]),
        implementer([write("src/1.txt", "x"), frame(false, "Done.")]),
        on("impl_critique").does([frame(false, "VERDICT: PASS")]),
    ];
    let project = Project::with(&[task("1")], &[rules, &well].concat());
    let roles = ["plan", "plan_critique", "implement", "impl_critique", "review"]
        .map(|role| format!("{role} = \"framed\"\n"));
    let agent = "[agents.framed]\ncommand = [\"fake-agent\"]\noutput = \"claude\"\n";
    project.write(".looper/config.toml", format!("{agent}[roles]\n{}", roles.concat()));
    project
}

fn good() -> Rule {
    implementer([write("src/1.txt", "x"), print("done")])
}

#[rstest]
#[case::a_planner("plan")]
#[case::a_plan_critic("plan_critique")]
#[case::an_implementer("implement")]
#[case::an_impl_critic("impl_critique")]
fn without_capacity_twice_a_task_still_takes_one_attempt(#[case] stage: &str) {
    let project = framed(&[on(stage).often(2).does(overloaded())]);
    project.run(&[]).exits(0).says("again");
    let log = project.log();
    assert_eq!((project.marks().as_str(), log.count("task_selected")), ("x", 1));
    assert_eq!((log.count("stage_retried"), log.count("task_failed")), (2, 0));
    for known in ["plan", "plan_critique", "implement", "impl_critique"] {
        let want = if known == stage { 3 } else { 1 };
        assert_eq!(log.count(&format!("{known}_started")), want, "{known}");
    }
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    assert!(!project.has("src/half.txt"));
}

/// Proves I18.
#[test]
fn a_limit_hands_the_task_over() {
    let project = with_two_agents(&[good()], &["one"]);
    project.run(&[]).exits(0).says("two takes implement over from one");
    let log = project.log();
    assert_eq!((project.marks().as_str(), log.count("task_selected")), ("x", 1));
    assert_eq!((log.count("plan_started"), log.count("run_paused")), (1, 0));
    let retried = log.last("stage_retried");
    let facts = [&retried["agent"], &retried["instead_of"], &retried["cause"]];
    assert_eq!(facts, ["two", "one", "rate_limited"]);
    assert_eq!((&retried["wait_s"], &retried["count"]), (&0.into(), &1.into()));
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
}

#[test]
fn where_everybody_is_limited_the_tree_is_clean_and_nothing_counts() {
    let project = with_two_agents(&[good()], &["one", "two"]);
    let log = project.run_in_vain(&[], 2);
    assert_eq!((log.count("stage_retried"), log.count("task_failed")), (1, 0));
    assert_eq!((project.marks().as_str(), log.count("run_paused")), (" ", 1));
    project.program("two", "exec fake-agent");
    project.run(&[]).exits(0);
    assert_eq!((project.marks().as_str(), project.log().count("run_resumed")), ("x", 1));
}

#[test]
fn without_failover_a_limit_pauses_the_run() {
    let mut project = with_two_agents(&[good()], &["one"]);
    project.env("LOOPER_ROLES_FAILOVER", "false");
    let log = project.run_in_vain(&[], 2);
    assert_eq!(log.count("stage_retried"), 0);
}

fn in_a_wait() -> (Project, Running) {
    let mut project = framed(&[on("implement").once().does(overloaded())]);
    project.env("LOOPER_RETRY_PAUSE_S", "60");
    let mut running = project.start(&["run"]);
    running.until("it waits", || project.seen("stage_retried") > 0);
    project.env("LOOPER_RETRY_PAUSE_S", "0");
    (project, running)
}

#[test]
fn a_crash_in_a_wait_counts_nothing() {
    let (project, running) = in_a_wait();
    running.kill();
    project.run(&[]).exits(0);
    let log = project.log();
    assert_eq!((project.marks().as_str(), log.count("interrupted")), ("x", 1));
    assert_eq!((log.count("task_selected"), log.count("task_failed")), (2, 0));
}

#[test]
fn a_signal_in_a_wait_settles_the_attempt_at_once() {
    let (project, running) = in_a_wait();
    running.signal("INT");
    running.wait().exits(130);
    project.check();
    assert_eq!((project.status(), project.log().count("task_failed")), (String::new(), 0));
    project.run(&[]).exits(0);
    assert_eq!(project.marks(), "x");
}

#[test]
fn a_wish_to_stop_in_a_wait_finishes_the_attempt_without_waiting() {
    let (project, running) = in_a_wait();
    project.looper(&["stop"]).exits(0);
    running.wait().exits(0);
    project.check();
    let log = project.log();
    assert_eq!((project.marks().as_str(), log.count("task_selected")), ("x", 1));
    assert_eq!(log.last("run_ended")["reason"], "stopped");
}
