//! Verify commands that succeed whatever the project is like.
//!
//! Followed are all the ways in which a command can end. Where one of them is in doubt, it can fail:
//! a warning about a command that does check something would teach people to overlook warnings.

use super::denied::without_reserved;
use super::script::{Body, Command, Joint, Known, Part, Redirect, Script, Word};
use super::wrapper::{is_assignment, program};

/// The longest command that is read, in bytes.
const COMMAND_MAX: usize = 16 << 10;

/// How often commands may hand text to another shell.
const SHELLS_MAX: u8 = 4;

/// Shells whose words are read as those of a verify command.
const SHELLS: [&str; 3] = ["sh", "bash", "dash"];

/// Programs of the shell after which anything may be otherwise.
const UNTOLD: [&str; 14] = [
    "exit", "set", "shopt", "trap", "exec", "eval", "source", ".", "return", "kill", "enable",
    "ulimit", "readonly", "declare",
];

/// Why a command succeeds whatever the project is like. `None`: it can fail, as far as its words
/// tell.
pub fn cannot_fail(command: &str) -> Option<&'static str> {
    let script = readable(command)?;
    let ways = Reading { shells: SHELLS_MAX }.script(&script)?;
    if ways.fails || ways.quits {
        return None;
    }
    let last = script.joints.len().saturating_sub(1);
    let is_end = |joint: &Joint| matches!(joint, Joint::Then | Joint::Apart);
    let list = script.joints[..last].iter().rposition(is_end).map_or(0, |at| at + 1);
    Some(if script.pipelines.is_empty() {
        "it runs nothing"
    } else if !ways.is_real {
        "it always succeeds"
    } else if script.joints[last] == Joint::Apart {
        "nobody waits for what runs in the background"
    } else if script.joints[list..].contains(&Joint::Or) {
        "what follows `||` hides every failure"
    } else {
        "how it ends does not depend on what it runs"
    })
}

/// The ways in which something can end. What may happen is in them, and perhaps more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ways {
    /// The next command can find a success.
    succeeds: bool,
    /// The next command can find a failure.
    fails: bool,
    /// The shell can end with a failure, and there is no next command.
    quits: bool,
    /// A program had a part in it that can do this or that.
    is_real: bool,
}

const SUCCEEDS: Ways = Ways { succeeds: true, fails: false, quits: false, is_real: false };
const FAILS: Ways = Ways { succeeds: false, fails: true, quits: false, is_real: false };
/// The shell ends with a success.
const ENDS: Ways = Ways { succeeds: false, fails: false, quits: false, is_real: false };
const QUITS: Ways = Ways { quits: true, ..ENDS };
const EITHER: Ways = Ways { succeeds: true, fails: true, quits: false, is_real: true };
const ANYTHING: Ways = Ways { quits: true, ..EITHER };

impl Ways {
    /// What a shell of its own makes of it.
    fn apart(self) -> Self {
        Self { succeeds: true, fails: self.fails || self.quits, quits: false, ..self }
    }

    fn negated(self) -> Self {
        Self { succeeds: self.fails, fails: self.succeeds, ..self }
    }

    /// Both this and what comes after it, of which this decides nothing.
    fn then(self, next: Self) -> Self {
        Self { quits: self.quits || next.quits, is_real: self.is_real || next.is_real, ..next }
    }

    /// It may be skipped, and may end otherwise.
    fn perhaps(self) -> Self {
        Self { succeeds: true, fails: true, ..self }
    }
}

/// Reads text whose expansions cannot end the shell, and whose streams are there.
fn readable(text: &str) -> Option<Script> {
    let is_subtle = ["${", "((", "$["].iter().any(|part| text.contains(part));
    let is_stream = |rest: &str| rest.starts_with(['1', '2']) && !rest[1..].starts_with(is_digit);
    let has_others = |mark: &str| text.split(mark).skip(1).any(|rest| !is_stream(rest));
    let script = Script::read(text);
    let is_open = matches!(script.joints.last(), Some(Joint::And | Joint::Or));
    let is_doubtful = text.len() > COMMAND_MAX
        || is_subtle
        || has_others(">&")
        || has_others("<&")
        || script.is_too_deep
        || script.is_disjointed
        || is_open
        || !script.functions.is_empty();
    (!is_doubtful).then_some(script)
}

fn is_digit(char: char) -> bool {
    char.is_ascii_digit()
}

#[derive(Clone, Copy)]
struct Reading {
    shells: u8,
}

impl Reading {
    /// `None`: nobody can tell.
    fn script(self, script: &Script) -> Option<Ways> {
        let is_compound = script.pipelines.iter().flatten().any(is_compound);
        let mut done = SUCCEEDS;
        let mut list = None;
        let mut is_over = false;
        for (index, pipeline) in script.pipelines.iter().enumerate() {
            let mut next = self.pipeline(pipeline)?;
            if is_compound && (next == ENDS || next.quits) {
                next = next.perhaps();
            }
            let so_far: Ways = match (list, index.checked_sub(1).map(|at| script.joints[at])) {
                (Some(ways), Some(Joint::And)) => both(ways, next),
                (Some(ways), Some(Joint::Or)) => either(ways, next),
                _ => next,
            };
            list = match script.joints[index] {
                Joint::And | Joint::Or => Some(so_far),
                Joint::Then | Joint::Apart if is_over => None,
                Joint::Then => {
                    done = done.then(so_far);
                    is_over = !so_far.succeeds && !so_far.fails;
                    None
                }
                Joint::Apart => {
                    done = done.then(Ways { is_real: so_far.is_real, ..SUCCEEDS });
                    None
                }
            };
        }
        Some(done)
    }

