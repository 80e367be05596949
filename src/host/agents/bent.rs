//! Frames that are torn, bent, doubled or too long.

use rstest::rstest;

use super::transcripts::said;
use crate::engine::report::Class;

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
#[case("opencode", r#"{"type":"step_finish","part":["stop"]}"#)]
#[case("pi", r#"{"type":"agent_end","type":"x"}"#)]
#[case("copilot", r#"{"type":"result","exitCode":"0"}"#)]
#[case("copilot", r#"{"type":"result","exitCode":1,"exitCode":0}"#)]
#[case("copilot", r#"{"type":"result"}"#)]
fn a_bent_end_is_no_good_end(#[case] format: &str, #[case] end: &str) {
    let mut lines = good(format);
    assert_eq!(said(format, lines.join("\n")).class, Class::Ok);
    lines.pop();
    lines.push(end.into());
    let answer = said(format, lines.join("\n"));
    assert_eq!((answer.class, answer.message), (Class::Crashed, None), "{end}");
}

/// What came before must not stand in for what cannot be read.
#[rstest]
#[case("codex", r#"{"type":"item.completed","item":{"id":"b","type":"agent_message","text":7}}"#)]
#[case(
    "codex",
    r#"{"type":"item.completed","item":{"id":"b","type":"agent_message","text":"VERDICT: FAIL"}"#
)]
#[case("codex", r#"{"type":"item.completed","item":["agent_message","b","VERDICT: FAIL"]}"#)]
#[case("codex", "\u{1b}]0;x\u{7}{\"type\":\"item.completed\",\"item\":{}}")]
#[case("codex", r#"{"type":"item.upda{"type":"item.completed","item":{}}"#)]
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
    let answer = said(format, lines.join("\n"));
    assert_eq!((answer.class, answer.message), (Class::Empty, None), "{last}");
}

/// A bad end counts, even if nobody can read more of it than that it is one.
#[rstest]
#[case("claude", r#"{"is_error":true,"x":"\ud800","type":"result"}"#)]
#[case("gemini", r#"{"status":"error","x":"\ud800","type":"result"}"#)]
#[case("copilot", r#"{"exitCode":1,"x":"\ud800","type":"result"}"#)]
#[case("claude", "\0{\"type\":\"result\",\"is_error\":true}")]
#[case("claude", r#"{"type":"resu"#)]
fn a_bad_end_that_cannot_be_read_undoes_a_good_one(#[case] format: &str, #[case] end: &str) {
    let mut lines = good(format);
    lines.push(end.into());
    let answer = said(format, lines.join("\n"));
    assert_eq!((answer.class, answer.message), (Class::Crashed, None), "{end}");
}

/// Nothing follows an answer that the room would be needed for.
#[rstest]
#[case("threshold", Class::Ok)]
#[case("overflow", Class::Context)]
fn pi_need_not_make_room_after_its_answer(#[case] reason: &str, #[case] class: Class) {
    let mut lines = good("pi");
    lines.push(format!(
        r#"{{"type":"compaction_end","reason":"{reason}","errorMessage":"Auto-compaction failed: x"}}"#
    ));
    assert_eq!(said("pi", lines.join("\n")).class, class);
}

#[rstest]
#[case("claude", r#"{"type":"result","total_cost_usd":-1}"#)]
#[case("opencode", r#"{"type":"step_finish","part":{"cost":-1}}"#)]
#[case(
    "pi",
    r#"{"type":"message_end","message":{"role":"assistant","usage":{"cost":{"total":-1}}}}"#
)]
fn nothing_costs_less_than_nothing(#[case] format: &str, #[case] frame: &str) {
    assert_eq!(said(format, frame).usage.cost_usd, None);
    assert!(said(format, frame.replace("-1", "1")).usage.cost_usd.is_some());
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
    let answer = said(format, lines.join("\n"));
    assert_eq!(answer.unknown_frames, ["a line of more than 1 MiB"]);
    assert_eq!(answer.message.as_deref(), Some("VERDICT: PASS"));
}
