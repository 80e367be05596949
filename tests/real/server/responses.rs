//! Answers in OpenAI's Responses.

use serde_json::{Value, json};

use super::request::Request;
use super::turn::{Input, TOKENS, Tool, Turn};

/// The events of a stream.
pub(super) fn events(request: &Request, turn: &Turn) -> Vec<String> {
    let mut events = Events { lines: vec![] };
    let begun = json!({"id": "resp_1", "object": "response", "status": "in_progress", "model": request.model, "output": []});
    events.push(json!({"type": "response.created", "response": begun}));
    match &turn.tool {
        Some(tool) => events.tool(tool),
        None => events.message(turn),
    }
    events.push(json!({"type": "response.completed", "response": whole(request, turn)}));
    events.lines
}

/// The answer at its end.
pub(super) fn whole(request: &Request, turn: &Turn) -> Value {
    let item = turn.tool.as_ref().map_or_else(|| message(&turn.text), call);
    json!({
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": request.model,
        "output": [item],
        "usage": {
            "input_tokens": TOKENS.input,
            "input_tokens_details": {"cached_tokens": TOKENS.cached},
            "output_tokens": TOKENS.output,
            "output_tokens_details": {"reasoning_tokens": 10},
            "total_tokens": TOKENS.input + TOKENS.output,
        },
    })
}

struct Events {
    lines: Vec<String>,
}

impl Events {
    fn push(&mut self, mut event: Value) {
        event["sequence_number"] = self.lines.len().into();
        let kind = event["type"].as_str().unwrap_or_default();
        self.lines.push(format!("event: {kind}\ndata: {event}\n\n"));
    }

    fn message(&mut self, turn: &Turn) {
        let begun = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []});
        self.push(json!({"type": "response.output_item.added", "output_index": 0, "item": begun}));
        let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
        let place = |kind: &str| json!({"type": kind, "item_id": "msg_1", "output_index": 0, "content_index": 0});
        let with = |mut event: Value, name: &str, value: Value| {
            event[name] = value;
            event
        };
        self.push(with(place("response.content_part.added"), "part", part("")));
        for piece in turn.pieces() {
            self.push(with(place("response.output_text.delta"), "delta", piece.into()));
        }
        self.push(with(place("response.output_text.done"), "text", turn.text.as_str().into()));
        self.push(with(place("response.content_part.done"), "part", part(&turn.text)));
        let item = message(&turn.text);
        self.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
    }

    fn tool(&mut self, tool: &Tool) {
        let item = call(tool);
        self.push(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
        self.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
    }
}

fn message(text: &str) -> Value {
    let content = [json!({"type": "output_text", "text": text, "annotations": []})];
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
}

fn call(tool: &Tool) -> Value {
    let mut item =
        json!({"id": "item_1", "call_id": "call_1", "name": tool.name, "status": "completed"});
    let (kind, field, input) = match &tool.input {
        Input::Text(text) => ("custom_tool_call", "input", text.clone()),
        Input::Fields(fields) => ("function_call", "arguments", fields.to_string()),
    };
    item["type"] = kind.into();
    item[field] = input.into();
    item
}
