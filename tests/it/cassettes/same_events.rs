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

/// Two agents in each list that speak as claude does. The first meets a limit of an hour where it
/// is to do the first task, and whoever plans finds no capacity at first.
fn relay() -> Project {
    let rules = [
        on("plan").once().does([frame(true, "API Error: 529 Overloaded"), exit(1)]),
        on("plan").does([frame(false, "Do it.")]),
        on("plan_critique").does([frame(false, "VERDICT: PASS")]),
        implementer([write("src/1.txt", "x"), frame(false, "Done.")]).task("1"),
        implementer([write("src/2.txt", "y"), frame(false, "Done.")]),
        on("impl_critique").once().does([
            write("src/1.txt", "of a critic"),
            frame(true, "API Error: 529 Overloaded"),
            exit(1),
        ]),
        on("impl_critique").does([frame(false, "VERDICT: PASS")]),
    ];
    let mut project = Project::with(&[task("1"), task("2")], &rules);
    let list = "[\"one\", \"two\"]";
    let roles = ["plan", "plan_critique", "implement", "impl_critique"]
        .map(|role| format!("{role} = {list}\n"));
    let agents = ["one", "two"]
        .map(|name| format!("[agents.{name}]\ncommand = [\"{name}\"]\noutput = \"claude\"\n"));
    let config = format!("{}[roles]\nreview = \"two\"\n{}", agents.concat(), roles.concat());
    project.write(".looper/config.toml", config);
    let limit = "echo 'Claude AI usage limit reached|'$(($(date +%s) + 3600)) >&2; \
                 echo half > src/half.txt; exit 1";
    let is_it = "[ \"$LOOPER_STAGE $LOOPER_TASK\" = 'implement 1' ]";
    project.program("one", &format!("if {is_it}; then {limit}; fi; exec fake-agent"));
    project.program("two", "exec fake-agent");
    project.env("LOOPER_RETRY_PAUSE_S", "0");
    project
}

/// What was tried again, and what somebody else took over, is told again as it was.
#[test]
fn retries_and_a_hand_over_are_told_again() {
    let mut pair = Pair::of(relay());
    pair.second.env("LOOPER_RETRY_PAUSE_S", "0");
    for name in ["one", "two"] {
        std::fs::remove_file(pair.second.place().join("bin").join(name)).unwrap();
    }
    pair.record(&[], Some(0));
    pair.replay(&[], Some(0));
    pair.is_told_again();
    let log = pair.second.log();
    let retried: Vec<_> = log.all("stage_retried");
    let who = |data: &&serde_json::Value| {
        [&data["stage"], &data["instead_of"], &data["agent"]]
            .map(|it| it.as_str().unwrap().to_owned())
    };
    let want =
        [["plan", "one", "one"], ["implement", "one", "two"], ["impl_critique", "two", "two"]];
    assert_eq!(retried.iter().map(who).collect::<Vec<_>>(), want);
    assert_eq!(log.count("limit_lifted"), 0);
    assert_eq!(pair.second.read("src/1.txt"), "x");
}

/// A tape is told days later, when every limit on it is long over. Then it was not.
#[test]
fn a_limit_lasts_as_long_as_it_did() {
    let tasks = ["1", "2"].map(|id| task(id).files("src/**"));
    let work = |id| implementer([write(&format!("src/{id}.txt"), "x"), print("done")]).task(id);
    let project = Project::with(&tasks, &[work("1"), work("2")]);
    let agents = ["one", "two"]
        .map(|name| format!("[agents.{name}]\ncommand = [\"{name}\"]\noutput = \"text\"\n"));
    let others = ["plan", "plan_critique", "impl_critique", "review"]
        .map(|role| format!("{role} = \"two\"\n"));
    let roles = format!("[roles]\nimplement = [\"one\", \"two\"]\n{}", others.concat());
    project.write(".looper/config.toml", agents.concat() + &roles);
    let limit = "echo 'Error: 429 Too Many Requests. Please try again in 1h.' >&2; exit 1";
    project.program("one", limit);
    project.program("two", "exec fake-agent");
    let pair = Pair::of(project);
    pair.record(&[], Some(0));
    assert_eq!(pair.first.log().count("stage_retried"), 1);
    let calls = std::fs::read_dir(pair.tape()).unwrap().flatten();
    for name in calls.map(|entry| entry.file_name().into_string().unwrap()) {
        if name != "tape.json" {
            pair.edit(&format!("{name}/call.json"), three_days_ago);
        }
    }
    pair.replay(&[], Some(0));
    let names = |project: &Project| project.log().names().join(" ");
    assert_eq!(names(&pair.second), names(&pair.first));
}

fn three_days_ago(page: String) -> String {
    let mut call: serde_json::Value = serde_json::from_str(&page).unwrap();
    let at: jiff::Timestamp = call["at"].as_str().unwrap().parse().unwrap();
    call["at"] = format!("{:.3}", at - jiff::SignedDuration::from_hours(72)).into();
    call.to_string()
}
