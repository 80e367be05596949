//! What pi and copilot printed, what every program tells besides its answer, and bent frames.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

use super::{Answer, Evidence, Format, read};
use crate::engine::at::At;
use crate::engine::report::{Activity, Class, QuotaWindow};
use crate::host::process::{Cause, Ended, Exit};

/// The morning on which they were recorded.
const NOW: &str = "2026-11-21T05:00:00Z";

fn at(text: &str) -> At {
    At::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn answer(format: Format, stdout: &Path, stderr: &Path, code: i32) -> Answer {
    let ended = Ended {
        exit: Exit::Code(code),
        cause: Cause::Exited,
        duration_ms: 1,
        stdout_bytes: 0,
        stderr_bytes: 0,
        stdout_truncated: false,
        stderr_truncated: false,
        swept: 0,
        survivors: 0,
    };
    read(format, &Evidence { stdout, stderr, ended, now: at(NOW) }).unwrap()
}

fn folder(format: &str, case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts").join(format).join(case)
}

fn recorded(format: &str, case: &str) -> Answer {
    let folder = folder(format, case);
    let code = fs::read_to_string(folder.join("exit_code")).unwrap().trim().parse().unwrap();
    answer(format.parse().unwrap(), &folder.join("stdout"), &folder.join("stderr"), code)
}

fn said(format: &str, lines: &[String]) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    fs::write(&stdout, lines.join("\n")).unwrap();
    fs::write(&stderr, "").unwrap();
    answer(format.parse().unwrap(), &stdout, &stderr, 0)
}

const HELLO: &str = "Hello from the mock model.";
const SHELL: &str = "Done: tool_shell finished (tool results seen: 1).";
const FAIL: &str = "Done: tool_fail finished (tool results seen: 1).";

#[rstest]
#[case::pi("pi", "plain", HELLO, [800, 200, 50], Some(920))]
#[case::pi_tool("pi", "tool_shell", SHELL, [1700, 400, 105], Some(1950))]
#[case::pi_tool_that_fails("pi", "tool_fail", FAIL, [1700, 400, 105], Some(1950))]
#[case::pi_tries_again("pi", "rate_limit_once", HELLO, [800, 200, 50], Some(920))]
#[case::copilot("copilot", "plain", HELLO, [0, 0, 0], None)]
#[case::copilot_tool("copilot", "tool_shell", SHELL, [0, 0, 0], None)]
#[case::copilot_tool_that_fails("copilot", "tool_fail", FAIL, [0, 0, 0], None)]
#[case::copilot_tries_again("copilot", "rate_limit_once", HELLO, [0, 0, 0], None)]
fn a_good_run_has_an_answer_and_a_bill(
    #[case] format: &str,
    #[case] case: &str,
    #[case] message: &str,
    #[case] tokens: [u64; 3],
    #[case] micros: Option<i64>,
) {
    let answer = recorded(format, case);
    assert_eq!((answer.class, answer.message.as_deref()), (Class::Ok, Some(message)));
    assert_eq!((answer.until, answer.error), (None, None));
    let usage = answer.usage;
    assert_eq!([usage.input, usage.cached, usage.output], tokens);
    assert_eq!(usage.cost_usd.map(|cost| cost.micros()), micros);
    assert_eq!(answer.model.as_deref(), Some("mock-model"));
    assert_eq!(answer.unknown_frames, [""; 0]);
}

/// Copilot calls an answer that was cut, and asked for again in vain, a good one.
#[rstest]
#[case::pi("pi", "auth", Class::Auth)]
#[case::pi("pi", "model_not_found", Class::Auth)]
#[case::pi("pi", "rate_limit", Class::RateLimited)]
#[case::pi("pi", "usage_limit", Class::RateLimited)]
#[case::pi("pi", "quota", Class::RateLimited)]
#[case::pi("pi", "context", Class::Context)]
#[case::pi("pi", "err500", Class::Overloaded)]
#[case::pi("pi", "overloaded", Class::Overloaded)]
#[case::pi("pi", "drop", Class::Crashed)]
#[case::pi("pi", "drop_mid", Class::Crashed)]
#[case::pi("pi", "incomplete", Class::Crashed)]
#[case::pi("pi", "empty", Class::Empty)]
#[case::copilot("copilot", "auth", Class::Auth)]
#[case::copilot("copilot", "model_not_found", Class::Auth)]
#[case::copilot("copilot", "rate_limit", Class::RateLimited)]
#[case::copilot("copilot", "quota", Class::NoCredit)]
#[case::copilot("copilot", "context", Class::Context)]
#[case::copilot("copilot", "err500", Class::Overloaded)]
#[case::copilot("copilot", "overloaded", Class::Overloaded)]
#[case::copilot("copilot", "drop", Class::Overloaded)]
#[case::copilot("copilot", "drop_mid", Class::Overloaded)]
#[case::copilot("copilot", "empty", Class::Crashed)]
fn a_bad_run_has_a_class_and_no_answer(
    #[case] format: &str,
    #[case] case: &str,
    #[case] class: Class,
) {
    let answer = recorded(format, case);
    assert_eq!((answer.class, answer.message.as_deref()), (class, None));
    assert_eq!(answer.unknown_frames, [""; 0]);
}

