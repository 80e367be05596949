//! Verify commands that are never run.
//!
//! This is a tripwire for accidents and for backlogs that nobody read, not a sandbox: a program can
//! always start another in a way that its command line does not show.

use super::place::{Extent, Place};
use super::programs;
use super::script::{Body, Command, Known, Part, Redirect, Script, Word};
use super::wrapper::{Inner, SHELLS, inner, is_assignment, program};

/// Why a verify command is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The rule's name.
    pub rule: &'static str,
    /// What the command would do.
    pub why: &'static str,
}

macro_rules! rules {
    ($($name:ident = $rule:literal, $why:literal;)+) => {
        $(pub(super) const $name: Denial = Denial { rule: $rule, why: $why };)+
    };
}

rules! {
    PRIVILEGE = "privilege", "it would run with the rights of another user";
    REMOVAL = "removal", "it would remove the system, a home directory or the project";
    DOWNLOAD = "download", "it would run what it downloads, unread";
    DEVICE = "device", "it would write to a disk or another device";
    SYSTEM = "system", "it would change files outside the project that others depend on";
    FORK_BOMB = "fork_bomb", "it would start processes without end";
    PUBLISH = "publish", "what leaves the machine cannot be taken back";
    REPOSITORY = "repository", "it would change or discard the work that is being judged";
    POWER = "power", "it would switch the machine off";
    SIGNAL = "signal", "it would end processes that are not its own";
    UNREADABLE = "unreadable", "it is too long or too deeply nested to be checked";
}

/// The longest command that is read, in bytes. Longer ones belong into a script file.
const COMMAND_MAX: usize = 16 << 10;

/// How often commands may hand text to another shell.
const SHELLS_MAX: u8 = 8;

/// How many functions of a command are remembered. People define one or two.
const FUNCTIONS_MAX: usize = 64;

/// Looks for what a verify command must not do. `None`: nothing was found.
pub fn denied(command: &str) -> Option<Denial> {
    let mut walk = Walk {
        place: Place::project(),
        known: Known::new(),
        functions: Vec::new(),
        has_downloaded: false,
        has_own_repository: false,
        shells: SHELLS_MAX,
    };
    walk.text(command)
}

/// What is known at a point of the command.
#[derive(Clone)]
pub(super) struct Walk {
    /// Where it runs.
    pub(super) place: Place,
    /// The variables it has set.
    pub(super) known: Known,
    functions: Vec<String>,
    has_downloaded: bool,
    /// Whether it has made a repository of its own to play in.
    pub(super) has_own_repository: bool,
    shells: u8,
}

impl Walk {
    /// Reads text as a shell would.
    fn text(&mut self, text: &str) -> Option<Denial> {
        if text.len() > COMMAND_MAX || self.shells == 0 {
            return Some(UNREADABLE);
        }
        self.shells -= 1;
        let denial = self.script(&Script::read(text));
        self.shells += 1;
        denial
    }

    /// The same, in a shell whose changes are lost afterwards.
    fn apart(&self, text: &str) -> Option<Denial> {
        self.clone().text(text)
    }

    fn script(&mut self, script: &Script) -> Option<Denial> {
        if script.is_too_deep {
            return Some(UNREADABLE);
        }
        let room = FUNCTIONS_MAX.saturating_sub(self.functions.len());
        self.functions.extend(script.functions.iter().take(room).cloned());
        script.pipelines.iter().find_map(|pipeline| self.pipeline(pipeline))
    }

    fn pipeline(&mut self, pipeline: &[Command]) -> Option<Denial> {
        if let [command] = pipeline {
            return self.command(command, false);
        }
        let names = |command: &Command| match &command.body {
            Body::Words(words) => program(without_reserved(words), &self.known),
            Body::Subshell(_) => String::new(),
        };
        let own = |command: &&Command| self.functions.contains(&names(command));
        if pipeline.iter().filter(own).count() > 1 {
            return Some(FORK_BOMB);
        }
        let mut is_fed = false;
        for command in pipeline {
            if let Some(denial) = self.clone().command(command, is_fed) {
                return Some(denial);
            }
            let closes = match &command.body {
                Body::Words(words) => words.first().is_some_and(is_closing),
                Body::Subshell(_) => false,
            };
            is_fed |= self.downloads(command) || closes && self.has_downloaded;
        }
        self.has_downloaded |= is_fed;
        None
    }

    /// `is_fed`: whether its input comes from a download.
    fn command(&mut self, command: &Command, is_fed: bool) -> Option<Denial> {
        self.has_downloaded |= self.downloads(command);
        let is_fed = is_fed || self.is_fed_by(&command.redirects);
        if let Some(denial) = command.redirects.iter().find_map(|it| self.redirect(it)) {
            return Some(denial);
        }
        let words = match &command.body {
            Body::Subshell(script) => {
                let mut apart = self.clone();
                if is_fed && apart.reads_code(script) {
                    return Some(DOWNLOAD);
                }
                return apart.script(script);
            }
            Body::Words(words) => words,
        };
        if let Some(denial) = words.iter().flat_map(Word::inner).find_map(|it| self.apart(it)) {
            return Some(denial);
        }
        let mut words = without_reserved(words);
        while let [word, rest @ ..] = words
            && is_assignment(&word.text(&self.known))
        {
            self.assign(word);
            words = rest;
        }
        self.words(words, &command.redirects, is_fed)
    }

