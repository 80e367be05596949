//! What bubblewrap holds: everything that is promised.

use std::net::TcpListener;

use looper::scripted::Step;
use rstest::rstest;

use super::attacks::{BY_A_READER, ON_GIT, ON_PLACES, ON_STATE, OUTSIDE};
use super::kit::{held, held_at, passes, works};
use crate::support::*;

/// Attacks as steps of an agent at work in the project, and then its work.
fn tries(attacks: &[&str]) -> Vec<Step> {
    let named = |attack: &&str| held(&attack.replace("$GIT", "$(git rev-parse --git-common-dir)"));
    let mut steps: Vec<Step> = attacks.iter().map(named).collect();
    steps.push(write("src/1.txt", "x\n"));
    steps
}

/// Proves I17.
#[rstest]
#[case::git(&ON_GIT)]
#[case::the_state_directory(&ON_STATE)]
#[case::their_places(&ON_PLACES)]
#[case::what_lies_outside(&OUTSIDE)]
fn an_implementer_cannot_touch(#[case] attacks: &[&str]) {
    let rule = implementer(tries(attacks));
    let Some(project) = held_at("full", &[task("1")], &[rule]) else { return };
    let before = project.git(&["for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags"]);
    passes(&project, "full");
    assert_eq!(project.changed_by("HEAD"), ["src/1.txt"]);
    let refs = project.git(&["for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags"]);
    assert_eq!(refs, before);
}

/// Whoever may make namespaces is root in them.
const BY_NAMESPACES: [&str; 4] = [
    "unshare -Urm sh -c 'umount -l .git; echo x >> .git/config'",
    "unshare -Urm sh -c 'mount -o remount,rw,bind .git; echo x >> .git/config'",
    "bwrap --bind / / sh -c 'echo x >> .git/config'",
    "echo x >> /proc/1/root$PWD/.git/config",
];

/// With `risk = "safe"` some bring a sandbox of their own. For a root in it the kernel asks for more
/// than for a user.
#[test]
fn an_agent_can_hold_what_it_starts_and_frees_nothing_by_that() {
    let mut steps = vec![works("unshare -Urm true")];
    steps.extend(tries(&BY_NAMESPACES));
    let Some(mut project) = held_at("full", &[task("1")], &[implementer(steps)]) else { return };
    project.env("LOOPER_RUN_RISK", "safe");
    let outside = project.command("unshare").args(["-Urm", "true"]).status();
    if outside.is_ok_and(|status| status.success()) {
        passes(&project, "full");
    } else {
        eprintln!("skipped: users cannot make namespaces here");
    }
}

/// Root in a namespace of its own reaches control groups, and nobody ends what is frozen in one.
#[test]
fn root_is_not_root_in_a_namespace_where_nobody_brings_a_sandbox() {
    let freezes = "unshare -UrmC sh -c 'mount -t cgroup2 none /mnt || mount -t tmpfs none /mnt'";
    let tasks = [task("1").verify(&[&format!("! {freezes}"), "test -s src/1.txt"])];
    let rule = implementer(tries(&["unshare -Urm true", freezes]));
    let Some(project) = held_at("full", &tasks, &[rule]) else { return };
    let id = project.command("id").arg("-u").output().unwrap();
    if id.stdout != b"0\n" {
        eprintln!("skipped: only root is held more closely than its namespaces");
        return;
    }
    passes(&project, "full");
}

/// Without root, the namespaces belong to the user, who could make more of them.
#[test]
fn a_user_without_privileges_is_held_as_well() {
    let attacks = [&BY_NAMESPACES[..], &ON_GIT, &ON_STATE, &ON_PLACES].concat();
    let rule = implementer(tries(&attacks));
    let Some(project) = held_at("full", &[task("1")], &[rule]) else { return };
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let as_user = |program: &str, arguments: &[&str]| {
        let mut command = project.command("setpriv");
        command.args(user).arg(program).args(arguments).output()
    };
    let place = project.place().to_str().unwrap();
    let owned = project.command("chown").args(["-R", "65534:65534", place]).status().unwrap();
    let looper = env!("CARGO_BIN_EXE_looper");
    let starts = as_user(looper, &["--version"]).is_ok_and(|output| output.status.success());
    if !(owned.success() && starts) {
        eprintln!("skipped: no other user can be taken here, or the program is out of its reach");
        return;
    }
    let ran = as_user(looper, &["run", "-i", "1"]).unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let log = project.log();
    assert_eq!(log.last("run_started")["containment"]["level"], "full", "{ran:?}");
    assert_eq!((log.count("task_done"), log.count("rollback_started")), (1, 0), "{ran:?}");
    assert_eq!(log.last("implement_finished")["rescued"], serde_json::json!([]));
}

