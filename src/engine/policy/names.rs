//! Files that a verify command names, as far as its words tell.

use std::collections::BTreeSet;

use super::place::Place;
use super::script::{Body, Command, Known, Redirect, Script, Word};
use super::wrapper::{Inner, inner, is_assignment, program};
use crate::engine::id::RepoPath;

/// How often commands may hand text to another shell.
const SHELLS_MAX: u8 = 4;

/// The words of a verify command that can be paths in the repository, sorted. Most of them are no
/// files at all; what counts is that a file which the command names is among them. Patterns name a
/// set and not a file, so they are left out.
pub fn files_named_by(command: &str) -> Vec<String> {
    Names::of(command).found.into_iter().collect()
}

/// The files in which the tools that a verify command calls look up what to run, sorted: nobody
/// names them, and whoever changes one changes what the command means.
pub fn files_steering(command: &str) -> Vec<String> {
    Names::of(command).steering.into_iter().collect()
}

/// The patterns in a verify command that name tests, sorted. Without the tests that are there now
/// they would name nothing, or less. Other patterns name what is worked on: `flake8 src/*.py`.
pub fn tests_named_by(command: &str) -> Vec<String> {
    Names::of(command).tests.into_iter().collect()
}

/// Where tools look up what to run, as their manuals say.
const STEERING: [(&str, &[&str]); 11] = [
    ("make", &["GNUmakefile", "makefile", "Makefile"]),
    ("gmake", &["GNUmakefile", "makefile", "Makefile"]),
    ("just", &["justfile", "Justfile", ".justfile"]),
    ("rake", &["Rakefile", "rakefile"]),
    ("npm", &["package.json"]),
    ("pnpm", &["package.json"]),
    ("yarn", &["package.json"]),
    ("bun", &["package.json"]),
    ("pytest", &["conftest.py", "pytest.ini"]),
    ("tox", &["tox.ini"]),
    ("nox", &["noxfile.py"]),
];

/// Options that let such a tool begin in another directory.
const ELSEWHERE: [&str; 6] = ["-C", "--directory", "--prefix", "--cwd", "--dir", "--rootdir"];

/// The directories in which such a tool is told to begin: `-C dir`, `-Cdir`, `-sC dir`,
/// `--directory=dir`.
fn elsewhere(texts: &[String]) -> Vec<&str> {
    let mut found = vec![];
    for (index, text) in texts.iter().enumerate() {
        let next = texts.get(index + 1).map(String::as_str);
        let letters = text.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        if ELSEWHERE.contains(&text.as_str()) {
            found.extend(next);
        } else if let Some((option, value)) = text.split_once('=') {
            found.extend(ELSEWHERE.contains(&option).then_some(value));
        } else if let Some((_, value)) = letters.and_then(|letters| letters.split_once('C')) {
            found.extend(if value.is_empty() { next } else { Some(value) });
        }
    }
    found
}

struct Names {
    place: Place,
    known: Known,
    found: BTreeSet<String>,
    steering: BTreeSet<String>,
    tests: BTreeSet<String>,
}

impl Names {
    fn of(command: &str) -> Self {
        let mut names = Self {
            place: Place::project(),
            known: Known::new(),
            found: BTreeSet::new(),
            steering: BTreeSet::new(),
            tests: BTreeSet::new(),
        };
        names.text(command, SHELLS_MAX);
        names
    }

    fn text(&mut self, text: &str, shells: u8) {
        if shells > 0 {
            self.script(&Script::read(text), shells - 1);
        }
    }

    fn script(&mut self, script: &Script, shells: u8) {
        for command in script.pipelines.iter().flatten() {
            self.command(command, shells);
        }
    }

    fn command(&mut self, command: &Command, shells: u8) {
        for redirect in &command.redirects {
            match redirect {
                Redirect::Read(word) => self.word(word, shells),
                Redirect::Write(word) | Redirect::Text(word) => self.inside(word, shells),
            }
        }
        match &command.body {
            Body::Subshell(script) => {
                let place = self.place.clone();
                self.script(script, shells);
                self.place = place;
            }
            Body::Words(words) => self.words(words, shells),
        }
    }

