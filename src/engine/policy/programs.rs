//! What single programs do with their arguments.

use super::denied::{
    DEVICE, Denial, POWER, PRIVILEGE, PUBLISH, REMOVAL, REPOSITORY, SIGNAL, SYSTEM, Walk,
};
use super::place::{Extent, Place};
use super::script::{Known, Part, Word};
use super::wrapper::{SHELLS, program};

/// Programs that read code from their input when they are given none.
const INTERPRETERS: [&str; 8] =
    ["python", "python2", "python3", "perl", "ruby", "node", "php", "lua"];

/// Whether the program fetches something from elsewhere.
pub(super) fn downloads(words: &[Word], known: &Known) -> bool {
    matches!(
        program(words, known).as_str(),
        "curl"
            | "wget"
            | "fetch"
            | "aria2c"
            | "lwp-request"
            | "lwp-download"
            | "http"
            | "https"
            | "xh"
    )
}

/// Whether the program runs what it reads from its input.
pub(super) fn reads_code(words: &[Word], known: &Known) -> bool {
    let name = program(words, known);
    let is_input =
        |text: &str| matches!(text, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0");
    let mut texts = words.iter().skip(1).map(|word| word.text(known));
    if matches!(name.as_str(), "source" | ".") {
        return texts.next().is_some_and(|text| is_input(&text));
    }
    let is_shell = SHELLS.contains(&name.as_str());
    if !is_shell && !INTERPRETERS.contains(&name.as_str()) {
        return false;
    }
    for text in texts {
        if is_input(&text) || is_shell && text == "-s" {
            return true;
        }
        // Anything else that is not an option is a file, and so is what -c, -e and -m take.
        let takes_code = ["-c", "-e", "-m", "-r", "-p"].iter().any(|code| text.starts_with(code));
        if !text.starts_with('-') || !is_shell && takes_code {
            return false;
        }
    }
    true
}

/// Whether the program runs the files it is given.
pub(super) fn runs_files(words: &[Word], known: &Known) -> bool {
    let name = program(words, known);
    SHELLS.contains(&name.as_str())
        || INTERPRETERS.contains(&name.as_str())
        || matches!(name.as_str(), "source" | ".")
}

/// Judges one program with its arguments, and notes what it changes for those after it.
pub(super) fn judge(walk: &mut Walk, words: &[Word]) -> Option<Denial> {
    let name = program(words, &walk.known);
    let args = words.get(1..).unwrap_or_default();
    let texts: Vec<String> = args.iter().map(|word| word.text(&walk.known)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    match name.as_str() {
        "sudo" | "sudoedit" | "doas" | "su" | "pkexec" | "run0" | "runuser" => Some(PRIVILEGE),
        "shutdown" | "reboot" | "halt" | "poweroff" | "telinit" => Some(POWER),
        "init" if texts == ["0"] || texts == ["6"] => Some(POWER),
        "systemctl" if texts.iter().any(|text| is_power(text)) => Some(POWER),
        "mke2fs" | "mkswap" | "wipefs" | "fdisk" | "sfdisk" | "sgdisk" | "parted"
        | "blkdiscard" => Some(DEVICE),
        name if name == "mkfs" || name.starts_with("mkfs.") => Some(DEVICE),
        "kill" if texts.len() > 1 && texts.last() == Some(&"-1") => Some(SIGNAL),
        "cd" | "pushd" => {
            change_directory(walk, args, &texts);
            None
        }
        "popd" => {
            walk.place = Place::Unknown;
            None
        }
        "rm" | "srm" => removes(walk, args, &texts),
        "find" => finds(walk, args, &texts),
        "chmod" | "chown" | "chgrp" => changes_rights(walk, args, &texts),
        "dd" => texts
            .iter()
            .filter_map(|text| text.strip_prefix("of="))
            .find_map(|file| walk.writes(&Word::bare(file))),
        "crontab" => (!texts.contains(&"-l")).then_some(SYSTEM),
        "tee" | "truncate" | "touch" | "shred" | "unlink" | "rmdir" | "mkdir" => {
            args.iter().find_map(|word| walk.writes(word))
        }
        "sed"
            if texts
                .iter()
                .any(|text| text.starts_with("-i") || text.starts_with("--in-place")) =>
        {
            args.iter().find_map(|word| walk.writes(word))
        }
        "cp" | "mv" | "install" | "ln" | "rsync" => args.last().and_then(|word| walk.writes(word)),
        "git" => repository(walk, args, &texts),
        _ => publishes(&name, &texts).then_some(PUBLISH),
    }
}

fn is_power(text: &str) -> bool {
    matches!(
        text,
        "reboot" | "poweroff" | "halt" | "kexec" | "suspend" | "hibernate" | "rescue" | "emergency"
    )
}

fn change_directory(walk: &mut Walk, args: &[Word], texts: &[&str]) {
    let is_option = |text: &str| text.len() > 1 && text.starts_with('-');
    let operand = texts.iter().position(|text| !is_option(text));
    walk.place = match operand {
        Some(index) if texts[index] == "-" || !args[index].0.iter().all(is_known) => Place::Unknown,
        Some(index) => walk.place.join(&args[index].place(&walk.known)),
        None => Place::Home(Vec::new()),
    };
}

fn is_known(part: &Part) -> bool {
    !matches!(part, Part::Output(_) | Part::Channel(_))
}

/// The options of a program whose options need no values, and its operands.
fn operands<'a>(args: &'a [Word], texts: &[&str]) -> impl Iterator<Item = &'a Word> {
    let end = texts.iter().position(|text| *text == "--").unwrap_or(texts.len());
    let is_operand =
        move |index: usize, text: &str| index > end || index < end && !text.starts_with('-');
    let keep: Vec<bool> =
        texts.iter().enumerate().map(|(index, text)| is_operand(index, text)).collect();
    args.iter().zip(keep).filter_map(|(word, keep)| keep.then_some(word))
}

