//! Answers in OpenAI's Chat Completions.

use serde_json::{Value, json};

use super::request::Request;
use super::turn::{TOKENS, Tool, Turn};

/// The events of a stream.
pub(super) fn events(request: &Request, turn: &Turn) -> Vec<String> {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    deltas.extend(turn.pieces().map(|piece| json!({"content": piece})));
    deltas.extend(turn.tool.as_ref().map(|tool| json!({"tool_calls": [call(tool)]})));
    let mut choices: Vec<Value> = deltas
        .into_iter()
        .map(|delta| json!([{"index": 0, "delta": delta, "finish_reason": null}]))
        .collect();
    choices.push(json!([{"index": 0, "delta": {}, "finish_reason": reason(turn)}]));
    let mut chunks: Vec<Value> = choices
        .into_iter()
        .map(|choices| chunk(request, "chat.completion.chunk", choices))
        .collect();
    let mut last = chunk(request, "chat.completion.chunk", json!([]));
    last["usage"] = usage();
    chunks.push(last);
    let mut events: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// The answer at once.
pub(super) fn whole(request: &Request, turn: &Turn) -> Value {
    let mut message = json!({"role": "assistant", "content": turn.text});
    if let Some(tool) = &turn.tool {
        message["tool_calls"] = json!([call(tool)]);
    }
    let choice = json!([{"index": 0, "message": message, "finish_reason": reason(turn)}]);
    let mut whole = chunk(request, "chat.completion", choice);
    whole["usage"] = usage();
    whole
}

fn chunk(request: &Request, kind: &str, choices: Value) -> Value {
    json!({"id": "chat_1", "object": kind, "created": 1, "model": request.model, "choices": choices})
}

fn reason(turn: &Turn) -> &'static str {
    if turn.tool.is_some() { "tool_calls" } else { "stop" }
}

fn call(tool: &Tool) -> Value {
    let function = json!({"name": tool.name, "arguments": tool.fields().to_string()});
    json!({"index": 0, "id": "call_1", "type": "function", "function": function})
}

fn usage() -> Value {
    json!({
        "prompt_tokens": TOKENS.input,
        "completion_tokens": TOKENS.output,
        "total_tokens": TOKENS.input + TOKENS.output,
        "prompt_tokens_details": {"cached_tokens": TOKENS.cached},
    })
}
