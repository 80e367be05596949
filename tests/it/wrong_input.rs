//! What is refused, with which exit code and in which words.
//!
//! A row is a stranger's mistake. Nothing may be changed by it, and the message has to say what is
//! wrong and what to do: the snapshots in `tests/it/snapshots` are read like code.

use std::fs;
use std::os::unix::fs::symlink;

use regex::Regex;
use rstest::{Context, rstest};

use crate::support::*;

/// A project that would work.
fn sound() -> Project {
    Project::with(&[task("1")], &[implementer([write("src/1.txt", "x")])])
}

/// A project that has worked, with a log.
fn with_log() -> Project {
    let project = sound();
    project.run(&[]).exits(0);
    project
}

fn without_git() -> Project {
    let project = Project::bare();
    project.config("");
    project.backlog(&[task("1")]);
    project
}

fn prepared(setup: impl FnOnce(&mut Project)) -> Project {
    let mut project = sound();
    setup(&mut project);
    project
}

fn config(text: &str) -> Project {
    prepared(|project| project.config(text))
}

fn backlog(text: &str) -> Project {
    prepared(|project| project.write(".looper/backlog.md", text))
}

fn log(change: impl FnOnce(String) -> String) -> Project {
    let project = with_log();
    let text = change(project.read(".looper/events.jsonl"));
    project.write(".looper/events.jsonl", text);
    project
}

/// Words without what differs from machine to machine and run to run.
fn redacted(project: &Project, text: &str) -> String {
    let mut text = project.redacted(text);
    for (pattern, word) in [
        (r"\b[0-9a-f]{64}\b", "[PROOF]"),
        (r"\b[0-9a-f]{40}\b", "[COMMIT]"),
        (r"\bprocess [0-9]+", "process [PID]"),
        (r"\bpid [0-9]+", "pid [PID]"),
        (r"since [0-9][0-9T:.Z -]+", "since [TIME]"),
        (r"run 01[0-9A-Z]{24}", "run [RUN]"),
        (r"on [^ ]+, start", "on [HOST], start"),
    ] {
        text = Regex::new(pattern).expect("it is one").replace_all(&text, word).into_owned();
    }
    text
}