/// Whether one of the options before `--` is this letter or a beginning of this word.
fn has_option(texts: &[&str], letters: &[char], long: &str) -> bool {
    texts.iter().take_while(|text| **text != "--").any(|text| match text.strip_prefix("--") {
        Some(word) => !word.is_empty() && long.starts_with(word),
        None => text.strip_prefix('-').is_some_and(|cluster| cluster.contains(letters)),
    })
}

fn removes(walk: &Walk, args: &[Word], texts: &[&str]) -> Option<Denial> {
    let is_recursive = has_option(texts, &['r', 'R'], "recursive");
    operands(args, texts).find_map(|word| {
        let is_all = match walk.extent(word) {
            Extent::System | Extent::Home | Extent::Above | Extent::Project => is_recursive,
            Extent::Part => false,
        };
        if is_all { Some(REMOVAL) } else { walk.writes(word) }
    })
}

fn changes_rights(walk: &Walk, args: &[Word], texts: &[&str]) -> Option<Denial> {
    let is_recursive = has_option(texts, &['R'], "recursive");
    operands(args, texts).find_map(|word| match walk.extent(word) {
        Extent::System | Extent::Home | Extent::Above if is_recursive => Some(SYSTEM),
        Extent::System | Extent::Home | Extent::Above | Extent::Project | Extent::Part => {
            walk.writes(word)
        }
    })
}

/// `find` removes by itself or starts a program that may.
fn finds(walk: &Walk, args: &[Word], texts: &[&str]) -> Option<Denial> {
    let expression = texts.iter().position(|text| text.starts_with(['-', '(', '!']));
    let expression = expression.unwrap_or(texts.len());
    let mut is_removal = texts.contains(&"-delete");
    for (index, text) in texts.iter().enumerate() {
        if !matches!(*text, "-exec" | "-execdir" | "-ok" | "-okdir") {
            continue;
        }
        let rest = &texts[index + 1..];
        let length = rest.iter().position(|text| matches!(*text, ";" | "+")).unwrap_or(rest.len());
        let words = &args[index + 1..index + 1 + length];
        is_removal |= program(words, &walk.known) == "rm";
        if let Some(denial) = walk.started(words) {
            return Some(denial);
        }
    }
    let has_tests = texts[expression..].iter().any(|text| {
        ["-name", "-iname", "-path", "-ipath", "-regex", "-newer", "-mtime", "-empty", "-perm"]
            .contains(text)
    });
    let all = |word: &Word| match walk.extent(word) {
        Extent::System | Extent::Home | Extent::Above => true,
        Extent::Project => !has_tests,
        Extent::Part => false,
    };
    (is_removal && args[..expression].iter().any(all)).then_some(REMOVAL)
}

/// Git commands that reach others, or that change or discard the candidate.
fn repository(walk: &mut Walk, args: &[Word], texts: &[&str]) -> Option<Denial> {
    let mut place = walk.place.clone();
    let mut at = 0;
    while let Some(text) = texts.get(at).filter(|text| text.starts_with('-')) {
        match *text {
            "-C" => {
                place = args
                    .get(at + 1)
                    .map_or(Place::Unknown, |word| place.join(&word.place(&walk.known)));
                at += 1;
            }
            "-c" => at += 1,
            "--git-dir" | "--work-tree" => {
                place = Place::Unknown;
                at += 1;
            }
            text if text.starts_with("--git-dir=") || text.starts_with("--work-tree=") => {
                place = Place::Unknown;
            }
            _ => {}
        }
        at += 1;
    }
    let command = texts.get(at).copied().unwrap_or_default();
    let rest = texts.get(at + 1..).unwrap_or_default();
    if matches!(command, "init" | "clone") {
        walk.has_own_repository = true;
    }
    if walk.has_own_repository || !place.is_inside() {
        return None;
    }
    let is_rehearsal = has_option(rest, &['n'], "dry-run");
    match command {
        "push" if !is_rehearsal => Some(PUBLISH),
        "reset" if rest.iter().any(|text| matches!(*text, "--hard" | "--merge" | "--keep")) => {
            Some(REPOSITORY)
        }
        "clean" if has_option(rest, &['f'], "force") && !is_rehearsal => Some(REPOSITORY),
        "stash" if !matches!(rest.first(), Some(&("list" | "show"))) => Some(REPOSITORY),
        "checkout" | "switch" | "restore" | "commit" | "merge" | "rebase" | "pull"
        | "cherry-pick" | "revert" | "am" => Some(REPOSITORY),
        _ => None,
    }
}

fn publishes(name: &str, texts: &[&str]) -> bool {
    let Some(command) = texts.iter().find(|text| !text.starts_with(['-', '+'])) else {
        return false;
    };
    let publishes = match name {
        "cargo" | "npm" | "pnpm" | "yarn" | "bun" | "poetry" | "uv" | "flit" | "hatch" => {
            *command == "publish"
        }
        "twine" => *command == "upload",
        "gem" | "docker" | "podman" | "helm" | "nuget" => *command == "push",
        _ => false,
    };
    publishes && !texts.contains(&"--dry-run")
}
