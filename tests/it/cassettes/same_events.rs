//! A run and the same run from its tape: the events are equal.

use std::os::unix::fs::symlink;

use looper::scripted::{Rule, Step};
use rstest::rstest;

use super::kit::Pair;
use crate::support::*;

fn good() -> Rule {
    implementer([write("src/1.txt", "one"), print("did it")])
}

fn first(rule: Rule) -> Vec<Rule> {
    vec![rule.once(), good()]
}

#[rstest]
#[case::passes(vec![good()])]
#[case::fails_its_verify_command(first(implementer([write("src/kept.txt", "no")])))]
#[case::leaves_its_scope(first(implementer([write("src/1.txt", "x"), write("out/a/b", "y")])))]
#[case::crashes(first(implementer([write("mess", "x"), delete("README.md"), Step::Crash])))]
#[case::ends_with_a_code(first(implementer([write("mess", "x"), print_stderr("oh"), exit(3)])))]
#[case::adds_a_key(first(implementer([write("src/1.txt", "token = ghp_16C7e42F292c6912E7710c838347Ae178B4a")])))]
#[case::a_planner_is_silent(first(on("plan").does([])))]
#[case::a_planner_writes(vec![on("plan").does([write("src/1.txt", "plan"), print("a plan")]), good()])]
#[case::a_critic_writes(vec![on("impl_critique").does([append("src/1.txt", "x"), print("VERDICT: PASS")]), good()])]
#[case::a_critic_objects(first(critic("VERDICT: FAIL")))]
#[case::a_critic_wants_another_backlog(vec![critic("VERDICT: SPLIT_TASK"), good()])]
#[case::a_critic_shows_a_key(first(critic(
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a\nVERDICT: PASS"
)))]
#[case::a_pipe_is_left(first(implementer([write("src/1.txt", "x"), sh("mkfifo src/pipe")])))]
#[case::a_link_leads_out(first(implementer([sh("ln -s /etc src/out; ln -s / src/1.txt")])))]
fn a_run_is_told_again(#[case] rules: Vec<Rule>) {
    let pair = Pair::new(&[task("1").title("Do it")], &rules);
    let code = pair.record(&[], None);
    assert_eq!(pair.replay(&[], None), code);
    pair.is_told_again();
}

/// Everything a work tree can hold, and every way to change it.
#[test]
fn every_kind_of_change_is_made_again() {
    let tasks =
        [task("1").files("src/**, bin/**").verify(&["test -x bin/run", "test -L src/link"])];
    let script = "printf 'a\\r\\n\\377\\0' > src/binary; ln -s kept.txt src/link; \
         mkdir -p src/empty src/ro bin; echo 'echo hi' > bin/run; chmod 750 bin/run; chmod 644 src/odd; \
         echo x > src/ro/file; chmod 555 src/ro; rm -r src/dir; echo now > src/dir; \
         rm src/file; mkdir src/file; echo deep > src/file/deep; mv src/old src/new; \
         rm src/gone; echo 'ü' > \"src/sp ace\"; : > src/nothing; printf x > \"$(printf 'src/\\377')\"";
    let project = Project::with(&tasks, &[implementer([sh(script)])]);
    for name in ["dir/a", "dir/b/c", "file", "old/x", "gone", "odd"] {
        project.write(&format!("src/{name}"), name);
    }
    project.git(&["config", "core.autocrlf", "input"]);
    project.commit("more");
    let pair = Pair::of(project);
    pair.record(&[], Some(0));
    pair.replay(&[], Some(0));
    pair.is_told_again();
    let mode =
        |path| std::os::unix::fs::MetadataExt::mode(&pair.second.path(path).metadata().unwrap());
    assert_eq!((mode("bin/run") & 0o777, mode("src/ro") & 0o777), (0o750, 0o555));
}

