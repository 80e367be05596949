//! The kinds of objects.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "not every kind is written here")]
pub(super) enum Kind {
    Blob,
    Tree,
    Commit,
    Tag,
}
