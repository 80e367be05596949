//! What agents print, in each format.

use looper::engine::at::At;
use looper::engine::report::Class;
use looper::host::agents::{Answer, Evidence, Format, read};
use looper::host::process::{Cause, Ended, Exit};
use serde_json::Value;

use crate::files::file;

const FORMATS: [Format; 8] = [
    Format::Codex,
    Format::Claude,
    Format::Qwen,
    Format::Gemini,
    Format::Opencode,
    Format::Text,
    Format::Pi,
    Format::Copilot,
];

const MEBIBYTE: usize = 1 << 20;

/// The first byte says which format, the second how it ended; a form feed parts both streams. A
/// good end needs exit code zero and the frame this program ends with, or no frame at all.
pub(super) fn frames(data: &[u8]) {
    let [format, end, data @ ..] = data else { return };
    let format = FORMATS[usize::from(*format) % FORMATS.len()];
    let exit = match end % 4 {
        0 | 1 => Exit::Code(0),
        2 => Exit::Code(i32::from(end / 4) + 1),
        _ => Exit::Signal(9),
    };
    let cause = if *end < 240 { Cause::Exited } else { Cause::Idle };
    let mut streams = data.splitn(2, |byte| *byte == 0x0c);
    let (stdout, stderr) = (streams.next().unwrap_or_default(), streams.next().unwrap_or_default());
    let ended = Ended {
        exit,
        cause,
        duration_ms: 1,
        stdout_bytes: stdout.len() as u64,
        stderr_bytes: stderr.len() as u64,
        stdout_truncated: false,
        stderr_truncated: false,
        swept: 0,
        survivors: 0,
    };
    let (out, err) = (file("stdout", stdout), file("stderr", stderr));
    let now = At::from_millis(1_795_166_102_481);
    let evidence = Evidence { stdout: &out, stderr: &err, ended, now };
    let answer = read(format, &evidence).expect("both files can be read");
    assert_eq!(answer.message.is_some(), answer.class == Class::Ok);
    assert!(answer.message.as_ref().is_none_or(|message| message.len() < MEBIBYTE + 100));
    assert!(answer.error.as_ref().is_none_or(|error| error.len() <= 4096));
    assert!(answer.unknown_frames.len() <= 32);
    if answer.class == Class::Ok {
        assert!(exit.is_success() && cause == Cause::Exited);
        good(format, stdout, &answer);
    }
}

fn good(format: Format, stdout: &[u8], answer: &Answer) {
    let lines = stdout.split(|byte| *byte == b'\n').filter(|line| line.len() <= MEBIBYTE);
    let frames = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let kinds: Vec<(String, Value)> = frames
        .filter_map(|frame| Some((frame["type"].as_str()?.to_owned(), frame)))
        .filter(|(kind, _)| known(format, kind))
        .collect();
    let message = answer.message.as_deref().unwrap_or_default();
    if kinds.is_empty() {
        let whole = String::from_utf8_lossy(&stdout[..stdout.len().min(MEBIBYTE + 1)]);
        assert!(message == whole || stdout.len() > MEBIBYTE);
        return;
    }
    let is = |kind: &str, wanted: &[&str]| wanted.contains(&kind);
    let last = |wanted: &[&str]| kinds.iter().rfind(|(kind, _)| is(kind, wanted));
    let terminal = match format {
        Format::Codex => last(&["turn.started", "turn.completed", "turn.failed"])
            .is_some_and(|(kind, _)| kind == "turn.completed"),
        Format::Gemini => last(&["result"]).is_some_and(|(_, frame)| frame["status"] == "success"),
        Format::Opencode => last(&["step_start", "step_finish"]).is_some_and(|(kind, frame)| {
            kind == "step_finish" && frame["part"]["reason"] == "stop"
        }),
        // The last frame may be too long to be read.
        Format::Pi => {
            let says = |(kind, frame): &&(String, Value)| {
                kind == "agent_start" || frame["message"]["role"] == "assistant"
            };
            kinds
                .iter()
                .rfind(says)
                .is_some_and(|(_, frame)| frame["message"]["stopReason"] == "stop")
        }
        Format::Copilot => last(&["result"]).is_some_and(|(_, frame)| frame["exitCode"] == 0),
        Format::Claude | Format::Qwen => last(&["result"])
            .is_some_and(|(_, frame)| frame["is_error"] == false && frame["subtype"] == "success"),
        Format::Text => false,
    };
    assert!(terminal, "{format:?} ended well without its last frame");
}

/// Types that count as frames of a format.
fn known(format: Format, kind: &str) -> bool {
    let kinds: &[&str] = match format {
        Format::Codex => &[
            "thread.started",
            "turn.started",
            "item.started",
            "item.updated",
            "item.completed",
            "error",
            "turn.completed",
            "turn.failed",
        ],
        Format::Gemini => &["init", "message", "tool_use", "tool_result", "error", "result"],
        Format::Opencode => {
            &["step_start", "text", "reasoning", "tool_use", "step_finish", "error"]
        }
        Format::Claude | Format::Qwen => CLAUDE,
        Format::Pi => &["agent_start", "message_end", "agent_end"],
        Format::Copilot => &["assistant.message", "session.error", "result"],
        Format::Text => &[],
    };
    kinds.contains(&kind)
}

const CLAUDE: &[&str] =
    &["system", "assistant", "user", "result", "rate_limit_event", "stream_event"];
