//! Answers in the language of Google's models.

use serde_json::{Value, json};

use super::request::Request;
use super::turn::{TOKENS, Turn};

/// The events of a stream.
pub(super) fn events(request: &Request, turn: &Turn) -> Vec<String> {
    let mut parts: Vec<Value> = turn.pieces().map(|piece| json!({"text": piece})).collect();
    parts.extend(used(turn));
    let mut events: Vec<Value> =
        parts.into_iter().map(|part| answer(request, &[part], None)).collect();
    events.push(answer(request, &[json!({"text": ""})], Some("STOP")));
    events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect()
}

/// The answer at once.
pub(super) fn whole(request: &Request, turn: &Turn) -> Value {
    let mut parts = vec![json!({"text": turn.text})];
    parts.extend(used(turn));
    answer(request, &parts, Some("STOP"))
}

fn used(turn: &Turn) -> Option<Value> {
    let tool = turn.tool.as_ref()?;
    Some(json!({"functionCall": {"name": tool.name, "args": tool.fields()}}))
}

fn answer(request: &Request, parts: &[Value], reason: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(reason) = reason {
        candidate["finishReason"] = reason.into();
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": TOKENS.input,
            "cachedContentTokenCount": TOKENS.cached,
            "candidatesTokenCount": TOKENS.output,
            "totalTokenCount": TOKENS.input + TOKENS.output,
        },
        "modelVersion": request.model,
        "responseId": "answer-1",
    })
}
