//! Does what a script says.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::ScriptedError;
use super::call::Call;
use super::child::ignore_term;
use super::script::Step;

/// How much of a long run of bytes is written at once.
static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// Takes the steps until one of them is the end.
pub(super) fn follow(
    steps: &[Step],
    call: &Call,
    folder: &Path,
) -> Result<ExitCode, ScriptedError> {
    for step in steps {
        if let Some(code) = step.take(call, folder)? {
            return Ok(ExitCode::from(code));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Step {
    /// `Some` ends the agent with that code.
    fn take(&self, call: &Call, folder: &Path) -> Result<Option<u8>, ScriptedError> {
        match self {
            Self::Print(text) => print(format!("{text}\n").as_bytes())?,
            Self::PrintStderr(text) => io::stderr()
                .write_all(format!("{text}\n").as_bytes())
                .map_err(ScriptedError::io("write", "standard error"))?,
            Self::PrintFile(path) => {
                let path = folder.join(path);
                print(&fs::read(&path).map_err(ScriptedError::io("read", path))?)?;
            }
            Self::PrintBytes(count) => print_bytes(*count)?,
            Self::Write { path, text } => {
                make_folder_of(path)?;
                fs::write(path, text).map_err(ScriptedError::io("write", path))?;
            }
            Self::Append { path, text } => {
                make_folder_of(path)?;
                let file = OpenOptions::new().append(true).create(true).open(path);
                file.and_then(|mut file| file.write_all(text.as_bytes()))
                    .map_err(ScriptedError::io("write", path))?;
            }
            Self::Delete(path) => delete(path).map_err(ScriptedError::io("delete", path))?,
            Self::Mkdir(path) => {
                fs::create_dir_all(path).map_err(ScriptedError::io("make", path))?;
            }
            Self::Symlink { path, target } => {
                make_folder_of(path)?;
                symlink(target, path).map_err(ScriptedError::io("link", path))?;
            }
            Self::Chmod { path, mode } => chmod(path, mode)?,
            Self::Rename { from, to } => {
                make_folder_of(to)?;
                fs::rename(from, to).map_err(ScriptedError::io("rename", from))?;
            }
            Self::SleepMs(ms) => thread::sleep(Duration::from_millis(*ms)),
            Self::Run(argv) => return run(argv),
            Self::Exit(code) => return Ok(Some(*code)),
            Self::Crash => crash(),
            Self::IgnoreTerm => ignore_term()?,
            Self::LeaveChild(child) => child.start()?,
            Self::ExpectPrompt(text) if call.prompt.contains(text.as_str()) => {}
            Self::ExpectPrompt(text) => {
                return Err(ScriptedError::Unexpected { text: text.clone() });
            }
            Self::Hang => loop {
                thread::park();
            },
        }
        Ok(None)
    }
}

fn print(bytes: &[u8]) -> Result<(), ScriptedError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(ScriptedError::io("write", "standard output"))
}

fn print_bytes(count: u64) -> Result<(), ScriptedError> {
    let mut left = count;
    while left > 0 {
        let now = left.min(CHUNK.len() as u64);
        print(&CHUNK[..usize::try_from(now).unwrap_or(CHUNK.len())])?;
        left -= now;
    }
    Ok(())
}

fn make_folder_of(path: &Path) -> Result<(), ScriptedError> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder).map_err(ScriptedError::io("make", folder)),
        None => Ok(()),
    }
}

fn delete(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn chmod(path: &Path, mode: &str) -> Result<(), ScriptedError> {
    let wanted = "an octal mode";
    let bits = u32::from_str_radix(mode, 8)
        .map_err(|_| ScriptedError::Value { text: mode.into(), wanted })?;
    fs::set_permissions(path, Permissions::from_mode(bits))
        .map_err(ScriptedError::io("change", path))
}

fn run(argv: &[String]) -> Result<Option<u8>, ScriptedError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(ScriptedError::Value { text: "[]".into(), wanted: "a command" });
    };
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(ScriptedError::io("start", program))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(Some(code.unwrap_or(1)).filter(|code| *code != 0))
}

/// Not `abort`, which can leave a core file in somebody's project.
fn crash() -> ! {
    if let Err(error) = kill_process(getpid(), Signal::KILL) {
        tracing::debug!(%error, "still alive");
    }
    std::process::abort()
}
