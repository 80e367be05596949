//! placeholder until the policy room lands
use super::id::RepoPath;
/// D.
pub struct Denial {
    /// W.
    pub why: String,
}
/// D.
pub fn denied(command: &str) -> Option<Denial> {
    command.starts_with("sudo ").then(|| Denial { why: "sudo".into() })
}
/// S.
pub fn secret_path(path: &RepoPath) -> Option<&'static str> {
    (path.as_bytes() == b".env").then_some("env")
}
/// F.
pub fn files_named_by(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}