    fn pipeline(self, pipeline: &[Command]) -> Option<Ways> {
        let (mut is_negated, mut last) = (false, SUCCEEDS);
        for (index, command) in pipeline.iter().enumerate() {
            let Command { body, redirects } = command;
            last = match body {
                Body::Subshell(script) => self.script(sound(script)?)?.apart(),
                Body::Words(words) => {
                    let bangs = words.iter().take_while(|word| **word == Word::bare("!")).count();
                    if bangs > usize::from(index == 0) {
                        return None;
                    }
                    is_negated |= bangs == 1;
                    self.words(&words[bangs..])?
                }
            };
            if !redirects.iter().all(is_harmless) {
                last = if last == EITHER { EITHER } else { ANYTHING };
            }
        }
        if pipeline.len() > 1 {
            last = Ways { is_real: true, ..last.apart() };
        }
        Some(if is_negated { last.negated() } else { last })
    }

    fn words(self, words: &[Word]) -> Option<Ways> {
        let known = Known::new();
        let rest = without_reserved(words);
        if rest.len() < words.len() {
            return Some(if rest.is_empty() { EITHER } else { self.words(rest)?.then(EITHER) });
        }
        let assigned = words.iter().take_while(|it| is_assignment(&it.text(&known))).count();
        let is_fixed = |word: &Word| {
            let text = word.text(&known);
            ["UID=", "EUID=", "PPID=", "BASH", "SHELLOPTS="].iter().any(|it| text.starts_with(it))
        };
        if words[..assigned].iter().any(is_fixed) {
            return Some(ANYTHING);
        }
        let words = &words[assigned..];
        let Some(first) = words.first() else { return Some(EITHER) };
        if !first.is_literal() {
            return Some(ANYTHING);
        }
        let texts: Vec<String> = words.iter().map(|word| word.text(&known)).collect();
        let all_literal = words.iter().all(Word::is_literal);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Some(match &texts[..] {
            ["true" | "/bin/true" | "/usr/bin/true" | ":" | "echo", ..] => SUCCEEDS,
            ["false" | "/bin/false" | "/usr/bin/false", ..] => FAILS,
            ["exit", "0"] => ENDS,
            ["exit", ..] => QUITS,
            ["test", one, sign, other] | ["[", one, sign, other, "]"]
                if all_literal && is_same(one, sign, other) =>
            {
                SUCCEEDS
            }
            [shell, "-c", text] if SHELLS.contains(shell) && all_literal && self.shells > 0 => {
                let inner = Self { shells: self.shells - 1 };
                inner.script(&readable(text)?)?.apart()
            }
            _ => return is_told(words, &known).then_some(EITHER),
        })
    }
}

/// Whether it leaves the shell as it was.
fn is_told(words: &[Word], known: &Known) -> bool {
    let is_untold = |name: &str| UNTOLD.contains(&name);
    let name = program(words, known);
    let is_looked_through = ["command", "builtin", "time"].contains(&name.as_str());
    let hides = || words.iter().any(|word| !word.is_literal() || is_untold(&word.text(known)));
    !(is_untold(&name) || is_looked_through && hides())
}

/// Whether a comparison holds, whatever the project is like.
fn is_same(one: &str, sign: &str, other: &str) -> bool {
    match sign {
        "=" | "==" => one == other,
        "-eq" => one == other && !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// `one && other`
fn both(one: Ways, other: Ways) -> Ways {
    if !one.succeeds {
        return one;
    }
    Ways { fails: one.fails || other.fails, ..one.then(other) }
}

/// `one || other`
fn either(one: Ways, other: Ways) -> Ways {
    if !one.fails {
        return one;
    }
    Ways { succeeds: one.succeeds || other.succeeds, ..one.then(other) }
}

/// What brackets hold is read as the rest is.
fn sound(script: &Script) -> Option<&Script> {
    let is_open = matches!(script.joints.last(), Some(Joint::And | Joint::Or));
    let is_doubtful = script.is_disjointed || is_open || !script.functions.is_empty();
    (!is_doubtful).then_some(script)
}

/// Whether it opens or closes something: what stands between may run or not.
fn is_compound(command: &Command) -> bool {
    const OTHERS: [&str; 4] = ["for", "case", "select", "function"];
    match &command.body {
        Body::Subshell(_) => false,
        Body::Words(words) => {
            let bangs = words.iter().take_while(|word| **word == Word::bare("!")).count();
            let words = &words[bangs..];
            without_reserved(words).len() < words.len()
                || words.first().is_some_and(|word| OTHERS.iter().any(|it| *word == Word::bare(it)))
        }
    }
}

/// Whether it can neither fail nor end the shell.
fn is_harmless(redirect: &Redirect) -> bool {
    let (Redirect::Write(word) | Redirect::Read(word)) = redirect else {
        return true;
    };
    matches!(&word.0[..], [Part::Bare(path)] if path == "/dev/null")
}
