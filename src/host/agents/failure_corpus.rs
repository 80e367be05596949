//! What programs say about their failures, and what only looks like it, each where it stands.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::recordings::ended;
use super::{Answer, Evidence, Format, read};
use crate::engine::at::At;
use crate::engine::report::Class;
use crate::host::process::Cause;

/// Formats that consist of frames.
const FRAMED: [Format; 7] = [
    Format::Codex,
    Format::Claude,
    Format::Gemini,
    Format::Opencode,
    Format::Qwen,
    Format::Pi,
    Format::Copilot,
];

fn lines(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/failures").join(name);
    let text = fs::read_to_string(path).unwrap();
    let cells = |line: &str| line.split('\t').map(|cell| cell.replace("\\x1b", "\u{1b}")).collect();
    text.lines().map(cells).collect()
}

fn answer(format: Format, stdout: &str, stderr: &str, code: i32) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    fs::write(&out, stdout).unwrap();
    fs::write(&err, stderr).unwrap();
    let now = At::from_millis(1_795_194_000_000);
    let ended = ended(code, Cause::Exited);
    read(format, &Evidence { stdout: &out, stderr: &err, ended, now }).unwrap()
}

fn frames(frames: &[Value]) -> String {
    frames.iter().map(|frame| format!("{frame}\n")).collect()
}

/// The run of a program that fails and says this about it.
fn failed(format: Format, text: &str) -> Answer {
    let api_error = format!("[API Error: {text}]");
    let (end, code) = match format {
        Format::Codex => (json!({"type": "turn.failed", "error": {"message": text}}), 1),
        Format::Claude => {
            (json!({"type": "result", "subtype": "success", "is_error": true, "result": text}), 1)
        }
        Format::Gemini => {
            (json!({"type": "result", "status": "error", "error": {"message": api_error}}), 1)
        }
        Format::Opencode => (json!({"type": "error", "error": {"data": {"message": text}}}), 1),
        Format::Qwen => (
            json!({"type": "result", "subtype": "success", "is_error": false, "result": api_error}),
            0,
        ),
        Format::Pi => (
            json!({"type": "message_end", "message": {"role": "assistant", "content": [],
                "stopReason": "error", "errorMessage": text}}),
            0,
        ),
        Format::Copilot => {
            (json!({"type": "session.error", "data": {"errorType": "query", "message": text}}), 1)
        }
        Format::Text => return answer(format, "", &format!("working\n{text}\n"), 1),
    };
    let unwritten = json!({"type": "assistant", "message": {"content": [], "usage": {}}});
    let begin = if format == Format::Qwen { vec![unwritten] } else { vec![] };
    answer(format, &frames(&[begin, vec![end]].concat()), "", code)
}

fn says(format: Format, text: &str) -> Value {
    match format {
        Format::Codex => {
            json!({"type": "item.completed", "item": {"type": "agent_message", "text": text}})
        }
        Format::Claude | Format::Qwen => json!({"type": "assistant", "message": {
            "content": [{"type": "text", "text": text}], "usage": {"output_tokens": 9}}}),
        Format::Gemini => json!({"type": "message", "role": "assistant", "content": text}),
        Format::Opencode => json!({"type": "text", "part": {"type": "text", "text": text}}),
        Format::Pi => json!({"type": "message_end", "message": {"role": "assistant",
            "content": [{"type": "text", "text": text}], "stopReason": "stop"}}),
        Format::Copilot => json!({"type": "assistant.message", "data": {"content": text}}),
        Format::Text => Value::Null,
    }
}

fn tool(format: Format, text: &str) -> Value {
    match format {
        Format::Codex => json!({"type": "item.completed", "item": {"type": "command_execution",
            "command": "make", "aggregated_output": text, "exit_code": 1, "status": "failed"}}),
        Format::Claude | Format::Qwen => json!({"type": "user", "message": {"content": [
            {"type": "tool_result", "tool_use_id": "t", "is_error": true, "content": text}]}}),
        Format::Gemini => json!({"type": "tool_result", "tool_id": "t", "status": "error",
            "output": text, "error": {"message": text}}),
        Format::Opencode => json!({"type": "tool_use", "part": {"tool": "bash", "callID": "t",
            "state": {"status": "error", "input": {}, "output": text, "error": text}}}),
        Format::Pi => json!({"type": "message_end", "message": {"role": "toolResult",
            "toolCallId": "t", "toolName": "bash", "isError": true,
            "content": [{"type": "text", "text": text}]}}),
        Format::Copilot => json!({"type": "tool.execution_complete", "data": {"toolCallId": "t",
            "success": false, "error": {"message": text}, "result": {"content": text}}}),
        Format::Text => Value::Null,
    }
}

