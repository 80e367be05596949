//! Streams with a bad line in them, held against a plain reading of what was meant.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::transcripts::said;
use crate::engine::report::Class;

const FORMATS: [&str; 7] = ["codex", "claude", "qwen", "gemini", "opencode", "pi", "copilot"];

/// What does not change what a frame says, and then what makes it unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bend {
    None,
    CarriageReturn,
    Spaces,
    EscapedKey,
    TypeLast,
    Cut(usize),
    Before(&'static str),
    TwoTypes,
    HalfACharacter,
    HalfACharacterTypeLast,
    NoText,
    NoTextTypeLast,
    Glued(usize),
}

impl Bend {
    fn is_harmless(self) -> bool {
        use Bend::{CarriageReturn, EscapedKey, None, Spaces, TypeLast};
        matches!(self, None | CarriageReturn | Spaces | EscapedKey | TypeLast)
    }

    fn begins_with_type(self) -> bool {
        use Bend::{EscapedKey, HalfACharacterTypeLast, NoTextTypeLast, Spaces, TypeLast};
        !matches!(self, EscapedKey | HalfACharacterTypeLast | NoTextTypeLast | Spaces | TypeLast)
    }

    /// The line, and whether the next one follows without an end of this one.
    fn line(self, frame: &Value) -> (Vec<u8>, bool) {
        let text = written(frame, false);
        let inside = |text: &str| text[..text.len() - 1].to_owned();
        let half = |text: &str| format!("{},\"zzz\":\"\\ud800\"}}", inside(text)).into_bytes();
        let no_text = |text: &str| [inside(text).as_bytes(), b",\"zzz\":\"\xff\"}"].concat();
        let cut = |at: usize| text.as_bytes()[..10 + at % (text.len() - 10)].to_vec();
        let line = match self {
            Self::None => text.into_bytes(),
            Self::CarriageReturn => format!("{text}\r").into_bytes(),
            Self::Spaces => format!("  {}", text.replacen(':', " : ", 1)).into_bytes(),
            Self::EscapedKey => text.replacen("type", "\\u0074ype", 1).into_bytes(),
            Self::TypeLast => written(frame, true).into_bytes(),
            Self::Cut(at) | Self::Glued(at) => cut(at),
            Self::Before(what) => format!("{what}{text}").into_bytes(),
            Self::TwoTypes => format!("{},\"type\":\"new\"}}", inside(&text)).into_bytes(),
            Self::HalfACharacter => half(&text),
            Self::HalfACharacterTypeLast => half(&written(frame, true)),
            Self::NoText => no_text(&text),
            Self::NoTextTypeLast => no_text(&written(frame, true)),
        };
        (line, matches!(self, Self::Glued(_)))
    }
}

