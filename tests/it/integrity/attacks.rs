//! What somebody with a text editor, a hash function and time does to a log.

use std::fs;

use rstest::rstest;

use super::*;

/// Takes the last lines away, so that this many stay.
fn cut_to(project: &Project, count: usize) {
    put_lines(project, &lines(project)[..count]);
}

#[rstest]
#[case::of_one_line(1, &[], "knows event")]
#[case::of_one_line_without_the_transaction(1, &["tx"], "refs/looper/log knows event")]
#[case::of_two_lines_without_the_ref(2, &["ref"], "the transaction knows event")]
#[case::of_the_last_run(14, &[], "knows event")]
#[case::of_the_last_run_without_both(14, &["tx", "ref"], "the log ends at event")]
#[case::of_the_last_run_without_a_reflog(14, &["tx", "ref", "reflogs"], "the log ends at event")]
fn a_lost_end_is_found(#[case] lost: usize, #[case] gone: &[&str], #[case] says: &str) {
    let project = after_two_runs();
    let all = lines(&project).len();
    cut_to(&project, all - lost);
    forget(&project, gone);
    if gone != ["ref"] {
        return is_found(&project, says);
    }
    // What reads in passing does not open the transaction.
    for (args, code) in [(&["run"][..], 4), (&["doctor"], 3)] {
        let ran = project.looper(args).exits(code);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(says), "{ran}");
    }
}

/// Proves I16, with nobody else left: the commits witness every line up to the one that tells of
/// the last.
#[test]
fn commits_alone_witness_all_that_led_to_them() {
    let project = after_two_runs();
    forget(&project, &["tx", "ref"]);
    let whole = lines(&project);
    let witnessed = positions(&whole, "commit_prepared")[1] + 1;
    for count in 0..whole.len() {
        put_lines(&project, &whole[..count]);
        let code = if count < witnessed { 4 } else { 0 };
        drop(project.looper(&["replay", "--check-git"]).exits(code));
    }
    // A run that would go on from a judgement must not throw the verified commit away.
    let head = project.git(&["rev-parse", "HEAD"]);
    for count in [positions(&whole, "gates_judged")[1] + 1, witnessed - 1] {
        put_lines(&project, &whole[..count]);
        let ran = project.looper(&["run"]).exits(4);
        ran.says("the log does not tell of that commit");
        assert_eq!(project.git(&["rev-parse", "HEAD"]), head);
    }
    // From there on a crash would look the same, and is settled the same way.
    put_lines(&project, &whole[..witnessed]);
    drop(project.run(&["-i", "1"]));
    assert_eq!(project.subjects(), ["Task 1: Write 1", "Task 2: Write 2"]);
}