/// The frames with which a good run ends that says this.
fn end(format: Format, text: &str) -> Vec<Value> {
    let last = match format {
        Format::Codex => json!({"type": "turn.completed", "usage": {}}),
        Format::Claude | Format::Qwen => {
            json!({"type": "result", "subtype": "success", "is_error": false, "result": text})
        }
        Format::Gemini => json!({"type": "result", "status": "success", "stats": {}}),
        Format::Opencode => json!({"type": "step_finish", "part": {"reason": "stop"}}),
        Format::Pi => json!({"type": "agent_end", "messages": []}),
        Format::Copilot => json!({"type": "result", "sessionId": "s", "exitCode": 0}),
        Format::Text => Value::Null,
    };
    vec![says(format, text), last]
}

#[test]
fn what_a_program_reports_has_a_class() {
    for cells in lines("reported.tsv") {
        let [program, class, text] = &cells[..] else { panic!("{cells:?}") };
        let answer = failed(program.parse().unwrap(), text);
        assert_eq!(serde_json::to_value(answer.class).unwrap(), **class, "{program}: {text}");
        assert_eq!(answer.message, None, "{program}: {text}");
    }
}

fn is_ok(answer: &Answer, said: &str, text: &str, format: Format) {
    let is = (answer.class, answer.message.as_deref(), answer.until);
    assert_eq!(is, (Class::Ok, Some(said), None), "{format}: {text}");
}

fn is_crash(answer: &Answer, text: &str, format: Format) {
    let is = (answer.class, answer.message.as_deref(), answer.until);
    assert_eq!(is, (Class::Crashed, None, None), "{format}: {text}");
}

#[test]
fn what_looks_like_a_report_is_none() {
    for cells in lines("lookalikes.tsv") {
        let [place, text] = &cells[..] else { panic!("{cells:?}") };
        match place.as_str() {
            "message" => {
                is_ok(&answer(Format::Text, text, "", 0), text, text, Format::Text);
                for format in FRAMED {
                    let good = end(format, text);
                    is_ok(&answer(format, &frames(&good), "", 0), text, text, format);
                    is_crash(&answer(format, &frames(&good[..1]), "", 1), text, format);
                    is_crash(&answer(format, &frames(&good), "", 1), text, format);
                }
            }
            "tool" => {
                for format in FRAMED {
                    let used = [vec![tool(format, text)], end(format, "Done.")].concat();
                    is_ok(&answer(format, &frames(&used), text, 0), "Done.", text, format);
                    is_crash(&answer(format, &frames(&used[..1]), text, 1), text, format);
                }
            }
            "stdout" => is_crash(&answer(Format::Text, text, "", 1), text, Format::Text),
            "stderr" => {
                for format in Format::ALL {
                    is_crash(&answer(format, "half", text, 1), text, format);
                    is_ok(&answer(format, "Done.", text, 0), "Done.", text, format);
                }
            }
            "event" => {
                let event: Value = serde_json::from_str(text).unwrap();
                for format in [Format::Claude, Format::Qwen] {
                    let whole = [vec![event.clone()], end(format, "Done.")].concat();
                    is_ok(&answer(format, &frames(&whole), "", 0), "Done.", text, format);
                    is_crash(&answer(format, &frames(&whole[..2]), "", 1), text, format);
                    let failed =
                        json!({"type": "result", "is_error": true, "errors": ["I failed"]});
                    is_crash(
                        &answer(format, &frames(&[event.clone(), failed]), "", 1),
                        text,
                        format,
                    );
                }
            }
            _ => panic!("{place} is nowhere"),
        }
    }
}
