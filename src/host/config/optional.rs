//! A table of a configuration in which every key can be left out: what one layer says goes over what
//! the layers below it say.

/// Declares such a table.
macro_rules! optional {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(
            Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize,
            schemars::JsonSchema,
        )]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)+
        }

        impl $name {
            /// Every key.
            pub(super) const KEYS: &[&str] = &[$(stringify!($field)),+];

            /// Takes over what a layer says, and names each key it says something about.
            pub(super) fn apply(&mut self, layer: Self, note: &mut dyn FnMut(&str)) {
                $(if let Some(value) = layer.$field {
                    self.$field = Some(value);
                    note(stringify!($field));
                })+
            }

            /// Reads one value as the environment writes it; `false` where no key is called that.
            /// A comma is as good as any letter in an argument.
            pub(super) fn set(&mut self, key: &str, text: &str) -> Result<bool, String> {
                use super::env::{Form, parse};
                match key {
                    $(stringify!($field) => self.$field = Some(parse(text, Form::Plain)?),)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }
    };
}

pub(super) use optional;