/// A change that no decision rests on.
fn another_duration(lines: &mut [String]) {
    let at = positions(lines, "verify_finished")[0];
    let changed = lines[at].replacen(r#""duration_ms":"#, r#""duration_ms":9"#, 1);
    assert_ne!(changed, lines[at]);
    lines[at] = changed;
}

#[rstest]
#[case::with_every_witness(&[], "another event there")]
#[case::without_the_transaction(&["tx"], "another event there")]
#[case::with_commits_alone(&["tx", "ref"], "another event there")]
fn a_log_that_was_written_anew_is_found(#[case] gone: &[&str], #[case] says: &str) {
    let project = after_two_runs();
    let mut forged = lines(&project);
    another_duration(&mut forged);
    reseal(&mut forged);
    put_lines(&project, &forged);
    drop(project.looper(&["replay", LOG]));
    forget(&project, gone);
    is_found(&project, says);
}

/// The chain holds and every decision would be made again: only the repository knows better.
#[test]
fn without_a_repository_a_log_written_anew_replays() {
    let project = after_two_runs();
    let mut forged = lines(&project);
    another_duration(&mut forged);
    reseal(&mut forged);
    let copy = project.place().join("copy.jsonl");
    fs::write(&copy, forged.join("\n") + "\n").unwrap();
    drop(project.looper(&["replay", copy.to_str().unwrap()]).exits(0));
    drop(project.looper(&["replay", copy.to_str().unwrap(), "--check-git"]).exits(4));
}

#[rstest]
#[case::the_first(0)]
#[case::the_last(1)]
fn a_removed_run_is_found(#[case] removed: usize) {
    let project = after_two_runs();
    let all = lines(&project);
    let second = positions(&all, "run_started")[1];
    let mut left = if removed == 0 { all[second..].to_vec() } else { all[..second].to_vec() };
    reseal(&mut left);
    put_lines(&project, &left);
    forget(&project, &["tx", "ref"]);
    let ran = project.looper(&["replay", "--check-git"]).exits(4);
    is_safe(&format!("{}{}", ran.stdout, ran.stderr));
    drop(project.looper(&["run"]).exits(4));
    drop(project.looper(&["doctor"]).exits(3));
}

/// The second run as it would have been, in a log that replays, and no commit.
#[rstest]
#[case::and_the_repository_remembers_less(&["tx"])]
#[case::and_nobody_remembers(&["tx", "ref"])]
fn a_forged_pass_is_found(#[case] gone: &[&str]) {
    let project = after_two_runs();
    let anchor = project.git(&["rev-parse", "refs/looper/log"]);
    let all = lines(&project);
    let second = positions(&all, "run_started")[1];
    // The repository as it was before the second run.
    project.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let first = format!("{} {}\n", second, proof_of(&all[second - 1]));
    fs::write(project.place().join("first"), first).unwrap();
    let first = project.git(&["hash-object", "-w", "../first"]);
    assert_ne!(first, anchor);
    project.git(&["update-ref", "refs/looper/log", &first]);
    for name in project.git(&["for-each-ref", "--format=%(refname)", "refs/looper"]).lines() {
        if name != "refs/looper/log" {
            project.git(&["update-ref", "-d", name]);
        }
    }
    project.git(&["reflog", "expire", "--expire=now", "--all"]);
    project.git(&["gc", "-q", "--prune=now"]);
    forget(&project, gone);
    is_found(&project, "neither the commit nor anything that remembers it is there");
}

fn proof_of(line: &str) -> &str {
    line.rsplit_once(r#""h":""#).unwrap().1.trim_end_matches("\"}")
}

const CLAIM: &str = "Task 3: Write 3\n\nLooper-Run: 01M7XENDJQ153NX5AB8CTB1PFB\nLooper-Task: 3\n\
    Looper-Seq: 20\nLooper-Log: 1111111111111111111111111111111111111111111111111111111111111111\n";

/// Commits something that claims to have been judged.
fn claim(project: &Project, message: &str) {
    project.write("src/3.txt", "never judged\n");
    project.git(&["add", "src/3.txt"]);
    project.git(&["commit", "-q", "-m", message]);
}

/// The trailers of the newest commit with one of them changed.
fn altered(project: &Project, key: &str, value: &str) -> String {
    let message = project.git(&["log", "-1", "--format=%B"]);
    let change = |line: &str| match line.split_once(": ") {
        Some((found, _)) if found == key => format!("{key}: {value}\n"),
        _ => format!("{line}\n"),
    };
    message.lines().map(change).collect()
}

/// A commit that the log does not tell of.
type Forgery = fn(&Project);

#[rstest]
#[case::of_a_run_nobody_knows(|it: &Project| claim(it, CLAIM))]
#[case::by_plumbing(|it: &Project| {
    let tree = it.git(&["rev-parse", "HEAD^{tree}"]);
    let commit = it.git(&["commit-tree", &tree, "-p", "HEAD", "-m", CLAIM]);
    it.git(&["update-ref", "HEAD", &commit]);
})]
#[case::with_another_event(|it: &Project| claim(it, &altered(it, "Looper-Seq", "3")))]
#[case::beyond_the_end(|it: &Project| claim(it, &altered(it, "Looper-Seq", "999")))]
#[case::with_another_proof(|it: &Project| claim(it, &altered(it, "Looper-Log", &"a".repeat(64))))]
#[case::about_another_task(|it: &Project| claim(it, &altered(it, "Looper-Task", "3")))]
fn a_commit_that_is_not_in_the_log_is_found(#[case] forge: Forgery) {
    let project = after_two_runs();
    forge(&project);
    let commit = project.git(&["rev-parse", "HEAD"]);
    is_found(&project, &commit[..10]);
    let ran = project.looper(&["replay", "--check-git", "--format", "json"]).exits(4);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["git"]["bad"][0]["commit"], commit.as_str());
    assert_eq!(json["git"]["bad"][0]["standing"], "missing");
    assert_eq!(json["first_bad_seq"], json["git"]["bad"][0]["seq"]);
}

