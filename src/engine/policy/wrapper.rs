//! Programs that run another program: what they run in the end.

use super::script::{Known, Word};

/// What a command comes down to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inner<'a> {
    /// A program and its arguments.
    Program(&'a [Word]),
    /// Text that a shell reads.
    Text(String),
    /// Nothing that matters.
    Nothing,
}

/// How a wrapper's own arguments end.
struct Wrapper {
    name: &'static str,
    /// Short options that take a value.
    short: &'static str,
    /// Long options that take a value as the next word.
    long: &'static [&'static str],
    /// How many words of its own follow the options.
    operands: usize,
    /// The option whose value a shell reads, or that is split into words.
    text: Option<&'static str>,
}

const fn wrapper(name: &'static str, short: &'static str, operands: usize) -> Wrapper {
    Wrapper { name, short, long: &[], operands, text: None }
}

const WRAPPERS: [Wrapper; 24] = [
    Wrapper {
        long: &["--unset", "--chdir", "--split-string"],
        text: Some("S"),
        ..wrapper("env", "uCS", 0)
    },
    Wrapper { long: &["--kill-after", "--signal"], ..wrapper("timeout", "ks", 1) },
    Wrapper { long: &["--kill-after", "--signal"], ..wrapper("gtimeout", "ks", 1) },
    Wrapper { long: &["--adjustment"], ..wrapper("nice", "n", 0) },
    Wrapper { long: &["--class", "--classdata"], ..wrapper("ionice", "cn", 0) },
    Wrapper { long: &["--format", "--output"], ..wrapper("time", "fo", 0) },
    Wrapper { long: &["--input", "--output", "--error"], ..wrapper("stdbuf", "ioe", 0) },
    Wrapper {
        long: &["--max-args", "--max-procs", "--max-lines", "--delimiter", "--arg-file"],
        ..wrapper("xargs", "InPLdaEs", 0)
    },
    Wrapper { long: &["--timeout"], text: Some("c"), ..wrapper("flock", "wEc", 1) },
    Wrapper { long: &["--command"], text: Some("c"), ..wrapper("script", "cEIoOTm", 0) },
    Wrapper { long: &["--interval"], ..wrapper("watch", "n", 0) },
    wrapper("nohup", "", 0),
    wrapper("setsid", "", 0),
    wrapper("command", "", 0),
    wrapper("builtin", "", 0),
    wrapper("exec", "a", 0),
    wrapper("busybox", "", 0),
    wrapper("toybox", "", 0),
    wrapper("chronic", "", 0),
    wrapper("unbuffer", "", 0),
    wrapper("caffeinate", "tw", 0),
    wrapper("taskset", "", 1),
    wrapper("strace", "eopsuEaSPXIb", 0),
    wrapper("unshare", "SGRw", 0),
];

/// Programs that read shell text.
pub(super) const SHELLS: [&str; 9] =
    ["sh", "bash", "zsh", "dash", "ksh", "mksh", "ash", "fish", "rbash"];

/// The program's name without its directory, in lower case as some file systems see it.
pub(super) fn program(words: &[Word], known: &Known) -> String {
    let Some(word) = words.first() else { return String::new() };
    let text = word.text(known);
    // A variable without quotes may hold a program and its arguments.
    let text = if word.is_literal() { text.as_str() } else { text.split(' ').next().unwrap_or("") };
    text.rsplit('/').next().unwrap_or(text).to_lowercase()
}

/// Looks through wrappers, one after the other.
pub(super) fn inner<'a>(mut words: &'a [Word], known: &Known) -> Inner<'a> {
    while !words.is_empty() {
        let name = program(words, known);
        let texts: Vec<String> = words.iter().map(|word| word.text(known)).collect();
        if name == "eval" {
            return Inner::Text(texts[1..].join(" "));
        }
        if name == "trap" {
            return texts.into_iter().nth(1).map_or(Inner::Nothing, Inner::Text);
        }
        if SHELLS.contains(&name.as_str()) {
            return shell_text(&texts).map_or(Inner::Program(words), Inner::Text);
        }
        let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == name) else {
            return Inner::Program(words);
        };
        let query = |text: &String| matches!(text.as_str(), "-v" | "-V");
        if name == "command" && texts.get(1).is_some_and(query) {
            return Inner::Nothing;
        }
        let (next, text) = skip(wrapper, &texts);
        if let Some(text) = text {
            return Inner::Text(text);
        }
        if name == "watch" {
            return Inner::Text(texts.get(next..).unwrap_or_default().join(" "));
        }
        words = words.get(next..).unwrap_or_default();
    }
    Inner::Nothing
}

/// Steps over a wrapper's own words; also the text that a shell reads for it.
fn skip(wrapper: &Wrapper, texts: &[String]) -> (usize, Option<String>) {
    let mut at = 1;
    let mut operands = wrapper.operands;
    while let Some(text) = texts.get(at) {
        if text == "--" || text == "-" && wrapper.name == "env" {
            at += 1;
        } else if let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let value = letters.find(|letter| wrapper.short.contains(letter));
            let next = match value {
                _ if letters.starts_with('-') => wrapper.long.contains(&text.as_str()),
                Some(index) => index + 1 == letters.len(),
                None => false,
            };
            let is_text =
                match wrapper.text {
                    Some(option) => value.is_some_and(|index| letters[index..].starts_with(option)),
                    None => false,
                } || matches!(text.split('=').next(), Some("--split-string" | "--command"));
            if is_text {
                let attached = match text.split_once('=') {
                    Some((_, value)) if text.starts_with("--") => value,
                    _ => value.map_or("", |index| &letters[index + 1..]),
                };
                let rest = &texts[at + 1..];
                return (at, Some(format!("{attached} {}", rest.join(" "))));
            }
            at += if next { 2 } else { 1 };
        } else if wrapper.name == "env" && is_assignment(text) {
            at += 1;
        } else if operands > 0 {
            operands -= 1;
            at += 1;
        } else {
            break;
        }
    }
    (at, None)
}

/// What `sh -c text` reads; `None` where it reads a file or its input.
fn shell_text(texts: &[String]) -> Option<String> {
    let mut reads_text = false;
    let mut at = 1;
    while let Some(text) = texts.get(at) {
        let Some(letters) = text.strip_prefix(['-', '+']).filter(|letters| !letters.is_empty())
        else {
            break;
        };
        at += 1;
        if letters.starts_with('-') {
            at += usize::from(matches!(letters, "-rcfile" | "-init-file"));
            continue;
        }
        reads_text |= letters.contains('c');
        at += letters.matches(['o', 'O']).count();
    }
    if reads_text { texts.get(at).cloned() } else { None }
}

/// Whether a shell reads this word before a program as `NAME=value`.
pub(super) fn is_assignment(text: &str) -> bool {
    let name = text.split_once('=').map_or("", |(name, _)| name.trim_end_matches('+'));
    !name.is_empty()
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && name.chars().all(|char| char == '_' || char.is_ascii_alphanumeric())
}
