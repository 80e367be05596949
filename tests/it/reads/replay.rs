//! `looper replay` finds what is wrong with a log, and where.

use std::ffi::OsStr;
use std::fs;

use looper::engine::line::Proof;
use sha2::{Digest as _, Sha256};

use super::fixture::Project;

#[test]
fn a_log_replays_and_every_run_is_one_line() {
    let project = Project::after_a_run();
    project.looper(["unblock", "1.3"]).exits(0);
    project.looper(["run"]).exits(1);
    let events = project.lines().len();
    let said = project.looper(["replay"]).exits(0);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{said:#?}");
    assert!(lines[0].contains("3 attempts    2 done    1 failed    1 blocked"), "{said:#?}");
    assert!(lines[0].ends_with("ended: nothing runnable"), "{said:#?}");
    assert!(lines[1].contains("1 attempts    0 done    1 failed    1 blocked"), "{said:#?}");
    assert_eq!(lines[2], format!("{events} events, 2 runs: replays"));
    let json = project.looper(["replay", "--format", "json"]).exits(0).json();
    assert_eq!(json["replays"], true);
    assert_eq!(json["events"], events);
    assert_eq!(json["outside"], 1);
    assert_eq!(json["runs"][0]["reason"], "nothing_runnable");
    assert_eq!(json["runs"][1]["exit_code"], 1);
}

/// A log read by path needs no project, and a copy is not compared with the repository.
#[test]
fn a_log_anywhere_can_be_read() {
    let project = Project::after_a_run();
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("copy.jsonl");
    fs::copy(project.events(), &path).unwrap();
    let mut command = project.command(env!("CARGO_BIN_EXE_looper"));
    let output = command.current_dir(copy.path()).arg("replay").arg("copy.jsonl").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let short = project.lines()[..5].join("\n") + "\n";
    fs::write(&path, short).unwrap();
    let said = project.looper([OsStr::new("replay"), path.as_os_str()]).exits(0);
    assert!(said.out.contains("not ended\n5 events, 1 runs: replays"), "{said:#?}");
}

/// Changes a log in a way that a person or a disk could; which line then is the first bad one, and
/// why.
type Harm = (fn(&mut Vec<String>), usize, &'static str);

const HARMS: [Harm; 8] = [
    (|lines| lines[2] = lines[2].replacen("1.1", "1.2", 1), 3, "its proof should be"),
    (|lines| drop(lines.remove(2)), 3, "its proof should be"),
    (|lines| lines.swap(2, 3), 3, "its proof should be"),
    (|lines| lines.insert(2, String::new()), 3, "it is blank"),
    (|lines| lines[2] = "{}".to_owned(), 3, "the line is not an event"),
    (|lines| lines[2].push('\r'), 3, "carriage return"),
    (|lines| lines[2] = r#"{"v":99}"#.to_owned(), 3, "has format 99"),
    (|lines| drop(lines.remove(0)), 1, "its proof should be"),
];

#[test]
fn damage_is_named_by_line_and_event() {
    let project = Project::after_a_run();
    let whole = project.lines();
    for (harm, bad, why) in HARMS {
        let mut lines = whole.clone();
        harm(&mut lines);
        fs::write(project.events(), lines.join("\n") + "\n").unwrap();
        let said = project.looper(["replay"]).exits(4);
        assert!(said.err.contains(why), "{said:#?}");
        assert!(said.err.contains(&format!("line {bad} of")), "{said:#?}");
        assert!(said.err.contains(&format!("event {bad} is due there")), "{said:#?}");
        assert!(!said.out.contains("replays"), "{said:#?}");
        let json = project.looper(["replay", "--format", "json"]).exits(4).json();
        assert_eq!((&json["replays"], &json["first_bad_seq"]), (&false.into(), &bad.into()));
        for reader in ["status", "ls", "log"] {
            project.looper([reader]).exits(4);
        }
    }
}

#[test]
fn a_lost_end_is_remembered_by_the_repository() {
    let project = Project::after_a_run();
    let mut lines = project.lines();
    let last = lines.len();
    lines.pop();
    fs::write(project.events(), lines.join("\n") + "\n").unwrap();
    let said = project.looper(["replay"]).exits(4);
    assert!(said.err.contains(&format!("refs/looper/log knows event {last} ")), "{said:#?}");
    let json = project.looper(["replay", "--format", "json"]).exits(4).json();
    assert_eq!(json["first_bad_seq"], last);
    project.looper(["unblock", "1.3"]).exits(4);
}

/// Proves the whole chain anew, as somebody would who knows how.
fn reseal(lines: &mut [String]) {
    let mut proof = Proof::GENESIS.to_string();
    for line in lines {
        let body = line.rsplit_once(r#","h":"#).unwrap().0.to_owned();
        let sha = Sha256::digest(format!("{proof}{body}"));
        proof = sha.iter().map(|byte| format!("{byte:02x}")).collect();
        *line = format!("{body},\"h\":\"{proof}\"}}");
    }
}

fn position(lines: &[String], event: &str) -> usize {
    let event = format!(r#""event":"{event}""#);
    lines.iter().position(|line| line.contains(&event)).unwrap()
}

/// In the first event of this name: what stood there, what stands there now, what is said.
const FORGERIES: [[&str; 4]; 4] = [
    ["plan_started", r#""agent":"fake""#, r#""agent":"eve""#, "the engine decides to call fake"],
    ["gates_judged", r#""passed":true"#, r#""passed":false"#, "the engine decides to judge"],
    ["plan_finished", r#""attempt":1"#, r#""attempt":2"#, "the engine expects to wait"],
    ["plan_started", r#""seq":4"#, r#""seq":5"#, "it should be event 4, it is event 5"],
];

#[test]
fn a_forged_history_shows_even_with_a_whole_chain() {
    let project = Project::after_a_run();
    let path = project.root().join(".looper/forged.jsonl");
    for [event, from, to, why] in FORGERIES {
        let mut lines = project.lines();
        let at = position(&lines, event);
        assert!(lines[at].contains(from), "{}", lines[at]);
        lines[at] = lines[at].replacen(from, to, 1);
        reseal(&mut lines);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let said = project.looper([OsStr::new("replay"), path.as_os_str()]).exits(4);
        assert!(said.err.contains(why), "{said:#?}");
        let (line, seq) = (format!("line {} of", at + 1), format!("event {}", at + 1));
        assert!(said.err.contains(&line) && said.err.contains(&seq), "{said:#?}");
    }
}

#[test]
fn an_unfinished_last_line_is_a_warning() {
    let project = Project::after_a_run();
    let whole = fs::read(project.events()).unwrap();
    fs::write(project.events(), [&whole[..], b"{\"v\":1,\"se"].concat()).unwrap();
    let said = project.looper(["replay"]).exits(0);
    assert!(said.err.contains("warning: "), "{said:#?}");
    assert!(said.err.contains("an unfinished line of 10 bytes"), "{said:#?}");
    for reader in [&["status"][..], &["ls"], &["log"]] {
        project.looper(reader).exits(0);
    }
    assert_eq!(fs::read(project.events()).unwrap().len(), whole.len() + 10);
}

#[test]
fn what_is_no_log_is_refused_with_words() {
    let project = Project::new();
    let said = project.looper(["replay"]).exits(0);
    assert_eq!(said.out, "0 events, 0 runs: replays\n");
    assert!(said.err.contains("there is no log yet"));
    assert!(project.looper(["replay", "missing"]).exits(64).err.contains("does not exist"));
    assert!(project.looper(["replay", "."]).exits(3).err.contains("not a regular file"));
    project.looper(["replay", ".looper/config.toml"]).exits(4);
}
