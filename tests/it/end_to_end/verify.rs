//! What verify commands see is the candidate: nothing more, nothing less, each of them.

use crate::support::*;

/// A project whose protected check fails, whatever the implementer does to pass it.
fn strict(first: &str) -> Project {
    let tasks = [task("1").files("src/1.txt, src/build.sh").verify(&[first, "sh tests/check.sh"])];
    let cheat = "echo 'exit 0' > tests/check.sh\nmkdir -p out && echo made > out/report\n";
    let rules = [implementer([write("src/1.txt", "x"), write("src/build.sh", cheat)])];
    let project = Project::with(&tasks, &rules);
    project.write("tests/check.sh", "test -f out/report && exit 7\nexit 1\n");
    project.commit("a check");
    project
}

/// A command that rewrites the next one's script decides nothing, and what it made is still there
/// for the next one.
#[test]
fn a_verify_command_cannot_rewrite_the_next_one() {
    let project = strict("sh src/build.sh");
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.objection("verify"), Some("exit code 7: sh tests/check.sh"));
    assert!(log.last("verify_finished")["rescued"][0].as_str().unwrap().contains("check.sh"));
}

#[test]
fn nor_in_a_checkout_of_its_own() {
    let project = strict("sh src/build.sh");
    project.config("[verify]\ncheckout = \"clean\"\n");
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.objection("verify"), Some("exit code 1: sh tests/check.sh"));
}

/// A directory that ignores itself is in no candidate, so it must not help a verify command.
#[test]
fn what_the_candidate_does_not_hold_does_not_help() {
    let tasks = [task("1").verify(&["test -f .cache/answer"])];
    let hidden =
        [write("src/1.txt", "x"), write(".cache/.gitignore", "*\n"), write(".cache/answer", "42")];
    let project = Project::with(&tasks, &[implementer(hidden)]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.objection("verify"), Some("exit code 1: test -f .cache/answer"));
}
