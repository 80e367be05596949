//! Where a path on a command line leads, without looking at the disk.

/// A directory or file, seen from the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Relative to the project; `..` comes first only.
    Project(Vec<String>),
    /// Relative to somebody's home directory.
    Home(Vec<String>),
    /// Absolute.
    Root(Vec<String>),
    /// Only the shell knows.
    Unknown,
}

/// What is lost if everything at a place is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The machine, or a part that the system needs.
    System,
    /// A home directory.
    Home,
    /// The project and what lies beside it.
    Above,
    /// The project.
    Project,
    /// Something inside the project, something temporary, something unknown.
    Part,
}

/// Directories in the root that no project owns anything in.
const SYSTEM: [&str; 12] =
    ["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "run", "sbin", "sys", "usr"];

/// Devices that forget what is written to them, or that are streams of the process itself.
const HARMLESS_DEVICES: [&str; 9] =
    ["null", "zero", "full", "stdin", "stdout", "stderr", "tty", "fd", "shm"];

/// Files that a shell or a login reads: what is written there runs later.
const STARTUP_FILES: [&str; 12] = [
    ".bash_login",
    ".bash_profile",
    ".bashrc",
    ".config",
    ".gitconfig",
    ".gnupg",
    ".login",
    ".profile",
    ".ssh",
    ".zprofile",
    ".zshenv",
    ".zshrc",
];

impl Place {
    /// The project itself.
    pub(super) fn project() -> Self {
        Self::Project(Vec::new())
    }

    /// Where this path leads from here.
    pub(super) fn join(&self, path: &str) -> Self {
        let (mut place, rest) = if path.starts_with('/') {
            (Self::Root(Vec::new()), path)
        } else if path.starts_with('~') {
            // Another user's home is a home, too.
            (Self::Home(Vec::new()), path.split_once('/').map_or("", |(_, rest)| rest))
        } else {
            (self.clone(), path)
        };
        for part in rest.split('/') {
            match part {
                "" | "." => {}
                ".." => place.leave(),
                _ if part.contains('$') => return Self::Unknown,
                _ => place.enter(part),
            }
        }
        place
    }

    fn enter(&mut self, part: &str) {
        match self {
            Self::Project(parts) | Self::Home(parts) | Self::Root(parts) => {
                parts.push(part.to_owned());
            }
            Self::Unknown => {}
        }
    }

    fn leave(&mut self) {
        match self {
            Self::Project(parts) if parts.last().is_none_or(|part| part == "..") => {
                parts.push("..".to_owned());
            }
            // Above a home there are other homes.
            Self::Home(parts) if parts.is_empty() => *self = Self::Root(Vec::new()),
            Self::Project(parts) | Self::Home(parts) | Self::Root(parts) => {
                parts.pop();
            }
            Self::Unknown => {}
        }
    }

    /// Whether it lies in the project, or is the project.
    pub(super) fn is_inside(&self) -> bool {
        match self {
            Self::Project(parts) => parts.first().is_none_or(|part| part != ".."),
            Self::Home(_) | Self::Root(_) | Self::Unknown => false,
        }
    }

    /// What is lost if everything there is lost. A pattern that covers all entries of a directory
    /// stands for the directory.
    pub(super) fn extent(&self) -> Extent {
        let trimmed = |parts: &[String]| {
            let all = |part: &&String| {
                part.contains('*') && part.chars().all(|char| "*.?{},!".contains(char))
            };
            parts.len() - parts.iter().rev().take_while(all).count()
        };
        match self {
            Self::Unknown => Extent::Part,
            Self::Home(parts) if trimmed(parts) == 0 => Extent::Home,
            Self::Home(_) => Extent::Part,
            Self::Project(parts) => match &parts[..trimmed(parts)] {
                [] => Extent::Project,
                [.., last] if last == ".." => Extent::Above,
                [..] => Extent::Part,
            },
            Self::Root(parts) => match &parts[..trimmed(parts)] {
                [] | [_] => Extent::System,
                [top, _] if matches!(top.as_str(), "home" | "Users") => Extent::Home,
                [top, _] if top == "usr" => Extent::System,
                [top, ..] if top == "usr" || is_harmless(parts) => Extent::Part,
                [top, ..] if SYSTEM.contains(&top.as_str()) => Extent::System,
                [..] => Extent::Part,
            },
        }
    }

    /// Whether it is a disk, a terminal or another device that is not harmless.
    pub(super) fn is_device(&self) -> bool {
        matches!(self, Self::Root(parts)
            if parts.first().is_some_and(|top| top == "dev") && parts.len() > 1 && !is_harmless(parts))
    }

    /// Whether it belongs to the system.
    pub(super) fn is_system(&self) -> bool {
        match self {
            Self::Root(parts) => {
                parts.first().is_some_and(|top| SYSTEM.contains(&top.as_str()))
                    && !is_harmless(parts)
            }
            Self::Project(_) | Self::Home(_) | Self::Unknown => false,
        }
    }

    /// Whether it belongs to git, or to the log that records what happens.
    pub(super) fn is_repository(&self) -> bool {
        match self {
            Self::Project(parts) => {
                parts.first().is_some_and(|part| matches!(part.as_str(), ".git" | ".looper"))
            }
            Self::Home(_) | Self::Root(_) | Self::Unknown => false,
        }
    }

    /// Whether what is written there runs at somebody's next login.
    pub(super) fn is_startup(&self) -> bool {
        match self {
            Self::Home(parts) => {
                parts.first().is_some_and(|part| STARTUP_FILES.contains(&part.as_str()))
            }
            Self::Project(_) | Self::Root(_) | Self::Unknown => false,
        }
    }
}

/// Devices and process files that hold nothing, and the place where images keep their project.
fn is_harmless(parts: &[String]) -> bool {
    match parts {
        [top, name, ..] if top == "dev" => HARMLESS_DEVICES.contains(&name.as_str()),
        [top, name, ..] if top == "proc" => name == "self",
        [top, name, ..] if top == "run" => name == "user",
        [top, name, _, ..] if top == "usr" => name == "src",
        [..] => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::root("/", Extent::System)]
    #[case::all_of_root("/*", Extent::System)]
    #[case::hidden_of_root("/.*", Extent::System)]
    #[case::two_levels_of_root("/*/*", Extent::System)]
    #[case::root_again("//./../", Extent::System)]
    #[case::top_directory("/var", Extent::System)]
    #[case::system_file("/etc/hosts", Extent::System)]
    #[case::system_directory("/usr/lib", Extent::System)]
    #[case::shared_memory("/dev/shm/x", Extent::Part)]
    #[case::temporary("/tmp/build", Extent::Part)]
    #[case::all_temporary("/tmp/*", Extent::System)]
    #[case::project_of_an_image("/usr/src/app/target", Extent::Part)]
    #[case::home("~", Extent::Home)]
    #[case::all_of_home("~/*", Extent::Home)]
    #[case::other_home("~root/", Extent::Home)]
    #[case::home_by_name("/home/me", Extent::Home)]
    #[case::below_home("~/.cache/looper-test", Extent::Part)]
    #[case::above_home("~/..", Extent::System)]
    #[case::project(".", Extent::Project)]
    #[case::project_from_inside("a/../", Extent::Project)]
    #[case::all_of_the_project("./*", Extent::Project)]
    #[case::hidden_of_the_project(".*", Extent::Project)]
    #[case::parent("..", Extent::Above)]
    #[case::grandparent("a/../../..", Extent::Above)]
    #[case::all_of_the_parent("../*", Extent::Above)]
    #[case::sibling("../build", Extent::Part)]
    #[case::inside("target/*", Extent::Part)]
    #[case::some_of_the_project("*.o", Extent::Part)]
    #[case::unknown("${OUT}/x", Extent::Part)]
    fn a_path_has_an_extent(#[case] path: &str, #[case] want: Extent) {
        assert_eq!(Place::project().join(path).extent(), want);
    }

    #[test]
    fn a_path_starts_from_where_the_shell_is() {
        let below = Place::project().join("build");
        assert_eq!(below.join("*").extent(), Extent::Part);
        assert_eq!(below.join("..").extent(), Extent::Project);
        assert_eq!(below.join("../..").extent(), Extent::Above);
        assert_eq!(Place::project().join("/").join("*").extent(), Extent::System);
        assert_eq!(Place::Unknown.join("*").extent(), Extent::Part);
    }
}