#[rstest]
#[case("pi", "rate_limit", Some("2026-11-21T05:00:20Z"))]
#[case("pi", "usage_limit", None)]
#[case("copilot", "rate_limit", Some("2026-11-21T05:00:20Z"))]
fn a_limit_says_when_it_lifts(
    #[case] format: &str,
    #[case] case: &str,
    #[case] until: Option<&str>,
) {
    let answer = recorded(format, case);
    assert_eq!((answer.class, answer.until), (Class::RateLimited, until.map(at)));
}

#[rstest]
#[case::codex("codex", "tool_shell", "01a1f9ae-2b4f-77e2-afaf-fcbaca6d4403", [1, 1])]
#[case::codex_no_tool("codex", "plain", "01a1f9bc-0600-73f0-879e-d36923b452bf", [0, 0])]
#[case::claude("claude", "plain", "5a1c6c1e-0000-4000-8000-000000000001", [1, 1])]
#[case::gemini("gemini", "tool_shell", "10cdb82e-f325-4729-82d8-e6ec86a0b694", [1, 1])]
#[case::opencode("opencode", "tool_fail", "ses_e063c2345ffeG1cgd1vHGtZqwR", [1, 1])]
#[case::qwen("qwen", "tool_shell", "19bf1aa0-3f2a-4522-aecd-f8c73ee8585a", [1, 1])]
#[case::pi("pi", "tool_shell", "01a1fc5b-b614-7748-9cc2-cfa8ccf5c9dd", [1, 1])]
#[case::copilot("copilot", "tool_shell", "a7067f28-9fbf-483d-8130-f2c3445fcade", [1, 1])]
#[case::copilot_refused("copilot", "denied_write", "", [1, 1])]
fn a_run_names_its_session_and_counts_its_tools(
    #[case] format: &str,
    #[case] case: &str,
    #[case] session: &str,
    #[case] counts: [u64; 2],
) {
    let [tools, commands] = counts;
    let answer = recorded(format, case);
    assert_eq!(answer.activity, Some(Activity { tools, commands }));
    assert!(session.is_empty() || answer.session.as_deref() == Some(session), "{answer:?}");
}

#[rstest]
#[case::codex("codex", &[
    r#"{"type":"item.started","item":{"id":"a","type":"command_execution"}}"#,
    r#"{"type":"item.completed","item":{"id":"a","type":"command_execution"}}"#,
    r#"{"type":"item.completed","item":{"id":"b","type":"file_change"}}"#,
    r#"{"type":"item.completed","item":{"id":"c","type":"mcp_tool_call"}}"#,
    r#"{"type":"item.completed","item":{"id":"d","type":"agent_message","text":"x"}}"#,
    r#"{"type":"item.completed","item":{"id":"e","type":"todo_list","items":[]}}"#,
], [3, 1])]
#[case::claude("claude", &[
    r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"a","name":"Bash"},{"type":"tool_use","id":"b","name":"Edit"}]}}"#,
    r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"a","name":"Bash"}]}}"#,
    r#"{"type":"assistant","message":{"content":[{"type":"text","text":"tool_use Bash"}]}}"#,
], [2, 1])]
#[case::gemini("gemini", &[
    r#"{"type":"tool_use","tool_id":"a","tool_name":"run_shell_command"}"#,
    r#"{"type":"tool_use","tool_id":"b","tool_name":"write_file"}"#,
], [2, 1])]
#[case::opencode("opencode", &[
    r#"{"type":"tool_use","part":{"callID":"a","tool":"bash"}}"#,
    r#"{"type":"tool_use","part":{"callID":"a","tool":"bash"}}"#,
    r#"{"type":"tool_use","part":{"callID":"b","tool":"edit"}}"#,
], [2, 1])]
#[case::pi("pi", &[
    r#"{"type":"tool_execution_start","toolCallId":"a","toolName":"bash"}"#,
    r#"{"type":"tool_execution_end","toolCallId":"a","toolName":"bash"}"#,
    r#"{"type":"tool_execution_start","toolCallId":"b","toolName":"write"}"#,
], [2, 1])]
fn each_use_of_a_tool_counts_once(
    #[case] format: &str,
    #[case] lines: &[&str],
    #[case] counts: [u64; 2],
) {
    let [tools, commands] = counts;
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    assert_eq!(said(format, &lines).activity, Some(Activity { tools, commands }));
}

