//! A shell line as it is written: pipelines of commands, words made of parts.

use std::collections::BTreeMap;

/// Commands in the order in which they are written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// What pipes connect.
    pub(super) pipelines: Vec<Vec<Command>>,
    /// What stands behind each of them.
    pub(super) joints: Vec<Joint>,
    /// Whether something joins what is not there.
    pub(super) is_disjointed: bool,
    /// Names of functions it defines.
    pub(super) functions: Vec<String>,
    /// Whether something in it is nested deeper than is read.
    pub(super) is_too_deep: bool,
}

/// What stands between two pipelines, or behind the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    /// `;`, the end of a line, or the end of everything.
    Then,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `&`
    Apart,
}

/// One element of a pipeline.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// What it is.
    pub(super) body: Body,
    /// Where its streams go.
    pub(super) redirects: Vec<Redirect>,
}

/// What an element of a pipeline is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// A program or a reserved word, and its words.
    Words(Vec<Word>),
    /// `( … )`
    Subshell(Script),
}

/// Where a stream goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// `> file`
    Write(Word),
    /// `< file`
    Read(Word),
    /// `<<< text`, or the body of a here-document.
    Text(Word),
}

/// A word before expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word(pub(super) Vec<Part>);

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text outside quotes.
    Bare(String),
    /// Text inside quotes or after a backslash.
    Quoted(String),
    /// `$name` or `${name…}`
    Variable(String),
    /// The source of `$(…)` or of backticks.
    Output(String),
    /// The source of `<(…)` or `>(…)`
    Channel(String),
}

impl Part {
    /// Whether the shell runs something to make it.
    pub(super) fn runs(&self) -> bool {
        match self {
            Self::Output(_) | Self::Channel(_) => true,
            Self::Bare(_) | Self::Quoted(_) | Self::Variable(_) => false,
        }
    }
}

/// Values that the line itself gives to variables.
pub(super) type Known = BTreeMap<String, String>;

impl Word {
    /// A word that needs no quotes.
    pub(super) fn bare(text: &str) -> Self {
        Self(vec![Part::Bare(text.to_owned())])
    }

    pub(super) fn push_bare(&mut self, char: char) {
        match self.0.last_mut() {
            Some(Part::Bare(text)) => text.push(char),
            _ => self.0.push(Part::Bare(char.to_string())),
        }
    }

    pub(super) fn push_quoted(&mut self, char: char) {
        match self.0.last_mut() {
            Some(Part::Quoted(text)) => text.push(char),
            _ => self.0.push(Part::Quoted(char.to_string())),
        }
    }

    /// Whether it can be the number of a stream.
    pub(super) fn is_number(&self) -> bool {
        match &self.0[..] {
            [Part::Bare(text)] => {
                text == "-" || text.trim_end_matches('-').bytes().all(|byte| byte.is_ascii_digit())
            }
            _ => false,
        }
    }

    /// Whether the shell would not split, expand or resolve any of it.
    pub(super) fn is_literal(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Bare(_) | Part::Quoted(_)))
    }

    /// What a program would get, as far as the line tells: quotes are gone, unknown expansions
    /// stand as they are written.
    pub(super) fn text(&self, known: &Known) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Bare(piece) | Part::Quoted(piece) => text.push_str(piece),
                Part::Variable(name) => match known.get(name) {
                    Some(value) => text.push_str(value),
                    None => text.extend(["${", name, "}"]),
                },
                Part::Output(source) => text.extend(["$(", source, ")"]),
                Part::Channel(source) => text.extend(["<(", source, ")"]),
            }
        }
        text
    }

    /// The same for a word that names a place: the home directory is `~`, and characters that are
    /// special to the shell but quoted here become `_`.
    pub(super) fn place(&self, known: &Known) -> String {
        let mut text = String::new();
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Quoted(piece) => {
                    let special = |char| matches!(char, '*' | '?' | '[' | '{' | '$' | '~');
                    text.push_str(&piece.replace(special, "_"));
                }
                Part::Variable(name) if name == "HOME" && index == self.first_part() => {
                    text.push('~');
                }
                Part::Variable(name) if matches!(name.as_str(), "PWD" | "OLDPWD") => {
                    text.push('.');
                }
                Part::Bare(_) | Part::Variable(_) | Part::Output(_) | Part::Channel(_) => {
                    text.push_str(&Self(vec![part.clone()]).text(known));
                }
            }
        }
        text
    }

    /// Where the text begins: an empty pair of quotes comes before it at most.
    fn first_part(&self) -> usize {
        self.0.iter().take_while(|part| **part == Part::Quoted(String::new())).count()
    }

    /// The sources of everything that runs to make this word.
    pub(super) fn inner(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Output(source) | Part::Channel(source) => Some(source.as_str()),
            Part::Bare(_) | Part::Quoted(_) | Part::Variable(_) => None,
        })
    }
}
