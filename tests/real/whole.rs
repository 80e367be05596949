//! A backlog from its first plan to its last commit.

use std::collections::BTreeSet;
use std::time::Instant;

use rstest::rstest;
use serde_json::Value;

use crate::night::{Night, figures, stages};
use crate::program::Program;
use crate::server::Tokens;
use crate::support::task;

#[rstest]
#[case::codex(Program::Codex)]
#[case::gemini(Program::Gemini)]
#[case::opencode(Program::Opencode)]
#[case::qwen(Program::Qwen)]
fn two_tasks_are_planned_judged_done_and_committed(#[case] program: Program) {
    let Some(night) = Night::with(program, &[task("1.1"), task("1.2")]) else { return };
    let began = Instant::now();
    night.run(&[], 0);
    figures(&format!("{}, two tasks: {:.1?}", program.known().name, began.elapsed()));

    assert_eq!(night.subjects(), ["Task 1.1: Write 1.1", "Task 1.2: Write 1.2"]);
    assert_eq!(night.read("src/1.1.txt"), "written for 1.1\n");
    assert_eq!(night.changed_by("HEAD"), ["src/1.2.txt"]);
    assert_eq!(night.marks(), "xx");
    let log = night.log();
    let stages = stages(&log);
    assert_eq!(stages.len(), 8);
    let mut sessions = vec![];
    for (name, data) in stages {
        sessions.extend(data.get("session").and_then(Value::as_str));
        assert_eq!(data["class"], "ok", "{name} {data}");
        let given = night.server.given(name.trim_end_matches("_finished"), &data["task"]);
        assert_eq!(used(data), given, "{name} {data}");
    }
    // Every stage is a fresh process, and nobody continues what another has said.
    assert!(sessions.iter().all(|session| !session.is_empty()));
    let different: BTreeSet<&str> = sessions.iter().copied().collect();
    assert_eq!(different.len(), sessions.len(), "{sessions:?}");
}

fn used(data: &Value) -> Tokens {
    let count = |name: &str| data["usage"][name].as_u64().expect("the schema holds");
    Tokens {
        input: count("input") + count("cached"),
        cached: count("cached"),
        output: count("output"),
    }
}
