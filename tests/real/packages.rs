//! The programs from their registry: one version of each, installed once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::program::Program;

/// What the machine is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What can be had, and no long waits.
    Auto,
    /// The same, but it must be had.
    Required,
    /// What can be had, however long it takes.
    All,
}

/// How much is wanted, or why nothing.
pub(crate) fn wanted() -> Result<Wanted, String> {
    match std::env::var("LOOPER_REAL").as_deref() {
        Ok("auto") => Ok(Wanted::Auto),
        Ok("required") => Ok(Wanted::Required),
        Ok("all") => Ok(Wanted::All),
        Ok(other) => panic!("LOOPER_REAL={other}: auto, required and all are known"),
        Err(_) => Err("LOOPER_REAL is not set".to_owned()),
    }
}

/// The folder with one program, installed now if it is not there. The error says why it cannot be.
/// A registry that is out of reach is not waited for by every test again.
pub(crate) fn installed(program: Program) -> Result<PathBuf, String> {
    static KNOWN: Mutex<BTreeMap<&str, Result<PathBuf, String>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(program.known().name).or_insert_with(|| install_once(program)).clone()
}

fn install_once(program: Program) -> Result<PathBuf, String> {
    let known = program.known();
    let dir = cache().join(known.name);
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    // Two processes that install the same thing would break each other's.
    let lock = File::create(dir.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| format!("{}: {error}", dir.display()))?;
    if !is_there(&dir, program) {
        install(&dir, &format!("{}@{}", known.package, known.version))?;
    }
    if is_there(&dir, program) { Ok(dir) } else { Err(format!("{} is incomplete", dir.display())) }
}

fn cache() -> PathBuf {
    let below_target = || Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-clis");
    std::env::var_os("LOOPER_REAL_CLIS").map_or_else(below_target, PathBuf::from)
}

/// Npm writes its own note about what is there at the very end.
fn is_there(dir: &Path, program: Program) -> bool {
    let known = program.known();
    let modules = dir.join("node_modules");
    let manifest = fs::read(modules.join(known.package).join("package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let is_whole = modules.join(".package-lock.json").exists() && program.entry(dir).exists();
    is_whole && manifest["version"] == known.version
}

fn install(dir: &Path, package: &str) -> Result<(), String> {
    let mut npm = Command::new("timeout");
    npm.args(["300", "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]);
    npm.arg(dir).arg(package).current_dir(dir);
    let done = npm.output().map_err(|error| format!("npm cannot be started: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let tells = |line: &&str| line.contains("error") || line.contains("failed");
    let line = said.lines().find(tells).unwrap_or("it does not say why");
    Err(format!("npm cannot install {package}: {line} ({})", done.status))
}