#[rstest]
#[case::the_project_does_not_exist(sound(), "run --project nowhere", 64)]
#[case::the_project_is_a_file(sound(), "run --project README.md", 64)]
#[case::the_project_is_no_repository(without_git(), "run --project .", 3)]
#[case::no_repository_is_around(without_git(), "run", 3)]
#[case::the_project_is_below_the_top(sound(), "run --project src", 3)]
#[case::the_repository_is_bare(
    prepared(|it| { it.git(&["config", "core.bare", "true"]); }), "run", 3
)]
#[case::the_branch_has_no_commit(
    prepared(|it| { it.git(&["checkout", "-q", "--orphan", "new"]); }), "run", 3
)]
#[case::a_file_was_changed(prepared(|it| it.write("src/kept.txt", "x")), "run", 3)]
#[case::a_file_is_not_tracked(prepared(|it| it.write("notes.txt", "x")), "run", 3)]
#[case::many_files_were_changed(
    prepared(|it| (0..20).for_each(|n| it.write(&format!("notes/{n}\n"), "x"))), "run", 3
)]
#[case::a_merge_is_in_progress(
    prepared(|it| it.write(".git/MERGE_HEAD", it.git(&["rev-parse", "HEAD"]) + "\n")), "run", 3
)]
#[case::a_rebase_is_in_progress(
    prepared(|it| fs::create_dir(it.path(".git/rebase-merge")).unwrap()), "run", 3
)]
#[case::git_is_at_work(prepared(|it| it.write(".git/index.lock", "")), "run", 3)]
#[case::nobody_would_be_the_author(
    prepared(|it| fs::write(it.place().join("home/.gitconfig"), "").unwrap()), "run", 3
)]
#[case::commits_are_signed(
    prepared(|it| { it.git(&["config", "commit.gpgSign", "true"]); }), "run", 3
)]
#[case::the_branch_has_another_name(config("[run]\nrequire_branch_prefix = \"bot/\""), "run", 3)]
#[case::the_backlog_is_missing(
    prepared(|it| fs::remove_file(it.path(".looper/backlog.md")).unwrap()), "run", 3
)]
#[case::the_named_backlog_is_missing(sound(), "run --backlog nowhere.md", 3)]
#[case::there_are_two_backlogs(prepared(|it| it.write("to-do.json", "[]")), "run", 3)]
#[case::the_backlog_has_no_task(backlog("# Backlog\n"), "run", 3)]
#[case::a_task_has_no_fields(backlog("# Backlog\n\n- [ ] Task 1: Do it\n"), "run", 3)]
/// LoopDex w10: a line that is nearly a task is a mistake, not a comment.
#[case::a_task_line_is_nearly_one(
    prepared(|it| it.edit_backlog("- [ ] Task 1", "* [ ] Task 1")), "run", 3
)]
#[case::the_backlog_is_no_text(
    prepared(|it| it.write(".looper/backlog.md", [0xff, 0xfe, 0, 0x41])), "run", 3
)]
#[case::the_backlog_is_a_link(
    prepared(|it| {
        fs::remove_file(it.path(".looper/backlog.md")).unwrap();
        symlink("../README.md", it.path(".looper/backlog.md")).unwrap();
    }), "run", 3
)]
#[case::an_unknown_agent_by_flag(sound(), "run --agent claud", 64)]
#[case::an_unknown_agent_by_configuration(
    prepared(|it| it.write(".looper/config.toml", "[roles]\nplan = \"claud\"\n")), "run", 3
)]
#[case::an_agent_without_a_command(
    prepared(|it| it.write(".looper/config.toml", "[agents.mine]\nmodel = \"x\"\n[roles]\nplan = \"mine\"\n")),
    "run", 3
)]
#[case::an_agent_would_judge_its_own_work(
    prepared(|it| it.env("LOOPER_ROLES_INDEPENDENT", "agent")), "run", 3
)]
#[case::two_agents_are_of_one_vendor(
    prepared(|it| {
        it.config("[agents.second]\ncommand = [\"/elsewhere/fake-agent\"]");
        it.env("LOOPER_ROLES_PLAN_CRITIQUE", "second");
        it.env("LOOPER_ROLES_INDEPENDENT", "vendor");
    }), "run", 3
)]
#[case::the_program_is_not_found(
    config("[agents.codex]\ncommand = [\"no-such-agent\"]"),
    "run --agent codex",
    3
)]
#[case::no_preset_program_is_found(sound(), "run --agent codex", 3)]
#[case::the_configuration_is_a_directory(
    prepared(|it| {
        fs::remove_file(it.path(".looper/config.toml")).unwrap();
        fs::create_dir(it.path(".looper/config.toml")).unwrap();
    }), "run", 3
)]
#[case::the_configuration_is_no_toml(config("[run"), "run", 3)]
#[case::the_configuration_has_an_unknown_key(config("[verify]\ntimout_s = 5"), "run", 3)]
#[case::a_price_is_negative(config("[prices.m]\ninput = -1\noutput = 1"), "run", 3)]
#[case::a_price_is_no_number(config("[prices.m]\ninput = nan\noutput = 1"), "run", 3)]
#[case::a_price_is_half_a_price(config("[prices.m]\ninput = 1"), "run", 3)]
#[case::a_price_has_an_unknown_key(config("[prices.m]\ninptu = 1"), "run", 3)]
#[case::a_variable_prices_a_model_that_no_file_has(
    prepared(|it| it.env("LOOPER_PRICES_OPUS_INPUT", "1")), "run", 3
)]
#[case::a_variable_is_misspelt(
    prepared(|it| it.env("LOOPER_VERIFY_TIMOUT_S", "5")), "run", 3
)]
#[case::a_variable_is_no_number(
    prepared(|it| it.env("LOOPER_RUN_FAILURES_MAX", "many")), "run", 3
)]
#[case::a_sandbox_is_required(
    prepared(|it| {
        it.env("LOOPER_RUN_SANDBOX", "required");
        it.program("bwrap", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1");
    }), "run", 3
)]
#[case::a_prompt_is_no_template(
    prepared(|it| it.write(".looper/prompts/planner.md", "{% if %}")), "run", 3
)]
#[case::the_state_directory_is_a_file(
    prepared(|it| {
        fs::remove_dir_all(it.path(".looper")).unwrap();
        it.write(".looper", "");
    }), "run", 3
)]
#[case::the_state_directory_is_a_link(
    prepared(|it| {
        fs::rename(it.path(".looper"), it.path("ignored")).unwrap();
        symlink("ignored", it.path(".looper")).unwrap();
    }), "run", 3
)]
#[case::the_lock_is_a_directory(
    prepared(|it| fs::create_dir(it.path(".looper/lock")).unwrap()), "run", 3
)]
#[case::the_log_is_a_directory(
    prepared(|it| fs::create_dir(it.path(".looper/events.jsonl")).unwrap()), "run", 3
)]
#[case::there_is_no_shell(
    prepared(|it| it.env("PATH", it.place().join("bin"))), "run", 3
)]
#[case::the_log_is_newer(log(|text| text.replacen("{\"v\":1,", "{\"v\":9,", 1)), "run", 4)]
#[case::a_byte_of_the_log_is_damaged(log(|text| text.replacen("fake-agent", "fake-Agent", 1)), "run", 4)]
#[case::the_log_is_no_log(log(|_| "hello\nworld\n".to_owned()), "run", 4)]
#[case::the_log_is_gone(log(|_| String::new()), "run", 4)]
#[case::the_log_ends_too_early(
    log(|text| text.lines().take(9).flat_map(|line| [line, "\n"]).collect()), "run", 4
)]
#[case::the_anchor_is_garbage(
    prepared(|it| {
        let blob = it.git(&["hash-object", "-w", "README.md"]);
        it.git(&["update-ref", "refs/looper/log", &blob]);
    }), "run", 4
)]
#[case::an_unknown_command(sound(), "rnu", 64)]
#[case::an_unknown_flag(sound(), "run --agnet codex", 64)]
#[case::a_flag_without_its_value(sound(), "run --task", 64)]
#[case::no_attempts(sound(), "run -i 0", 64)]
#[case::no_number_of_attempts(sound(), "run -i many", 64)]
#[case::an_unknown_task(sound(), "run --task 9", 64)]
#[case::an_unknown_profile(sound(), "run --profile fast", 64)]
#[case::quiet_and_verbose(sound(), "run -q -v", 64)]
fn it_is_refused_in_words_that_help(
    #[case] project: Project,
    #[case] command: &str,
    #[case] code: i32,
    #[context] context: Context,
) {
    let facts = || {
        // A log without an event is as good as none.
        let log = fs::read(project.path(".looper/events.jsonl")).unwrap_or_default();
        (project.manifest(), fs::read(project.path(".git/HEAD")).unwrap_or_default(), log)
    };
    let before = facts();
    let args: Vec<&str> = command.split_whitespace().collect();
    let ran = project.looper(&args).exits(code);
    assert!(facts() == before, "something was changed: {:?}\n{ran}", facts());
    assert_eq!(ran.stdout, "", "{ran}");
    let name = context.description.expect("every row has a name");
    let text = format!("$ looper {command}\n{}", redacted(&project, &ran.stderr));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// The help is all the message there is, so the first call of a stranger explains itself.
#[test]
fn without_a_command_the_help_is_printed() {
    let ran = sound().looper(&[]).exits(64).says("Usage: looper [OPTIONS] <COMMAND>");
    assert!(ran.stderr.contains("Exit codes: 0 done"), "{ran}");
}

/// Below the top of a repository no second one is made.
#[test]
fn git_init_makes_a_repository_only_where_there_is_none() {
    let project = sound();
    let mut below = project.command(env!("CARGO_BIN_EXE_looper"));
    below.args(["run", "--git-init"]).current_dir(project.path("src"));
    assert!(below.output().unwrap().status.success());
    assert!(!project.has("src/.git") && project.marks() == "x");

    let project = without_git();
    project.write("README.md", "mine\n");
    project.script(&[implementer([write("src/1.txt", "x")])]);
    project.run(&["--git-init"]).exits(0);
    assert_eq!(project.git(&["log", "--format=%s"]), "Task 1: Write 1\nBefore the first task");
    assert_eq!(project.git(&["ls-files"]), "README.md\nsrc/1.txt");
}

#[test]
fn another_run_holds_the_lock() {
    use looper::host::lock::{Lock, Owner};
    let project = sound();
    let _lock = Lock::take(&project.path(".looper/lock"), &Owner::this_process("looper run", None));
    let ran = project.looper(&["run"]).exits(3);
    let own = format!("{}", std::process::id());
    assert!(ran.stderr.contains(&own) && ran.stderr.contains("looper stop"), "{ran}");
}