    fn words(&mut self, words: &[Word], redirects: &[Redirect], is_fed: bool) -> Option<Denial> {
        let words = match inner(words, &self.known) {
            Inner::Nothing => return None,
            Inner::Text(text) if program(words, &self.known) == "eval" => return self.text(&text),
            Inner::Text(text) => return self.apart(&text),
            Inner::Program(words) => words,
        };
        if words.first().is_some_and(|word| self.is_downloaded(word)) {
            return Some(DOWNLOAD);
        }
        let reads_input = programs::reads_code(words, &self.known);
        let fed_by_word = programs::runs_files(words, &self.known)
            && words.iter().any(|word| self.is_downloaded(word));
        let feeds_shell = words
            .iter()
            .flat_map(Word::inner)
            .any(|source| is_fed && self.reads_code(&Script::read(source)));
        if is_fed && reads_input || fed_by_word || feeds_shell {
            return Some(DOWNLOAD);
        }
        if reads_input && SHELLS.contains(&program(words, &self.known).as_str()) {
            for redirect in redirects {
                if let Redirect::Text(word) = redirect
                    && let Some(denial) = self.apart(&word.text(&self.known))
                {
                    return Some(denial);
                }
            }
        }
        programs::judge(self, words)
    }

    /// Judges a command that another one starts for each of its findings.
    pub(super) fn started(&self, words: &[Word]) -> Option<Denial> {
        let mut apart = self.clone();
        apart.shells = apart.shells.saturating_sub(1);
        if apart.shells == 0 { Some(UNREADABLE) } else { apart.words(words, &[], false) }
    }

    fn assign(&mut self, word: &Word) {
        let text = word.text(&self.known);
        if let Some((name, value)) = text.split_once('=')
            && value.len() < 256
            && self.known.len() < 64
        {
            self.known.insert(name.to_owned(), value.to_owned());
        }
    }

    fn redirect(&self, redirect: &Redirect) -> Option<Denial> {
        let (Redirect::Write(word) | Redirect::Read(word) | Redirect::Text(word)) = redirect;
        if let Some(denial) = word.inner().find_map(|source| self.apart(source)) {
            return Some(denial);
        }
        match redirect {
            Redirect::Write(word) => self.writes(word),
            Redirect::Read(_) | Redirect::Text(_) => None,
        }
    }

    /// Whether writing there is denied.
    pub(super) fn writes(&self, word: &Word) -> Option<Denial> {
        let place = self.place.join(&word.place(&self.known));
        if place.is_device() {
            Some(DEVICE)
        } else if place.is_system() || place.is_startup() {
            Some(SYSTEM)
        } else if place.is_repository() {
            Some(REPOSITORY)
        } else {
            None
        }
    }

    /// What is lost if everything there is lost.
    pub(super) fn extent(&self, word: &Word) -> Extent {
        self.place.join(&word.place(&self.known)).extent()
    }

    fn downloads(&self, command: &Command) -> bool {
        match &command.body {
            Body::Subshell(script) => self.any(script, &programs::downloads),
            Body::Words(words) => self.is(words, &programs::downloads),
        }
    }

    fn reads_code(&self, script: &Script) -> bool {
        self.any(script, &programs::reads_code)
    }

    /// Whether a download makes any part of this word.
    fn is_downloaded(&self, word: &Word) -> bool {
        word.inner().any(|source| {
            let holds = |words: &[Word], known: &Known| {
                programs::downloads(words, known) || words.iter().any(|it| self.is_downloaded(it))
            };
            self.any(&Script::read(source), &holds)
        })
    }

    fn is_fed_by(&self, redirects: &[Redirect]) -> bool {
        redirects.iter().any(|redirect| match redirect {
            Redirect::Read(word) | Redirect::Text(word) => self.is_downloaded(word),
            Redirect::Write(_) => false,
        })
    }

    fn any(&self, script: &Script, holds: &dyn Fn(&[Word], &Known) -> bool) -> bool {
        script.pipelines.iter().flatten().any(|command| match &command.body {
            Body::Words(words) => self.is(words, holds),
            Body::Subshell(script) => self.any(script, holds),
        })
    }

    fn is(&self, words: &[Word], holds: &dyn Fn(&[Word], &Known) -> bool) -> bool {
        let mut words = without_reserved(words);
        while let [word, rest @ ..] = words
            && is_assignment(&word.text(&self.known))
        {
            words = rest;
        }
        match inner(words, &self.known) {
            Inner::Program(words) => holds(words, &self.known),
            Inner::Text(_) | Inner::Nothing => false,
        }
    }
}

/// The words after those that only open or close a compound command.
pub(super) fn without_reserved(words: &[Word]) -> &[Word] {
    const OPENING: [&str; 10] =
        ["!", "{", "if", "then", "elif", "else", "do", "while", "until", "coproc"];
    let reserved = |word: &Word| match &word.0[..] {
        [Part::Bare(text)] => OPENING.contains(&text.as_str()) || is_closing(word),
        _ => false,
    };
    let first = words.iter().position(|word| !reserved(word)).unwrap_or(words.len());
    &words[first..]
}

fn is_closing(word: &Word) -> bool {
    matches!(&word.0[..], [Part::Bare(text)]
        if matches!(text.as_str(), "}" | "done" | "fi" | "esac"))
}