    fn words(&mut self, words: &[Word], shells: u8) {
        let first = words.iter().position(|word| !is_assignment(&word.text(&self.known)));
        let (assignments, words) = words.split_at(first.unwrap_or(words.len()));
        for word in assignments {
            let text = word.text(&self.known);
            self.name(text.split_once('=').map_or("", |(_, value)| value));
            self.inside(word, shells);
        }
        for (index, word) in words.iter().enumerate() {
            if index > 0 || word.text(&self.known).contains('/') {
                self.word(word, shells);
            }
        }
        match inner(words, &self.known) {
            Inner::Nothing => {}
            Inner::Text(text) => self.text(&text, shells),
            Inner::Program(inner_words) => {
                let name = program(inner_words, &self.known);
                if matches!(name.as_str(), "cd" | "pushd")
                    && let Some(to) =
                        inner_words[1..].iter().find(|it| !it.text(&self.known).starts_with('-'))
                {
                    self.place = self.place.join(&to.place(&self.known));
                }
                self.known_to(&name, inner_words);
            }
        }
    }

    /// Files that a well-known tool finds by a name without directory or ending.
    fn known_to(&mut self, program: &str, words: &[Word]) {
        let texts: Vec<String> = words.iter().map(|word| word.text(&self.known)).collect();
        let is_module = |name: &str| texts.windows(2).any(|pair| pair == ["-m", name]);
        let files = STEERING.into_iter().filter(|(name, _)| {
            *name == program || program.starts_with("python") && is_module(name)
        });
        for file in files.flat_map(|(_, files)| files) {
            self.steering.extend(self.path(file));
            for directory in elsewhere(&texts) {
                self.steering
                    .extend(self.path(&format!("{}/{file}", directory.trim_end_matches('/'))));
            }
        }
        if program == "cargo" {
            for pair in texts.windows(2) {
                let directory = match pair[0].as_str() {
                    "--test" => "tests",
                    "--bench" => "benches",
                    "--example" => "examples",
                    _ => continue,
                };
                self.name(&format!("{directory}/{}.rs", pair[1]));
                self.name(&format!("{directory}/{}/main.rs", pair[1]));
            }
        }
        if program.starts_with("python")
            && let Some(module) = texts.iter().position(|text| text == "-m")
        {
            for text in texts[module..].iter().filter(|text| !text.starts_with('-')) {
                let ends = text.match_indices('.').map(|(end, _)| end).chain([text.len()]);
                for end in ends.take(8) {
                    self.name(&format!("{}.py", text[..end].replace('.', "/")));
                }
            }
        }
    }

    fn word(&mut self, word: &Word, shells: u8) {
        self.inside(word, shells);
        let text = word.text(&self.known);
        match (text.strip_prefix('-'), text.split_once('=')) {
            (None, _) => self.name(&text),
            (Some(_), Some((_, value))) => self.name(value),
            (Some(_), None) => {}
        }
    }

    fn inside(&mut self, word: &Word, shells: u8) {
        for source in word.inner() {
            let place = self.place.clone();
            self.text(source, shells);
            self.place = place;
        }
    }

    fn name(&mut self, text: &str) {
        // `file.py::test` and `file.rb:12` name a part of a file.
        let text = text.split("::").next().unwrap_or_default();
        let text = match text.rsplit_once(':') {
            Some((file, line)) if line.bytes().all(|byte| byte.is_ascii_digit()) => file,
            _ => text,
        };
        let Some(path) = self.path(&without_braces(text)) else { return };
        if !path.contains(['*', '?', '[']) {
            self.found.insert(path);
        } else if path.split('/').any(is_of_tests) {
            self.tests.insert(path);
        }
    }

    fn path(&self, text: &str) -> Option<String> {
        let is_other = text.is_empty()
            || text.contains("//")
            || text.contains(['{', '$', '\n'])
            || text.starts_with('~');
        if is_other {
            return None;
        }
        let Place::Project(parts) = self.place.join(text) else { return None };
        let path = parts.join("/");
        RepoPath::new(path.as_str()).is_ok().then_some(path)
    }
}

