//! What can go wrong with objects in memory.

#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    #[error("damaged {what} {id}")]
    Damaged { what: &'static str, id: String },
    #[error("no object name: {text}")]
    BadId { text: String },
    #[error("no object {id}")]
    Missing { id: String },
}
