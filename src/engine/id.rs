//! Names for the things the engine talks about.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps text that the caller has already checked.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as written in the log.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A backlog task, without the word `Task`: `1.2`.
    TaskId
);
text_id!(
    /// One run of the loop: a ULID.
    RunId
);
text_id!(
    /// A git commit, in hex.
    CommitId
);
text_id!(
    /// A git tree, in hex.
    TreeId
);
text_id!(
    /// Evidence on disk, named by the SHA-256 of its content, in hex.
    ObjectId
);
text_id!(
    /// The SHA-256 of a file's bytes, in hex.
    Digest
);
text_id!(
    /// An agent as named in the configuration.
    AgentName
);

/// Position of an event in the log, from one, without gaps. Zero is "before the first event".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A path inside the repository as git knows it: bytes, relative, forward slashes, no `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoPath(Box<[u8]>);

/// A path that does not lie inside a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a path inside the repository", .path.escape_ascii())]
pub struct BadPath {
    path: Vec<u8>,
}

impl RepoPath {
    /// Checks a path that comes from outside.
    ///
    /// # Errors
    /// The path is empty or absolute, holds a NUL, or has an empty, `.` or `..` component.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, BadPath> {
        let path = bytes.into();
        let bad = |part: &[u8]| matches!(part, b"" | b"." | b"..") || part.contains(&0);
        if path.split(|byte| *byte == b'/').any(bad) {
            return Err(BadPath { path });
        }
        Ok(Self(path.into_boxed_slice()))
    }

    /// The bytes as git stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, where the path is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

/// Safe to print: control characters and invalid UTF-8 are escaped.
impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                if char.is_control() {
                    write!(f, "{}", char.escape_default())?;
                } else {
                    write!(f, "{char}")?;
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Text where the path is UTF-8, otherwise `{"b64": "…"}`.
impl Serialize for RepoPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => Base64 { b64: BASE64.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match PathForm::deserialize(deserializer)? {
            PathForm::Text(text) => text.into_bytes(),
            PathForm::Bytes(Base64 { b64 }) => {
                BASE64.decode(b64).map_err(serde::de::Error::custom)?
            }
        };
        Self::new(bytes).map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64 {
    b64: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PathForm {
    Text(String),
    Bytes(Base64),
}

impl JsonSchema for RepoPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RepoPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A path inside the repository; base64 where it is not UTF-8.",
            "oneOf": [
                { "type": "string", "minLength": 1 },
                {
                    "type": "object",
                    "properties": { "b64": { "type": "string" } },
                    "required": ["b64"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain(b"src/a.rs", true)]
    #[case::space_and_newline(b"a b\nc", true)]
    #[case::not_utf8(b"bad\xff.txt", true)]
    #[case::empty(b"", false)]
    #[case::absolute(b"/etc/passwd", false)]
    #[case::parent(b"a/../b", false)]
    #[case::dot(b"./a", false)]
    #[case::nul(b"a\0b", false)]
    fn a_path_stays_inside_the_repository(#[case] bytes: &[u8], #[case] want: bool) {
        assert_eq!(RepoPath::new(bytes).is_ok(), want);
    }

    #[rstest]
    #[case::text(b"src/\xc3\xa4.rs", r#""src/ä.rs""#)]
    #[case::bytes(b"bad\xff", r#"{"b64":"YmFk/w=="}"#)]
    fn a_path_survives_json(#[case] bytes: &[u8], #[case] want: &str) {
        let path = RepoPath::new(bytes).unwrap();
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(json, want);
        assert_eq!(serde_json::from_str::<RepoPath>(&json).unwrap(), path);
    }

    #[test]
    fn a_printed_path_holds_no_control_characters() {
        let path = RepoPath::new(*b"a\x1b[2J\xff").unwrap();
        assert_eq!(path.to_string(), r"a\u{1b}[2J\xff");
    }
}