/// A state directory deep in the project could be carried off with what is around it.
#[test]
fn what_is_around_the_state_directory_stays_where_it_is() {
    let attacks = ["mv src elsewhere", "mv src/deep elsewhere", "rm -rf src; ! test -e src"];
    let Some(mut project) = held_at("full", &[task("1")], &[implementer(tries(&attacks))]) else {
        return;
    };
    std::fs::create_dir(project.path("src/deep")).unwrap();
    std::fs::rename(project.path(".looper"), project.path("src/deep/state")).unwrap();
    project.write(".git/info/exclude", "/src/deep/\n");
    project.env("LOOPER_STATE_DIR", "src/deep/state");
    // `rm` gets as far as it can, which the candidate shows.
    project.looper(&["run", "-i", "1"]).exits(0);
    let log = Log::read(&project.path("src/deep/state/events.jsonl"));
    let end = log.last("implement_finished");
    assert_eq!((&end["exit_code"], &end["state_changes"]), (&0.into(), &serde_json::json!([])));
}

#[test]
fn an_implementer_works_as_ever() {
    let steps = [
        works("echo new > top-level.txt && rm top-level.txt"),
        works("echo more >> src/kept.txt && git diff --stat | grep -q kept && git status -s"),
        works("git log -1 --format=%s | grep -q first && git show HEAD:src/kept.txt"),
        works("git checkout-index -f --prefix=copy/ -a && rm -r copy"),
        works("echo x > $TMPDIR/x && echo x > /tmp/x && echo x > /var/tmp/x && test -s /tmp/x"),
        works("echo x > /dev/shm/x && echo x > /dev/null && head -c 1 /dev/urandom"),
        works("test $LOOPER_STAGE = implement && test -n \"$LOOPER_RUN\" && test $(pwd) = $PWD"),
        works("mkdir -p ignored && echo x > ignored/cache"),
        held("test -w /proc/sys/kernel/core_pattern"),
        works("git checkout src 2>/dev/null; printf 'kept\\n' > src/kept.txt"),
        write("src/1.txt", "x\n"),
        print("done"),
    ];
    let Some(project) = held_at("full", &[task("1")], &[implementer(steps)]) else { return };
    passes(&project, "full");
    assert_eq!(project.read("src/1.txt"), "x\n");
    assert!(project.has("ignored/cache") && !std::path::Path::new("/tmp/x").exists());
    let said = project.read(".looper/evidence/loop-1/impl_summary.md");
    assert!(said.contains("done"), "{said}");
}

#[rstest]
fn whoever_does_not_implement_only_looks(
    #[values("plan", "plan_critique", "impl_critique")] stage: &str,
    #[values("full", "partial")] level: &str,
) {
    let mut steps: Vec<Step> = BY_A_READER.iter().map(|attack| held(attack)).collect();
    steps.extend([works("echo x > $TMPDIR/x && cat src/kept.txt"), print("VERDICT: PASS")]);
    let rules = [on(stage).does(steps), implementer([write("src/1.txt", "x\n")])];
    let Some(project) = held_at(level, &[task("1")], &rules) else { return };
    passes(&project, level);
    assert_eq!(project.status(), "");
}

/// In a session of its own, deaf to a request to end, and without anything that says whose it is.
#[test]
fn a_daemon_does_not_outlive_its_stage() {
    let daemon = "env -i setsid -f sh -c \"trap '' TERM; sleep 300; : $LOOPER_KIT\"";
    let rule = implementer([works(daemon), write("src/1.txt", "x\n")]);
    let Some(project) = held_at("full", &[task("1")], &[rule]) else { return };
    passes(&project, "full");
    let mark = project.place().display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let left = lines.filter(|line| String::from_utf8_lossy(line).contains(&mark)).count();
    assert_eq!(left, 0);
}