/// On another branch, where HEAD does not lead.
#[test]
fn a_forged_commit_on_another_branch_is_found() {
    let project = after_two_runs();
    project.git(&["checkout", "-q", "-b", "side"]);
    claim(&project, CLAIM);
    project.git(&["checkout", "-q", "main"]);
    drop(project.looper(&["replay", "--check-git"]).exits(4));
    drop(project.looper(&["doctor"]).exits(3));
}

#[rstest]
#[case::with_every_witness(&[])]
#[case::with_commits_alone(&["tx", "ref"])]
fn the_log_of_another_project_is_found(#[case] gone: &[&str]) {
    let (project, other) = (after_two_runs(), after_two_runs());
    project.write(LOG, other.read(LOG));
    forget(&project, gone);
    is_found(&project, "event");
}

#[test]
fn a_log_twice_over_is_found() {
    let project = after_two_runs();
    let log = project.read(LOG);
    let bad = log.lines().count() + 1;
    project.write(LOG, log.repeat(2));
    is_found(&project, &format!("line {bad} of"));
}

/// Back to what the ref was after the first run, together with the log.
#[test]
fn a_ref_that_was_moved_back_hides_nothing() {
    let project = after_two_runs();
    let all = lines(&project);
    let second = positions(&all, "run_started")[1];
    fs::write(
        project.place().join("first"),
        format!("{} {}\n", second, proof_of(&all[second - 1])),
    )
    .unwrap();
    let first = project.git(&["hash-object", "-w", "../first"]);
    project.git(&["update-ref", "refs/looper/log", &first]);
    let ran = project.looper(&["replay", "--check-git"]).exits(0);
    assert!(ran.stdout.contains("anchor_behind"), "{ran}");
    cut_to(&project, second);
    forget(&project, &["tx"]);
    is_found(&project, "the log ends at event");
}

/// An agent commits what nobody judged and kills its parent: that is put back, as long as the
/// transaction vouches that there was no commit of ours.
#[test]
fn an_agents_claim_does_not_outlive_a_crash() {
    let rules = [
        implementer([sh(&format!(
            "echo x > src/1.txt; git add src/1.txt; git commit -qm \"$(printf '{}')\"; \
             kill -9 $(ps -o ppid= -p $PPID)",
            CLAIM.replace('\n', "\\n")
        ))])
        .once(),
        implementer([write("src/1.txt", "one\n")]),
    ];
    let project = Project::with(&[task("1")], &rules);
    drop(project.looper(&["run"]));
    assert!(project.git(&["log", "-1", "--format=%B"]).contains("Looper-Seq: 20"));
    drop(project.run(&[]).exits(0));
    assert_eq!(project.subjects(), ["Task 1: Write 1"]);
    assert_eq!(counts(&project), "1 put_back, 1 recorded");
}

/// An agent kills its parent, goes on with the log as if its change had been judged, and commits
/// it. The transaction has never heard of that commit.
#[rstest]
#[case::as_far_as_the_commit("commit_prepared")]
#[case::as_far_as_its_publication("commit_finished")]
#[case::to_the_end("run_ended")]
fn a_commit_that_the_transaction_has_not_heard_of_is_found(#[case] last: &str) {
    let early =
        "cp -r .looper/tx ../early; git rev-parse refs/looper/log > ../ref; echo x > src/1.txt";
    let project = Project::with(&[task("1")], &[implementer([sh(early)])]);
    drop(project.run(&[]).exits(0));
    let mut told = lines(&project);
    told.truncate(positions(&told, last)[0] + 1);
    put_lines(&project, &told);
    forget(&project, &["tx"]);
    fs::rename(project.place().join("early"), project.path(".looper/tx")).unwrap();
    let anchor = fs::read_to_string(project.place().join("ref")).unwrap();
    project.git(&["update-ref", "refs/looper/log", anchor.trim()]);
    for _ in 0..2 {
        drop(project.looper(&["run"]).exits(4).says("transaction"));
    }
}
