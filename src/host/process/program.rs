//! Where a program is, and how to become it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Where to look when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file that `program` means: with a slash, seen from `cwd`; else the first executable file in
/// the `PATH` of this environment. Relative entries of `PATH` are passed over, or a project could
/// bring its own `git`.
pub fn find_program(
    program: &OsStr,
    environment: &BTreeMap<OsString, OsString>,
    cwd: &Path,
) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    if program.as_bytes().contains(&b'/') {
        return Some(cwd.join(program)).filter(|path| is_executable(path));
    }
    let path = environment.get(OsStr::new("PATH")).map_or(OsStr::new(DEFAULT_PATH), |path| path);
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

/// Becomes another program with another environment. Comes back only with the reason why not.
pub fn become_program(
    program: &Path,
    arguments: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<OsString, OsString>,
) -> std::io::Error {
    std::process::Command::new(program).args(arguments).env_clear().envs(environment).exec()
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::in_path("tool", "{dir}/none:{dir}/bin", Some("bin/tool"))]
    #[case::the_first_one_counts("tool", "{dir}/bin:{dir}/other", Some("bin/tool"))]
    #[case::not_executable("data", "{dir}/bin", None)]
    #[case::a_directory_is_no_program("bin", "{dir}", None)]
    #[case::a_relative_entry_is_passed_over("tool", "bin:.::{dir}/other", Some("other/tool"))]
    #[case::a_slash_means_from_here("bin/tool", "", Some("bin/tool"))]
    #[case::absolute("{dir}/other/tool", "", Some("other/tool"))]
    #[case::missing("nothing", "{dir}/bin", None)]
    #[case::no_name("", "{dir}/bin", None)]
    fn a_program_is_found(#[case] program: &str, #[case] path: &str, #[case] want: Option<&str>) {
        let root = tempfile::tempdir().unwrap();
        let place =
            |text: &str| OsString::from(text.replace("{dir}", root.path().to_str().unwrap()));
        for (file, mode) in [("bin/tool", 0o755), ("other/tool", 0o755), ("bin/data", 0o644)] {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let environment = BTreeMap::from([("PATH".into(), place(path))]);
        let found = find_program(&place(program), &environment, root.path());
        assert_eq!(found, want.map(|file| root.path().join(file)));
    }
}
