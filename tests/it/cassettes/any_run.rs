//! Whatever agents do, in whatever sandbox: their tape tells the same.

use looper::scripted::{Rule, Step};
use proptest::prelude::*;
use rstest::rstest;

use super::kit::Pair;
use crate::support::*;

/// What a hand does in the work tree.
fn edits() -> impl Strategy<Value = Vec<Step>> {
    let edit = prop::sample::select(vec![
        write("src/1.txt", "one"),
        write("src/1.txt", "two\r\n"),
        write("out/of/scope", "x"),
        append("src/kept.txt", "more\n"),
        delete("src"),
        sh("rm -rf README.md && mkdir -p README.md/deep"),
        sh("ln -sf kept.txt src/link"),
        sh("mkdir -p src/empty && chmod 700 src/empty"),
        sh("chmod 755 README.md"),
        sh("mkdir -p ignored && echo x > ignored/y && echo z > some.log"),
        sh("mv src/kept.txt src/1.txt"),
        sh("printf '\\000\\377' > src/1.txt"),
        sh("git add -A . ; git commit -qm mine"),
    ]);
    prop::collection::vec(edit, 0..4)
}

/// How a call ends.
fn end() -> impl Strategy<Value = Vec<Step>> {
    prop::sample::select(vec![
        vec![],
        vec![print("VERDICT: PASS")],
        vec![print("VERDICT: PASS")],
        vec![print("VERDICT: PASS")],
        vec![print("why\nVERDICT: FAIL")],
        vec![print("VERDICT: BLOCKED")],
        vec![print("words"), print_stderr("more words"), exit(3)],
        vec![print("words"), Step::Crash],
        vec![print_stderr("Error: 429 Too Many Requests"), exit(1)],
        vec![
            Step::PrintBytes(200_000),
            print_stderr("token=ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        ],
    ])
}

fn rule() -> impl Strategy<Value = Rule> {
    let stages = vec!["plan", "plan_critique", "implement", "implement", "impl_critique"];
    (prop::sample::select(stages), 1..4_u32, edits(), end()).prop_map(
        |(stage, attempt, edits, end)| on(stage).attempt(attempt).does([edits, end].concat()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 30, ..ProptestConfig::default() })]

    /// Each command of the night is given again, until one has nothing left to do.
    #[test]
    fn any_night_is_told_again(rules in prop::collection::vec(rule(), 1..6)) {
        let rules = [rules, vec![implementer([write("src/1.txt", "x")])]].concat();
        let mut project = Project::with(&[task("1")], &rules);
        project.env("LOOPER_RUN_FAILURES_MAX", "3");
        let pair = Pair::of(project);
        for _ in 0..4 {
            let code = pair.record(&[], None);
            prop_assert_eq!(pair.replay(&[], None), code);
            if code != Some(2) {
                break;
            }
        }
        pair.is_told_again_but_for_git();
    }
}

/// What plays a tape is held as the agent would be, and needs no more.
#[rstest]
#[case::full("full")]
#[case::partial("partial")]
fn a_tape_is_played_in_a_sandbox(#[case] level: &str) {
    let mut project = Project::with(
        &[task("1")],
        &[
            on("plan").does([sh("echo x > src/mine.txt || true"), print("a plan")]),
            implementer([write("src/1.txt", "x"), sh("echo x > .git/mine || true")]),
        ],
    );
    project.env("LOOPER_RUN_SANDBOX", "auto");
    if level == "partial" {
        project.program("bwrap", "exit 1");
    }
    let mut pair = Pair::of(project);
    pair.second.env("LOOPER_RUN_SANDBOX", "auto");
    let code = pair.record(&[], None);
    let log = pair.first.log();
    if log.last("run_started")["containment"]["level"] != level {
        eprintln!("skipped: no {level} sandbox here");
        return;
    }
    assert_eq!((code, pair.replay(&[], None)), (Some(0), Some(0)));
    pair.is_told_again();
    let looked = pair.page("0004-impl_critique-1/call.json");
    assert_eq!(looked["change"], serde_json::json!([]), "who only looks has changed nothing");
    assert_eq!(pair.second.log().last("implement_finished")["sandbox"], level);
}
