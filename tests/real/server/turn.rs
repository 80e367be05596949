//! One answer of the model: words, or the use of a tool.

use std::ops::Add;
use std::path::Path;

use serde_json::{Value, json};

use super::request::Request;

/// What one answer says it took. What a program reports about its use is compared with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    /// As much of the input as was known already.
    pub(crate) cached: u64,
    pub(crate) output: u64,
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            cached: self.cached + other.cached,
            output: self.output + other.output,
        }
    }
}

/// What one answer costs.
pub(super) const TOKENS: Tokens = Tokens { input: 1000, cached: 200, output: 50 };

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) text: String,
    pub(super) tool: Option<Tool>,
}

/// A tool that the model uses.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) input: Input,
}

/// What a tool is given.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Fields(Value),
    /// Codex takes patches as they are.
    Text(String),
}

impl Tool {
    /// Writes a file with what the program has for that. The error says what it has instead.
    pub(super) fn write(request: &Request, path: &Path, text: &str) -> Result<Self, String> {
        let name = ["apply_patch", "write_file", "write"].into_iter();
        let Some(name) = name.into_iter().find(|name| request.tools.contains_key(*name)) else {
            return Err(format!("no tool to write with among {:?}", request.tools.keys()));
        };
        let field = field(&request.tools[name], &["file_path", "filePath"]);
        let input = match (name, field) {
            ("apply_patch", _) => {
                let lines: String = text.lines().map(|line| format!("+{line}\n")).collect();
                let path = path.display();
                Input::Text(format!(
                    "*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch\n"
                ))
            }
            (_, Some(field)) => Input::Fields(json!({ field: path, "content": text })),
            (_, None) => return Err(format!("{name} takes {}", request.tools[name])),
        };
        Ok(Self { name: name.to_owned(), input })
    }

    /// Runs a command with what the program has for that.
    pub(super) fn shell(request: &Request, command: &str) -> Result<Self, String> {
        let name = ["exec_command", "run_shell_command", "bash", "shell_command"].into_iter();
        let Some(name) = name.into_iter().find(|name| request.tools.contains_key(*name)) else {
            return Err(format!("no shell among {:?}", request.tools.keys()));
        };
        let tool = &request.tools[name];
        let mut fields = serde_json::Map::new();
        let field = field(tool, &["cmd", "command"]).unwrap_or("command");
        fields.insert(field.to_owned(), command.into());
        // Each program has its own idea of how long a command may take before it is left alone.
        for (name, value) in [
            ("description", json!("A command.")),
            ("yield_time_ms", json!(30_000)),
            ("timeout", json!(600_000)),
            ("timeout_ms", json!(600_000)),
            ("is_background", json!(false)),
        ] {
            if properties(tool).get(name).is_some() {
                fields.insert(name.to_owned(), value);
            }
        }
        Ok(Self { name: name.to_owned(), input: Input::Fields(fields.into()) })
    }

    /// What it is given, as an object.
    pub(super) fn fields(&self) -> Value {
        match &self.input {
            Input::Fields(fields) => fields.clone(),
            Input::Text(text) => json!({ "input": text }),
        }
    }
}

/// The first of these that a tool takes.
fn field<'a>(tool: &Value, names: &[&'a str]) -> Option<&'a str> {
    names.iter().find(|name| properties(tool).get(*name).is_some()).copied()
}

fn properties(tool: &Value) -> &Value {
    let schemas = ["parameters", "parametersJsonSchema"].into_iter().map(|name| &tool[name]);
    schemas.into_iter().find(|schema| schema.is_object()).map_or(&Value::Null, |s| &s["properties"])
}

impl Turn {
    pub(super) fn text(text: &str) -> Self {
        Self { text: text.to_owned(), tool: None }
    }

    pub(super) fn tool(tool: Tool) -> Self {
        Self { text: String::new(), tool: Some(tool) }
    }

    /// The words, in the pieces in which a stream brings them.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &str> {
        self.text.split_inclusive(' ').filter(|piece| !piece.is_empty())
    }
}
