//! Starts the program anew without what belongs to other projects.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::args::Global;
use super::exit::Exit;
use super::failure::Failure;
use super::site::Site;
use crate::host::process;

/// Variables that stay; whatever else is set belongs to another project.
const KEPT: [&str; 10] = [
    "CLICOLOR_FORCE",
    "COLORTERM",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "NO_COLOR",
    "PATH",
    "TERM",
    "TMPDIR",
    "TZ",
];

/// The environment of a process that makes projects of its own. libgit2 looks at the environment of
/// the process itself, so that has to be clean: where it is not, the program starts itself anew, and
/// this does not come back.
///
/// # Errors
/// It cannot, or somebody names a project.
pub(super) fn environment(
    site: &Site,
    program: &Path,
) -> Result<BTreeMap<OsString, OsString>, Failure> {
    let environment = kept(&site.environment);
    if environment.len() != std::env::vars_os().count() {
        let error = process::become_program(program, std::env::args_os().skip(1), &environment);
        return Err(Failure::of(Exit::Machine, &error).help("the program starts itself anew"));
    }
    let Global { project, backlog, state_dir, .. } = &site.global;
    if project.is_some() || backlog.is_some() || *state_dir != Path::new(".looper") {
        return Err(Failure::new(Exit::Usage, "this command makes projects of its own")
            .help("leave out --project, --backlog and --state-dir; --keep DIR says where"));
    }
    Ok(environment)
}

fn kept(environment: &BTreeMap<OsString, OsString>) -> BTreeMap<OsString, OsString> {
    let is_kept = |name: &OsStr| KEPT.iter().any(|kept| name == *kept);
    let pairs = environment.iter().filter(|(name, _)| is_kept(name));
    pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
}