/// What each program prints when it ends well, with these words in the end.
fn frames(format: &str, words: &str) -> Vec<Step> {
    let lines = match format {
        "codex" => [
            r#"{"type":"thread.started","thread_id":"0199"}"#.to_owned(),
            format!(r#"{{"type":"item.completed","item":{{"id":"i","type":"agent_message","text":"{words}"}}}}"#),
            r#"{"type":"turn.completed","usage":{"input_tokens":100,"cached_input_tokens":20,"output_tokens":7}}"#.to_owned(),
        ],
        "claude" => [
            r#"{"type":"system","subtype":"init","session_id":"s","model":"m-1","tools":[]}"#.to_owned(),
            format!(r#"{{"type":"assistant","message":{{"id":"1","model":"m-1","content":[{{"type":"text","text":"{words}"}}],"usage":{{"input_tokens":9,"output_tokens":2}}}}}}"#),
            format!(r#"{{"type":"result","subtype":"success","is_error":false,"result":"{words}","total_cost_usd":0.25,"usage":{{"input_tokens":9,"output_tokens":2}},"session_id":"s","num_turns":1}}"#),
        ],
        "gemini" => [
            r#"{"type":"init","session_id":"s","model":"g-2"}"#.to_owned(),
            format!(r#"{{"type":"message","role":"assistant","content":"{words}","delta":true}}"#),
            r#"{"type":"result","status":"success","stats":{"total_tokens":12,"input_tokens":10,"output_tokens":2,"cached":1,"duration_ms":5,"tool_calls":0}}"#.to_owned(),
        ],
        _ => [
            r#"{"type":"step_start","sessionID":"s","part":{}}"#.to_owned(),
            format!(r#"{{"type":"text","sessionID":"s","part":{{"text":"{words}"}}}}"#),
            r#"{"type":"step_finish","sessionID":"s","part":{"reason":"stop","cost":0.5,"tokens":{"total":9,"input":5,"output":4,"reasoning":0,"cache":{"read":0,"write":0}}}}"#.to_owned(),
        ],
    };
    lines.iter().map(|line| print(line)).collect()
}

/// A night with a limit in the middle: both commands, and both again from the tape.
#[rstest]
#[case::codex("codex", "codex/usage_limit_plus", 1)]
#[case::claude("claude", "claude/session_limit", 1)]
#[case::gemini("gemini", "gemini/rate_limit_delay400", 173)]
#[case::opencode("opencode", "opencode/usage_limit", 1)]
fn a_limit_is_met_again(#[case] agent: &str, #[case] transcript: &str, #[case] code: u8) {
    let limit = Step::PrintFile(format!("transcripts/{transcript}/stdout").into());
    let implements = [vec![write("src/1.txt", "x")], frames(agent, "done")].concat();
    let rules = [
        on("plan").does(frames(agent, "a plan")),
        on("plan_critique").does(frames(agent, "VERDICT: PASS")),
        implementer([write("mess", "x"), limit, exit(code)]).once(),
        implementer(implements),
        on("impl_critique").does(frames(agent, "VERDICT: PASS")),
    ];
    let project = Project::with(&[task("1")], &rules);
    unpack_recordings(agent, &project.place().join("transcripts"));
    project.config(&format!("[agents.{agent}]\ncommand = [\"fake-agent\"]\n"));
    let pair = Pair::of(project);
    pair.record(&["--agent", agent], Some(2));
    pair.record(&["--agent", agent], Some(0));
    pair.replay(&[], Some(2));
    pair.replay(&[], Some(0));
    pair.is_told_again();
    let log = pair.second.log();
    assert_eq!(
        (log.count("run_paused"), log.last("plan_finished")["agent"].as_str()),
        (1, Some(agent))
    );
}

/// An hour that somebody waited for is told in no time, and is an hour all the same.
#[rstest]
#[case::the_deadline("TIMEOUT_S", "timed_out")]
#[case::silence("IDLE_S", "idle")]
fn an_agent_that_did_not_end_is_not_waited_for(#[case] limit: &str, #[case] class: &str) {
    let mut project = Project::with(&[task("1")], &[on("plan").does([print("hm"), Step::Hang])]);
    project.env(&format!("LOOPER_AGENTS_FAKE_AGENT_{limit}"), "1");
    let pair = Pair::of(project);
    pair.record(&["-i", "1"], Some(0));
    let page = pair.page("0001-plan-1/call.json");
    pair.edit("0001-plan-1/call.json", |text| {
        text.replace(
            &format!("\"duration_ms\": {}", page["end"]["duration_ms"]),
            "\"duration_ms\": 3600000",
        )
    });
    pair.replay(&["-i", "1"], Some(0));
    let log = pair.second.log();
    let ended = log.last("plan_finished");
    assert_eq!((&ended["class"], &ended["duration_ms"]), (&class.into(), &3_600_000.into()));
}

#[test]
fn an_interruption_is_told_again() {
    let cut = implementer([write("mess", "x"), print("hm"), sh(&kill("INT")), Step::Hang]);
    let pair = Pair::new(&[task("1")], &first(cut));
    pair.record(&[], Some(130));
    pair.record(&[], Some(0));
    pair.replay(&[], Some(130));
    pair.replay(&[], Some(0));
    pair.is_told_again();
}

/// A tape that was cut off says so, and what came after it is told all the same.
#[test]
fn a_recording_that_was_killed_is_no_recording() {
    let cut = implementer([write("mess", "x"), sh(&kill("KILL")), Step::Hang]);
    let pair = Pair::new(&[task("1")], &first(cut));
    let tape = pair.tape().display().to_string();
    let ran = pair.first.looper(&["run", "--record", &tape]);
    assert_eq!(ran.status.code(), None, "{ran}");
    pair.record(&[], Some(0));
    let agent = format!("replay:{tape}");
    let told = pair.second.looper(&["run", "--agent", &agent]).exits(74);
    let told = told.says("no recording for call 1 of implement in attempt 1 at task 1");
    told.says("0003-implement-1 was cut off");
    pair.replay(&[], Some(0));
    // What it had done by then nobody knows, so nothing of it is rolled back.
    let rolled_back =
        |project: &Project| project.log().last("rollback_finished")["removed"].clone();
    assert_eq!(rolled_back(&pair.first), serde_json::json!(["mess"]));
    assert_eq!(rolled_back(&pair.second), serde_json::json!([]));
    let names = |project: &Project| project.log().names().join(" ");
    assert_eq!(names(&pair.first), names(&pair.second));
    assert_eq!(pair.first.manifest(), pair.second.manifest());
}

/// What git keeps is not on the tape: it is put back after every stage, and decides nothing.
#[test]
fn an_agent_that_commits_is_told_again_without_its_commit() {
    let commits = [write("src/1.txt", "x"), sh("git add -A . && git commit -qm mine")];
    let pair = Pair::new(&[task("1")], &[implementer(commits)]);
    pair.record(&[], Some(0));
    pair.replay(&[], Some(0));
    let tree = |project: &Project| project.git(&["rev-parse", "HEAD^{tree}"]);
    assert_eq!(tree(&pair.first), tree(&pair.second));
    let rescued = |project: &Project| project.log().last("implement_finished")["rescued"].clone();
    assert_ne!(rescued(&pair.first), rescued(&pair.second));
}

/// An agent that cannot be started, and a prompt that does not fit, are told again too.
#[test]
fn what_was_not_started_is_not_started_again() {
    let mut project = Project::with(&[task("1")], &[]);
    let gone = project.place().join("bin/gone");
    symlink(env!("CARGO_BIN_EXE_fake-agent"), &gone).unwrap();
    project.config("[agents.gone]\ncommand = [\"gone\"]");
    project.env("LOOPER_ROLES_PLAN_CRITIQUE", "gone");
    project.script(&[on("plan").does([sh(&format!("rm -f {}", gone.display())), print("a plan")])]);
    let pair = Pair::of(project);
    pair.record(&[], Some(1));
    pair.replay(&[], Some(1));
    pair.is_told_again();
    assert_eq!(pair.second.log().last("plan_critique_finished")["class"], "missing");
}