fn written(frame: &Value, type_last: bool) -> String {
    let fields = frame.as_object().unwrap();
    let (kind, mut others): (Vec<_>, Vec<_>) = fields.iter().partition(|(key, _)| *key == "type");
    let kind = kind[0];
    others.insert(if type_last { others.len() } else { 0 }, kind);
    let fields: Vec<String> =
        others.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn bend() -> impl Strategy<Value = Bend> {
    let noise =
        select(&["\0", "\u{feff}", "\u{1b}]0;title\u{7}", "a tool says ", "{\"type\":"][..]);
    prop_oneof![
        6 => Just(Bend::None),
        1 => select(&[Bend::CarriageReturn, Bend::Spaces, Bend::EscapedKey, Bend::TypeLast][..]),
        1 => any::<usize>().prop_map(Bend::Cut),
        1 => noise.prop_map(Bend::Before),
        1 => select(&[
            Bend::TwoTypes,
            Bend::HalfACharacter,
            Bend::HalfACharacterTypeLast,
            Bend::NoText,
            Bend::NoTextTypeLast,
        ][..]),
        1 => any::<usize>().prop_map(Bend::Glued),
    ]
}

/// A frame that begins a run and says nothing, so that what follows is never plain text.
fn first(format: &str) -> Value {
    json!({"type": match format {
        "codex" => "turn.started",
        "claude" | "qwen" => "system",
        "gemini" => "init",
        "opencode" => "step_start",
        "pi" => "agent_start",
        _ => "assistant.idle",
    }})
}

fn frames(format: &str) -> Vec<Value> {
    let mut frames = vec![];
    for word in ["PASS", "FAIL"] {
        frames.push(match format {
            "codex" => json!({"type": "item.completed",
                "item": {"id": "a", "type": "agent_message", "text": word}}),
            "claude" | "qwen" => json!({"type": "assistant",
                "message": {"content": [{"type": "text", "text": word}]}}),
            "gemini" => json!({"type": "message", "role": "assistant", "content": word}),
            "opencode" => json!({"type": "text", "part": {"text": word}}),
            "pi" => json!({"type": "message_end", "message": {"role": "assistant",
                "content": [{"type": "text", "text": word}], "stopReason": "stop"}}),
            _ => json!({"type": "assistant.message", "data": {"content": word}}),
        });
    }
    frames.extend(match format {
        "codex" => vec![
            json!({"type": "item.completed", "item": {"id": "b", "type": "command_execution"}}),
            json!({"type": "turn.completed", "usage": {}}),
            json!({"type": "turn.completed", "usage": {}}),
            json!({"type": "turn.failed", "error": {"message": "no"}}),
        ],
        "claude" | "qwen" => vec![
            json!({"type": "assistant", "parent_tool_use_id": "t",
                "message": {"content": [{"type": "text", "text": "a subagent"}]}}),
            json!({"type": "user", "message": {"content": [{"type": "tool_result"}]}}),
            json!({"type": "result", "subtype": "success", "is_error": false}),
            json!({"type": "result", "subtype": "success", "is_error": false, "result": "end"}),
            json!({"type": "result", "subtype": "success", "is_error": true, "result": "no"}),
        ],
        "gemini" => vec![
            json!({"type": "tool_result", "tool_id": "a"}),
            json!({"type": "result", "status": "success"}),
            json!({"type": "result", "status": "success"}),
            json!({"type": "result", "status": "error"}),
        ],
        "opencode" => vec![
            json!({"type": "step_start"}),
            json!({"type": "tool_use", "part": {"callID": "a", "tool": "bash"}}),
            json!({"type": "step_finish", "part": {"reason": "stop"}}),
            json!({"type": "step_finish", "part": {"reason": "stop"}}),
            json!({"type": "step_finish", "part": {"reason": "tool-calls"}}),
            json!({"type": "error", "error": {"name": "x"}}),
        ],
        "pi" => vec![
            json!({"type": "message_end", "message": {"role": "toolResult", "content": []}}),
            json!({"type": "message_end", "message": {"role": "assistant",
                "content": [{"type": "text", "text": "half"}], "stopReason": "length"}}),
            json!({"type": "agent_start"}),
            json!({"type": "agent_end", "messages": []}),
            json!({"type": "agent_end", "messages": []}),
        ],
        _ => vec![
            json!({"type": "tool.execution_start", "data": {"toolCallId": "a"}}),
            json!({"type": "assistant.message",
                "data": {"content": "a subagent", "parentToolCallId": "t"}}),
            json!({"type": "result", "exitCode": 0}),
            json!({"type": "result", "exitCode": 0}),
            json!({"type": "result", "exitCode": 1}),
        ],
    });
    frames
}

/// What these frames mean, read without haste. `None`: no good end.
fn meant(format: &str, frames: &[Value]) -> Option<String> {
    let (mut words, mut is_over, mut has_stopped) = (String::new(), false, false);
    for frame in frames {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match (format, frame["type"].as_str().unwrap()) {
            ("codex", "item.completed") if frame["item"]["type"] == "agent_message" => {
                (words, is_over) = (text(&frame["item"]["text"]), false);
            }
            ("codex", "turn.completed") => is_over = true,
            ("codex", "turn.failed") => is_over = false,
            ("claude" | "qwen", "assistant") => {
                is_over = false;
                if frame["parent_tool_use_id"].is_null() {
                    words = text(&frame["message"]["content"][0]["text"]);
                }
            }
            ("claude" | "qwen", "result") => {
                is_over = frame["is_error"] == false;
                if let Some(said) = frame["result"].as_str().filter(|_| is_over) {
                    words = said.into();
                }
            }
            ("gemini", "message") => {
                words.push_str(&text(&frame["content"]));
                is_over = false;
            }
            ("gemini", "tool_result") => words.clear(),
            ("gemini", "result") => is_over = frame["status"] == "success",
            ("opencode", "step_start") => (words, is_over) = (String::new(), false),
            ("opencode", "text") => {
                words.push_str(&text(&frame["part"]["text"]));
                is_over = false;
            }
            ("opencode", "step_finish") => is_over = frame["part"]["reason"] == "stop",
            ("opencode", "error") => is_over = false,
            ("pi", "agent_start") => (is_over, has_stopped) = (false, false),
            ("pi", "message_end") if frame["message"]["role"] == "assistant" => {
                words = text(&frame["message"]["content"][0]["text"]);
                has_stopped = frame["message"]["stopReason"] == "stop";
                is_over = false;
            }
            ("pi", "agent_end") => is_over = is_over || has_stopped,
            ("copilot", "assistant.message") => {
                is_over = false;
                if frame["data"]["parentToolCallId"].is_null() {
                    words = text(&frame["data"]["content"]);
                }
            }
            ("copilot", "result") => is_over = frame["exitCode"] == 0,
            _ => {}
        }
    }
    Some(words).filter(|words| is_over && !words.is_empty())
}

fn stream() -> impl Strategy<Value = (&'static str, Vec<(Value, Bend)>)> {
    select(&FORMATS[..]).prop_flat_map(|format| {
        let frames = vec((select(frames(format)), bend()), 0..10);
        (Just(format), frames)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bad_line_makes_an_answer_of_what_was_none((format, mut lines) in stream()) {
        lines.insert(0, (first(format), Bend::None));
        let frames: Vec<Value> = lines.iter().map(|(frame, _)| frame.clone()).collect();
        let mut bytes = vec![];
        for (number, (frame, bend)) in lines.iter().enumerate() {
            let (line, is_glued) = bend.line(frame);
            bytes.extend(line);
            // Behind a torn frame, one is found by its type, with which every program begins it.
            let is_found = lines.get(number + 1).is_none_or(|(_, next)| next.begins_with_type());
            if !(is_glued && is_found) {
                bytes.push(b'\n');
            }
        }
        let answer = said(format, &bytes);
        let meant = meant(format, &frames);
        prop_assert_eq!(answer.message.is_some(), answer.class == Class::Ok);
        if lines.iter().all(|(_, bend)| bend.is_harmless()) {
            prop_assert_eq!(answer.message, meant);
        } else if answer.message.is_some() {
            prop_assert_eq!(answer.message, meant);
        }
    }
}
