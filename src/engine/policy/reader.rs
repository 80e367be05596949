//! Enough of the shell's grammar to see which programs a line starts, and with which words.
//!
//! It expands nothing and never fails: what a shell would refuse runs nothing, so any reading of it
//! will do.

use super::script::{Body, Command, Joint, Known, Part, Redirect, Script, Word};

/// How deep subshells and substitutions may nest. People write two levels.
pub(super) const DEPTH_MAX: u8 = 16;

impl Script {
    /// Reads a line, or several.
    pub(super) fn read(source: &str) -> Self {
        let mut reader = Reader::new(source);
        let mut script = reader.script(Ends::AtTheEnd);
        script.is_too_deep = reader.is_too_deep;
        script
    }
}

/// A place in a line.
pub(super) struct Reader<'a> {
    pub(super) source: &'a str,
    pub(super) at: usize,
    pub(super) depth: u8,
    pub(super) is_too_deep: bool,
    /// Where reading goes on after the line in which here-documents began.
    resume: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    AtTheEnd,
    AtABracket,
}

/// The command that is being read, and those before it.
#[derive(Default)]
struct Draft {
    script: Script,
    pipeline: Vec<Command>,
    words: Vec<Word>,
    redirects: Vec<Redirect>,
}

impl Draft {
    fn end_command(&mut self) {
        let redirects = std::mem::take(&mut self.redirects);
        let mut words = std::mem::take(&mut self.words);
        if words.first() == Some(&Word::bare("function")) && words.len() > 1 {
            self.script.functions.push(words[1].text(&Known::new()));
            words.drain(..2);
        }
        if words.is_empty()
            && let Some(Command { body: Body::Subshell(_), redirects: outer }) =
                self.pipeline.last_mut()
        {
            outer.extend(redirects);
        } else if !words.is_empty() || !redirects.is_empty() {
            self.pipeline.push(Command { body: Body::Words(words), redirects });
        }
    }

    /// `false`: there was none.
    fn end_pipeline(&mut self, joint: Joint) -> bool {
        self.end_command();
        if self.pipeline.is_empty() {
            return false;
        }
        self.script.pipelines.push(std::mem::take(&mut self.pipeline));
        self.script.joints.push(joint);
        true
    }

    fn join(&mut self, joint: Joint) {
        let is_joined = self.end_pipeline(joint);
        self.script.is_disjointed |= !is_joined;
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0, depth: 0, is_too_deep: false, resume: None }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    pub(super) fn starts(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    /// Takes the text up to this character and steps over it.
    pub(super) fn until(&mut self, end: char) -> &'a str {
        let text = self.rest().split(end).next().unwrap_or_default();
        self.at = (self.at + text.len() + end.len_utf8()).min(self.source.len());
        text
    }

    fn script(&mut self, ends: Ends) -> Script {
        let mut draft = Draft::default();
        while let Some(char) = self.peek() {
            match char {
                ' ' | '\t' | '\r' => self.at += 1,
                '\n' => {
                    self.at = self.resume.take().unwrap_or(self.at + 1);
                    draft.end_pipeline(Joint::Then);
                }
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                ')' if ends == Ends::AtABracket => {
                    self.at += 1;
                    break;
                }
                '&' if self.starts("&>") => {
                    self.at += 1;
                    self.redirect(&mut draft);
                }
                '|' if !self.starts("||") => {
                    self.at += if self.starts("|&") { 2 } else { 1 };
                    draft.end_command();
                }
                ';' | '&' | '|' | ')' => {
                    let (joint, length) = match char {
                        '|' => (Joint::Or, 2),
                        '&' if self.starts("&&") => (Joint::And, 2),
                        '&' => (Joint::Apart, 1),
                        _ => (Joint::Then, 1),
                    };
                    self.at += length;
                    draft.join(joint);
                    draft.script.is_disjointed |= char == ')';
                }
                '(' => self.bracket(&mut draft),
                '<' | '>' if !self.starts("<(") && !self.starts(">(") => self.redirect(&mut draft),
                _ => {
                    let word = self.word();
                    let is_stream = word.is_number() && matches!(self.peek(), Some('<' | '>'));
                    if !is_stream && !word.0.is_empty() {
                        draft.words.push(word);
                    }
                }
            }
        }
        draft.end_pipeline(Joint::Then);
        draft.script
    }

    /// Reads a script up to the bracket that closes it.
    fn nested(&mut self) -> Script {
        if self.depth >= DEPTH_MAX {
            self.is_too_deep = true;
            self.at = self.source.len();
            return Script::default();
        }
        self.depth += 1;
        let script = self.script(Ends::AtABracket);
        self.depth -= 1;
        script
    }

    pub(super) fn nested_source(&mut self) -> String {
        let start = self.at;
        self.nested();
        let text = &self.source[start..self.at];
        text.strip_suffix(')').unwrap_or(text).to_owned()
    }

    /// A function's brackets, arithmetic, an array or a subshell.
    fn bracket(&mut self, draft: &mut Draft) {
        let is_array = self.source[..self.at].ends_with('=');
        self.at += 1;
        if let Some(name) = draft.words.last()
            && !is_array
            && let Some(rest) = self.rest().trim_start().strip_prefix(')')
        {
            draft.script.functions.push(name.text(&Known::new()));
            draft.words.clear();
            self.at = self.source.len() - rest.len();
        } else if let Some(text) = self.arithmetic() {
            let parts = self.runs_in(text);
            draft.words.push(Word(parts));
        } else {
            let script = self.nested();
            if !is_array {
                draft.end_command();
                draft.pipeline.push(Command { body: Body::Subshell(script), redirects: vec![] });
            }
        }
    }

    fn redirect(&mut self, draft: &mut Draft) {
        let redirect = if self.starts("<<<") {
            self.at += 3;
            Redirect::Text(self.operand())
        } else if self.starts("<<") {
            self.at += 2;
            Redirect::Text(self.here_document())
        } else {
            let reads = self.starts("<") && !self.starts("<>");
            self.at = self.source.len() - self.rest().trim_start_matches(['<', '>']).len();
            if self.starts("&") || self.starts("|") {
                self.at += 1;
            }
            let word = self.operand();
            if word.is_number() {
                return;
            }
            if reads { Redirect::Read(word) } else { Redirect::Write(word) }
        };
        draft.redirects.push(redirect);
    }

    fn operand(&mut self) -> Word {
        self.at = self.source.len() - self.rest().trim_start_matches([' ', '\t']).len();
        self.word()
    }

    /// Takes the body out of the lines that follow; reading goes on after it.
    fn here_document(&mut self) -> Word {
        let has_tabs = self.starts("-");
        self.at += usize::from(has_tabs);
        let mark = self.operand();
        let end = mark.text(&Known::new());
        let next_line = self.rest().find('\n').map_or(self.source.len(), |end| self.at + end + 1);
        let first = self.resume.unwrap_or(next_line);
        let (mut last, mut next) = (first, first);
        for line in self.source[first..].split_inclusive('\n') {
            next += line.len();
            let line = line.trim_end_matches(['\n', '\r']);
            if end == if has_tabs { line.trim_start_matches('\t') } else { line } {
                break;
            }
            last = next;
        }
        self.resume = Some(next);
        let body = &self.source[first..last];
        if mark.0.iter().any(|part| matches!(part, Part::Quoted(_))) {
            return Word(vec![Part::Quoted(body.to_owned())]);
        }
        Word(self.parts_of(body))
    }
}