#[rstest]
#[case::warned(r#""status":"allowed_warning","rateLimitType":"five_hour","utilization":0.85,"resetsAt":1795201200"#,
    Some(("five_hour", 85, Some("2026-11-20T19:00:00Z"))))]
#[case::rounded_up(r#""status":"allowed","rateLimitType":"w","utilization":0.8501"#, Some(("w", 86, None)))]
#[case::not_by_a_hair(r#""status":"allowed","rateLimitType":"w","utilization":0.07"#, Some(("w", 7, None)))]
#[case::absurd(r#""status":"allowed","rateLimitType":"w","utilization":1e300"#, Some(("w", 1000, None)))]
#[case::negative(r#""status":"allowed","rateLimitType":"w","utilization":-1"#, Some(("w", 0, None)))]
#[case::rejected(r#""status":"rejected","rateLimitType":"w""#, Some(("w", 100, None)))]
#[case::some_day(
    r#""status":"rejected","rateLimitType":"w","resetsAt":9000000000000000000"#,
    Some(("w", 100, None))
)]
#[case::nothing_said(r#""status":"allowed","rateLimitType":"w""#, None)]
#[case::of_nothing(r#""status":"allowed","utilization":0.5"#, None)]
#[case::in_words(r#""status":"allowed","rateLimitType":"w","utilization":"0.5""#, None)]
fn claude_says_how_much_of_an_allowance_is_used(
    #[case] info: &str,
    #[case] want: Option<(&str, u32, Option<&str>)>,
) {
    let lines = [format!("{{\"type\":\"rate_limit_event\",\"rate_limit_info\":{{{info}}}}}")];
    let want = want.map(|(window, used_percent, until)| QuotaWindow {
        window: window.into(),
        used_percent,
        resets_at: until.map(at),
    });
    assert_eq!(said("claude", &lines).quota, want.into_iter().collect::<Vec<_>>());
}

/// One run of each program that ends well.
const GOOD: [(&str, &[&str]); 7] = [
    (
        "codex",
        &[
            r#"{"type":"turn.started"}"#,
            r#"{"type":"item.completed","item":{"id":"a","type":"agent_message","text":"VERDICT: PASS"}}"#,
            r#"{"type":"turn.completed","usage":{}}"#,
        ],
    ),
    (
        "claude",
        &[
            r#"{"type":"assistant","message":{"content":[{"type":"text","text":"VERDICT: PASS"}]}}"#,
            r#"{"type":"result","subtype":"success","is_error":false}"#,
        ],
    ),
    (
        "qwen",
        &[
            r#"{"type":"assistant","message":{"content":[{"type":"text","text":"VERDICT: PASS"}]}}"#,
            r#"{"type":"result","subtype":"success","is_error":false}"#,
        ],
    ),
    (
        "gemini",
        &[
            r#"{"type":"message","role":"assistant","content":"VERDICT: PASS"}"#,
            r#"{"type":"result","status":"success"}"#,
        ],
    ),
    (
        "opencode",
        &[
            r#"{"type":"step_start"}"#,
            r#"{"type":"text","part":{"text":"VERDICT: PASS"}}"#,
            r#"{"type":"step_finish","part":{"reason":"stop"}}"#,
        ],
    ),
    (
        "pi",
        &[
            r#"{"type":"agent_start"}"#,
            r#"{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":"VERDICT: PASS"}],"stopReason":"stop"}}"#,
            r#"{"type":"agent_end"}"#,
        ],
    ),
    (
        "copilot",
        &[
            r#"{"type":"assistant.message","data":{"content":"VERDICT: PASS","toolRequests":[]}}"#,
            r#"{"type":"result","exitCode":0}"#,
        ],
    ),
];

fn good(format: &str) -> Vec<String> {
    let (_, lines) = GOOD.iter().find(|(name, _)| *name == format).unwrap();
    lines.iter().map(ToString::to_string).collect()
}

