//! What a program asks of its model, whichever language it asks in.

use std::collections::BTreeMap;

use looper::engine::charter::Stage;
use serde_json::{Value, json};

/// The languages between agent programs and models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's Responses: codex.
    Responses,
    /// OpenAI's Chat Completions: opencode and qwen.
    Chat,
    /// Google's: gemini.
    Gemini,
}

impl Dialect {
    /// Told by the place that is asked.
    pub(super) fn of(path: &str) -> Option<Self> {
        if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if path.ends_with("enerateContent") {
            Some(Self::Gemini)
        } else {
            None
        }
    }
}

/// One request, understood.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) dialect: Dialect,
    pub(super) model: String,
    /// The stage that the prompt names; helpers ask without one.
    pub(super) stage: Option<Stage>,
    pub(super) task: String,
    /// What the program can do, by name.
    pub(super) tools: BTreeMap<String, Value>,
    /// How many results of tools it has reported since the prompt.
    pub(super) results: usize,
    /// A helper that wants an object for an answer.
    pub(super) wants_json: bool,
    pub(super) is_streaming: bool,
}

impl Request {
    pub(super) fn read(dialect: Dialect, path: &str, body: &Value) -> Self {
        let (words, results) = match dialect {
            Dialect::Responses => said(&body["input"], "content", |item| {
                item["type"].as_str().unwrap_or_default().ends_with("_call_output")
            }),
            Dialect::Chat => said(&body["messages"], "content", |item| item["role"] == "tool"),
            Dialect::Gemini => said(&body["contents"], "parts", |item| {
                let parts = item["parts"].as_array();
                parts.is_some_and(|parts| {
                    parts.iter().any(|part| !part["functionResponse"].is_null())
                })
            }),
        };
        let stage = words.lines().find_map(stage);
        let named = words.lines().find_map(|line| line.strip_prefix("Task "));
        let task = named.and_then(|rest| rest.split_once(':')).map_or("", |(id, _)| id);
        let (model, is_streaming) = match dialect {
            Dialect::Responses | Dialect::Chat => {
                (body["model"].as_str().unwrap_or_default(), body["stream"] == json!(true))
            }
            Dialect::Gemini => {
                let name = path.rsplit('/').next().unwrap_or_default();
                let (model, call) = name.split_once(':').unwrap_or((name, ""));
                (model, call.starts_with("stream"))
            }
        };
        let wants_json = [
            &body["text"]["format"]["schema"],
            &body["response_format"],
            &body["generationConfig"]["responseMimeType"],
        ];
        Self {
            dialect,
            model: model.to_owned(),
            stage,
            task: task.to_owned(),
            tools: tools(body),
            results,
            wants_json: wants_json.into_iter().any(|value| !value.is_null()),
            is_streaming,
        }
    }

    /// A call for a title, a summary or the choice of a model.
    pub(super) fn is_helper(&self) -> bool {
        self.stage.is_none() || self.tools.is_empty()
    }
}

fn stage(line: &str) -> Option<Stage> {
    match line {
        "# Planner" => Some(Stage::Plan),
        "# Plan Critic" => Some(Stage::PlanCritique),
        "# Implementer" => Some(Stage::Implement),
        "# Impl Critic" => Some(Stage::ImplCritique),
        _ => None,
    }
}

/// Everything the user said, and the number of items that are results of tools.
fn said(items: &Value, field: &str, is_result: impl Fn(&Value) -> bool) -> (String, usize) {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut words = String::new();
    for item in items.iter().filter(|item| item["role"] == "user") {
        flatten(&item[field], &mut words);
    }
    (words, items.iter().filter(|item| is_result(item)).count())
}

fn flatten(content: &Value, words: &mut String) {
    match content {
        Value::String(text) => {
            words.push_str(text);
            words.push('\n');
        }
        Value::Array(parts) => parts.iter().for_each(|part| flatten(part, words)),
        Value::Object(part) => {
            if let Some(text) = part.get("text") {
                flatten(text, words);
            }
        }
        _ => {}
    }
}

/// The tools that are offered, with the schema of what each takes.
fn tools(body: &Value) -> BTreeMap<String, Value> {
    let offered = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = |tool: &Value| {
        let inner = if tool["function"].is_object() { &tool["function"] } else { tool };
        let name = inner["name"].as_str().or(inner["type"].as_str());
        name.map(|name| (name.to_owned(), inner.clone()))
    };
    let groups = offered.iter().flat_map(|tool| match tool["functionDeclarations"].as_array() {
        Some(group) => group.iter().collect::<Vec<_>>(),
        None => vec![tool],
    });
    groups.filter_map(own).collect()
}
