//! Evidence that was thrown away is told from evidence that was changed.

use std::fs;
use std::path::PathBuf;

use super::*;

/// The objects of a project, and those that the first verify stage names.
fn evidence(project: &Project) -> (PathBuf, String) {
    let log = project.log();
    let output = &log.all("verify_finished")[0]["commands"][0]["output"];
    (project.path(".looper/objects"), output.as_str().unwrap().to_owned())
}

/// Objects may be read-only.
fn replace(path: &std::path::Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_changed_object_is_found_by_its_digest() {
    let project = after_two_runs();
    let (objects, id) = evidence(&project);
    let other = fs::read_dir(&objects).unwrap().flatten().map(|entry| entry.path());
    let other = other.filter(|path| !path.ends_with(&id)).max().unwrap();
    let whole = fs::read(objects.join(&id)).unwrap();
    for harm in [fs::read(other).unwrap(), vec![], whole[..whole.len() - 1].to_vec()] {
        replace(&objects.join(&id), &harm);
        let ran = project.looper(&["replay", "--objects"]).exits(4);
        assert!(ran.stdout.contains("0 missing, 1 damaged"), "{ran}");
        assert!(ran.stderr.contains(&id[..10]), "{ran}");
        let ran = project.looper(&["doctor"]).exits(3);
        assert!(ran.stdout.contains("fail objects"), "{ran}");
        is_safe(&format!("{}{}", ran.stdout, ran.stderr));
    }
    replace(&objects.join(&id), &whole);
    drop(project.looper(&["replay", "--objects"]).exits(0));
}

#[test]
fn a_missing_object_is_named_with_the_event_that_lost_its_evidence() {
    let project = after_two_runs();
    let (objects, id) = evidence(&project);
    fs::remove_file(objects.join(&id)).unwrap();
    let ran = project.looper(&["replay", "--objects", "--format", "json"]).exits(0);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = &json["objects"];
    assert_eq!((&found["missing"], &found["damaged"]), (&1.into(), &0.into()));
    let seq = positions(&lines(&project), "verify_finished")[0] + 1;
    assert_eq!(found["faults"][0]["object"], id.as_str());
    assert_eq!(found["faults"][0]["seq"], seq);
    let ran = project.looper(&["doctor"]).exits(0);
    assert!(ran.stdout.contains("warn objects"), "{ran}");
    // The log does not need it, and neither does the next run.
    drop(project.looper(&["replay"]).exits(0));
    drop(project.looper(&["run", "--task", "3"]).exits(1));
}

#[test]
fn without_any_object_everything_is_missing_and_nothing_is_damaged() {
    let project = after_two_runs();
    fs::remove_dir_all(project.path(".looper/objects")).unwrap();
    let ran = project.looper(&["replay", "--objects"]).exits(0);
    assert!(ran.stdout.contains(" missing, 0 damaged"), "{ran}");
    assert!(!ran.stdout.contains(" 0 missing"), "{ran}");
}