/// The frame that ends a run, bent so that it says nothing for sure.
#[rstest]
#[case("codex", r#"{"type":"turn.completed","type":"turn.failed"}"#)]
#[case("codex", r#"{"type":"turn.completed","usage":{"x":"\ud800"}}"#)]
#[case("codex", r#"{"type":"turn.completed","usage":{}"#)]
#[case("claude", r#"{"type":"result","subtype":"success","is_error":"false"}"#)]
#[case("claude", r#"{"type":"result","subtype":"success","is_error":null}"#)]
#[case("claude", r#"{"type":"result","subtype":"success"}"#)]
#[case("claude", r#"{"type":"result","subtype":"success","is_error":true,"is_error":false}"#)]
#[case("claude", r#"{"type":"result","subtype":"success","is_error":false,"type":"user"}"#)]
#[case("claude", r#"{"type":"result","subtype":["success"],"is_error":false}"#)]
#[case("claude", r#"["result","success",false]"#)]
#[case("qwen", r#"{"type":"result","subtype":"success","is_error":false,"is_error":false}"#)]
#[case("gemini", r#"{"type":"result","status":"error","status":"success"}"#)]
#[case("gemini", r#"{"type":"result","status":true}"#)]
#[case("opencode", r#"{"type":"step_finish","part":{"reason":"length","reason":"stop"}}"#)]
#[case("opencode", r#"{"type":"step_finish","part":{"reason":["stop"]}}"#)]
#[case("opencode", r#"{"type":"step_finish","part":null}"#)]
#[case("pi", r#"{"type":"agent_end","type":"x"}"#)]
#[case("copilot", r#"{"type":"result","exitCode":"0"}"#)]
#[case("copilot", r#"{"type":"result","exitCode":1,"exitCode":0}"#)]
#[case("copilot", r#"{"type":"result"}"#)]
fn a_bent_end_is_no_good_end(#[case] format: &str, #[case] end: &str) {
    let mut lines = good(format);
    assert_eq!(said(format, &lines).class, Class::Ok);
    lines.pop();
    lines.push(end.into());
    let answer = said(format, &lines);
    assert_eq!((answer.class, answer.message), (Class::Crashed, None), "{end}");
}

/// What came before must not stand in for what cannot be read.
#[rstest]
#[case("codex", r#"{"type":"item.completed","item":{"id":"b","type":"agent_message","text":7}}"#)]
#[case(
    "codex",
    r#"{"type":"item.completed","item":{"id":"b","type":"agent_message","text":"VERDICT: FAIL"}"#
)]
#[case("gemini", r#"{"type":"message","role":"assistant","content":["VERDICT: FAIL"]}"#)]
#[case("opencode", r#"{"type":"text","part":{"text":["VERDICT: FAIL"]}}"#)]
#[case(
    "claude",
    r#"{"type":"assistant","message":{"content":[{"type":"text","text":["VERDICT: FAIL"]}]}}"#
)]
#[case("copilot", r#"{"type":"assistant.message","data":{"content":["VERDICT: FAIL"]}}"#)]
fn an_answer_that_cannot_be_read_is_none(#[case] format: &str, #[case] last: &str) {
    let mut lines = good(format);
    lines.insert(lines.len() - 1, last.into());
    let answer = said(format, &lines);
    assert_eq!((answer.class, answer.message), (Class::Empty, None), "{last}");
}

/// Tools print what does not fit into a line, and that is no part of the answer.
#[rstest]
#[case("codex", r#"{"type":"item.completed","item":{"id":"b","type":"command_execution","x":""#)]
#[case("claude", r#"{"type":"user","message":{"content":[{"type":"tool_result","x":""#)]
#[case("opencode", r#"{"type":"tool_use","part":{"x":""#)]
#[case("pi", r#"{"type":"message_end","message":{"role":"toolResult","x":""#)]
#[case("pi", r#"{"type":"agent_end","messages":[{"x":""#)]
#[case("copilot", r#"{"type":"tool.execution_complete","data":{"x":""#)]
fn a_long_line_of_a_tool_costs_no_answer(#[case] format: &str, #[case] start: &str) {
    let mut lines = good(format);
    let long = format!("{start}{}\"}}", "x".repeat(2 << 20));
    if start.contains("agent_end") {
        lines.pop();
    }
    let place = lines.len() - usize::from(!start.contains("agent_end"));
    lines.insert(place, long);
    let answer = said(format, &lines);
    assert_eq!(answer.unknown_frames, ["a line of more than 1 MiB"]);
    assert_eq!(answer.message.as_deref(), Some("VERDICT: PASS"));
}
