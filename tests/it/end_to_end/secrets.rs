//! What looks secret is stored nowhere, whoever prints or writes it.

use std::fs;
use std::path::Path;

use looper::engine::id::ObjectId;
use looper::host::objects::Objects;

use crate::support::*;

/// In two pieces, so that no scanner stumbles over this file.
fn secret() -> String {
    ["AKIA", "QYLPMN5HFIQR7XYA"].concat()
}

/// Every file of the state directory and every object in it, as text.
fn everything(project: &Project) -> Vec<(String, String)> {
    let state = project.path(".looper");
    let objects = Objects::new(state.join("objects"));
    let mut found = vec![];
    let mut open = vec![state.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let bytes = match object(&state, &path) {
                Some(id) => objects.get(&id, 64 << 20).unwrap(),
                None => fs::read(&path).unwrap(),
            };
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}

fn object(state: &Path, path: &Path) -> Option<ObjectId> {
    path.starts_with(state.join("objects")).then_some(())?;
    let name = path.file_name()?.to_str()?;
    let id = name.split('.').next()?;
    let dir = path.parent()?.file_name()?.to_str()?;
    let whole = if id.len() == 64 { id.to_owned() } else { format!("{dir}{id}") };
    (whole.len() == 64).then(|| ObjectId::new(whole))
}

#[test]
fn a_secret_is_redacted_before_anything_is_stored() {
    let says = format!("the key is {}", secret());
    let rules = [
        on("plan").does([print(&says), print("a plan")]),
        implementer([write("src/1.txt", "x"), print(&says), print_stderr(&says)]),
        on("impl_critique").does([print(&says), print("VERDICT: PASS")]),
    ];
    let whole = format!("echo {}; exit 1", secret().replacen("AKIA", "AK''IA", 1));
    let project = Project::with(&[task("1").verify(&[&whole])], &rules);
    project.run(&["-i", "1"]).exits(0);
    let all = everything(&project);
    assert!(all.iter().any(|(_, text)| text.contains("the key is ")), "nothing was stored");
    for (path, text) in all {
        assert!(!text.contains(&secret()), "{path} holds the secret");
    }
}

#[test]
fn a_secret_in_a_change_is_not_in_its_evidence_either() {
    let line = format!("key = \"{}\"\n", secret());
    let project = Project::with(&[task("1")], &[implementer([write("src/1.txt", &line)])]);
    let log = project.run_in_vain(&["-i", "1"], 0);
    assert_eq!(log.last("implement_finished")["secrets"][0]["rule"], "aws_access_key");
    for (path, text) in everything(&project) {
        assert!(!text.contains(&secret()), "{path} holds the secret");
    }
}

/// LoopDex w20: a file that git ignores is judged when somebody adds it by force.
#[test]
fn an_ignored_secret_that_is_added_by_force_is_judged() {
    let project = Project::new();
    project.write(".gitignore", "/ignored/\n.env\n");
    project.commit("second");
    project.backlog(&[task("1").files("src/1.txt, .env")]);
    let steps = [write("src/1.txt", "x"), sh("echo PASSWORD=x > .env && git add -f .env")];
    project.script(&[implementer(steps)]);
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let objection = log.objection("secret").unwrap_or_default();
    assert!(objection.contains(".env"), "{}", log.last("implement_finished"));
    assert_eq!(project.subjects(), ["second"]);
}