/// `tests/{a,b}.sh` is more than one name, as `tests/*.sh` is.
fn without_braces(text: &str) -> String {
    let mut wide = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{')
        && let Some((_, behind)) = after.split_once('}')
        && !before.ends_with('$')
    {
        wide.push_str(before);
        wide.push('*');
        rest = behind;
    }
    wide.push_str(rest);
    wide
}

/// Whether a part of a path is called as tests are: `tests`, `test_*.py`, `*.spec.ts`.
fn is_of_tests(part: &str) -> bool {
    let mut words = part.split(|char: char| !char.is_ascii_alphanumeric());
    words.any(|word| ["test", "tests", "spec", "specs"].contains(&word))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::argument("pytest tests/test_a.py", &["tests/test_a.py"])]
    #[case::program("./run_tests.sh --fast", &["run_tests.sh"])]
    #[case::part_of_a_file("pytest tests/test_a.py::TestA::test_b", &["tests/test_a.py"])]
    #[case::line_of_a_file("rspec spec/a_spec.rb:12", &["spec/a_spec.rb"])]
    #[case::value_of_an_option("cargo test --manifest-path=sub/Cargo.toml", &["sub/Cargo.toml", "test"])]
    #[case::value_after_an_option("jest --config jest.config.js", &["jest.config.js"])]
    #[case::input("./prog < tests/input.txt > out.txt", &["prog", "tests/input.txt"])]
    #[case::several("diff out.txt tests/want.txt", &["out.txt", "tests/want.txt"])]
    #[case::after_a_wrapper("timeout 5 bash check.sh", &["5", "bash", "check.sh"])]
    #[case::in_a_text("bash -c 'python tests/a.py && ./b.sh'",
        &["b.sh", "python tests/a.py && ./b.sh", "tests/a.py"])]
    #[case::in_a_substitution(r#"test "$(cat expected.txt)" = ok"#, &["=", "expected.txt", "ok"])]
    #[case::from_a_directory("cd sub && python tests/a.py", &["sub", "sub/tests/a.py"])]
    #[case::directory_of_a_subshell("(cd sub && ./a.sh); ./b.sh", &["b.sh", "sub", "sub/a.sh"])]
    #[case::variable("T=tests/a.py; python $T", &["tests/a.py"])]
    #[case::module("python -m unittest tests.test_a", &["tests.py", "tests.test_a", "tests/test_a.py", "unittest", "unittest.py"])]
    #[case::cargo_target("cargo test --test cli", &["cli", "test", "tests/cli.rs", "tests/cli/main.rs"])]
    #[case::quoted("python 'tests/a b.py'", &["tests/a b.py"])]
    #[case::pattern("flake8 src/*.py", &[])]
    #[case::outside("cat /etc/hosts ../other/file ~/x", &[])]
    #[case::address("curl http://localhost/x", &[])]
    fn a_command_names(#[case] command: &str, #[case] want: &[&str]) {
        assert_eq!(files_named_by(command), want);
    }

    #[rstest]
    #[case::directory("for t in tests/*.sh; do sh $t; done", &["tests/*.sh"])]
    #[case::name("pytest test_*.py src/a_test.py", &["test_*.py"])]
    #[case::ending("vitest 'web/**/*.spec.ts'", &["web/**/*.spec.ts"])]
    #[case::place("cd sub && bats spec/?.bats", &["sub/spec/?.bats"])]
    #[case::braces("sh tests/{greet,bye}.sh", &["tests/*.sh"])]
    #[case::variable("sh tests/${name}.sh", &[])]
    #[case::sources("flake8 src/*.py", &[])]
    #[case::sources_beside("flake8 attestation/*.py", &[])]
    fn tests_are_named_by(#[case] command: &str, #[case] want: &[&str]) {
        assert_eq!(tests_named_by(command), want);
    }

    #[rstest]
    #[case::make("make --silent test", &["GNUmakefile", "Makefile", "makefile"])]
    #[case::in_a_list("cd sub && make", &["sub/GNUmakefile", "sub/Makefile", "sub/makefile"])]
    #[case::elsewhere("tox -C a/", &["a/tox.ini", "tox.ini"])]
    #[case::joined("make -Csub test", &["GNUmakefile", "Makefile", "makefile", "sub/GNUmakefile", "sub/Makefile", "sub/makefile"])]
    #[case::in_a_cluster("tox -sC sub", &["sub/tox.ini", "tox.ini"])]
    #[case::with_a_sign("tox --directory=sub", &["sub/tox.ini", "tox.ini"])]
    #[case::behind_dashes("cd -- sub && tox", &["sub/tox.ini"])]
    #[case::behind_a_wrapper("env CI=1 timeout 9 npm test", &["package.json"])]
    #[case::module("python3 -m pytest -q", &["conftest.py", "pytest.ini"])]
    #[case::in_a_text("bash -c 'just check'", &[".justfile", "Justfile", "justfile"])]
    #[case::outside("make -C /elsewhere; cd / && make", &["GNUmakefile", "Makefile", "makefile"])]
    #[case::other("sh tests/make.sh; echo make", &[])]
    fn a_command_is_steered_by(#[case] command: &str, #[case] want: &[&str]) {
        assert_eq!(files_steering(command), want);
    }
}
