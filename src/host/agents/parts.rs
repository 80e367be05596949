//! A message that comes in parts: texts, thoughts, uses of tools.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::fields::{Loose, Object, Text};

/// The parts of a message, put together.
#[derive(Default)]
pub(super) struct Content<'a> {
    /// Its texts.
    pub(super) said: String,
    /// Its uses of tools.
    pub(super) tools: Vec<Part<'a>>,
}

/// One of them.
#[derive(Deserialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) id: Loose<Option<Text<'a>>>,
    #[serde(borrow, default)]
    pub(super) name: Loose<Option<Text<'a>>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Content<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or its parts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Content<'de>, E> {
                Ok(Content { said: text.into(), tools: vec![] })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content<'de>, A::Error> {
                let mut content = Content::default();
                while let Some(Object(part)) = parts.next_element::<Object<Part<'de>>>()? {
                    content.said.push_str(part.text.as_deref().unwrap_or_default());
                    if part.kind.text().is_some_and(|kind| kind.ends_with("tool_use")) {
                        content.tools.push(part);
                    }
                }
                Ok(content)
            }
        }

        deserializer.deserialize_any(Parts)
    }
}