/// The request to end reaches what runs inside, and leaves it time for it.
#[test]
fn an_agent_that_takes_too_long_is_asked_to_end() {
    let Some(mut project) = held_at("full", &[task("1")], &[]) else { return };
    let polite = "mkdir -p ignored; trap 'sleep 1; echo bye > ignored/words; exit 3' TERM; \
                  while :; do sleep 0.05; done";
    project.env("LOOPER_AGENTS_FAKE_AGENT_COMMAND", format!("[\"sh\", \"-c\", {polite:?}]"));
    project.env("LOOPER_AGENTS_FAKE_AGENT_TIMEOUT_S", "5");
    project.env("LOOPER_RUN_PROFILE", "solo");
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let end = log.last("implement_finished");
    assert_eq!((&end["class"], &end["exit_code"]), (&"timed_out".into(), &3.into()));
    assert_eq!(project.read("ignored/words"), "bye\n");
}

#[test]
fn an_agent_that_is_deaf_is_ended() {
    let deaf = sh("trap '' TERM; sleep 100 & wait; sleep 100");
    let rule = implementer([Step::IgnoreTerm, deaf]);
    let Some(mut project) = held_at("full", &[task("1")], &[rule]) else { return };
    project.env("LOOPER_AGENTS_FAKE_AGENT_TIMEOUT_S", "2");
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let end = log.last("implement_finished");
    assert_eq!((&end["class"], &end["sandbox"]), (&"timed_out".into(), &"full".into()), "{end}");
}

#[test]
fn exit_codes_and_signals_come_through() {
    let tasks = [task("1").verify(&["exit 7", "kill -9 $$", "true"])];
    let rule = implementer([write("src/1.txt", "x"), print_stderr("err"), print("out")]);
    let Some(project) = held_at("full", &tasks, &[rule]) else { return };
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let ended = log.last("verify_finished")["commands"].as_array().unwrap().clone();
    let codes: Vec<i64> = ended.iter().map(|end| end["exit_code"].as_i64().unwrap()).collect();
    // A wrapper has no other way to say that a signal ended what it runs.
    assert_eq!(codes, [7, 128 + 9, 0]);
}

#[rstest]
fn a_verify_command_has_no_network_where_that_is_asked_for(
    #[values("full", "partial")] level: &str,
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tasks = [task("1").verify(&["bash connect.sh"])];
    let rule = implementer([write("src/1.txt", "x")]);
    let Some(mut project) = held_at(level, &tasks, &[rule]) else { return };
    project.write("connect.sh", format!("echo > /dev/tcp/127.0.0.1/{port}\n"));
    project.commit("a script that connects");
    project.env("LOOPER_VERIFY_NETWORK", "false");
    project.run(&["-i", "1"]).exits(0).says("verify commands have no network");
    assert_eq!(project.log().last("verify_finished")["passed"], false);
    project.env("LOOPER_VERIFY_NETWORK", "true");
    project.run(&["-i", "1"]).exits(0);
    assert_eq!(project.log().last("verify_finished")["passed"], true);
}

/// Verify commands in a checkout of their own do not reach the work tree either.
#[test]
fn a_verify_command_writes_its_checkout_only() {
    let root = "\"$OLD\"";
    let command =
        format!("touch here && ! touch {root}/there 2>/dev/null && ! touch {root}/.git/x");
    let tasks = [task("1").verify(&[&command, "echo x > /tmp/shared", "test -s /tmp/shared"])];
    let rule = implementer([write("src/1.txt", "x")]);
    let Some(mut project) = held_at("full", &tasks, &[rule]) else { return };
    let root = project.root().to_owned();
    project.env("OLD", root);
    project.env("LOOPER_VERIFY_CHECKOUT", "clean");
    passes(&project, "full");
}

/// What the configuration names can be written, and nothing around it.
#[test]
fn a_place_that_is_named_can_be_written() {
    let steps = [
        works("echo x > $HOME/.cache/x && echo x > $HOME/.mine/x"),
        held("echo x > $HOME/.other/x"),
        write("src/1.txt", "x"),
    ];
    let rules =
        [on("plan").does([held("echo x > $HOME/.cache/x"), print("a plan")]), implementer(steps)];
    let Some(project) = held_at("full", &[task("1")], &rules) else { return };
    for name in [".cache", ".mine", ".other"] {
        std::fs::create_dir(project.place().join("home").join(name)).unwrap();
    }
    let config = project.read(".looper/config.toml");
    let agent = "[agents.fake-agent]\n";
    let more = format!("{agent}writable = [\"~/.mine\", \"~/.looper-is-not-there\"]\n");
    project.write(".looper/config.toml", config.replace(agent, &more));
    passes(&project, "full");
}
