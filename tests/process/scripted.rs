//! The scripted agent does what its script says, and can pass for a real agent.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use looper::engine::at::At;
use looper::engine::charter::{PromptBy, Risk};
use looper::engine::report::Class;
use looper::host::agents::{Evidence, Format, place, preset, read};
use looper::host::process::{Exit, Stdin};
use rstest::rstest;

use crate::bench::{Bench, FAKE_AGENT};

#[tokio::test]
async fn every_step_is_taken() {
    let bench = Bench::new().await;
    fs::write(bench.file("words"), "from a file\n").unwrap();
    let ended = bench
        .end(bench.agent(
            r#"
            { write = { path = "a/b/c.txt", text = "one\n" } },
            { append = { path = "a/b/c.txt", text = "two\n" } },
            { append = { path = "new.txt", text = "three" } },
            { mkdir = "d/e" },
            { write = { path = "gone/f", text = "" } },
            { delete = "gone" },
            { symlink = { path = "link", target = "a/b/c.txt" } },
            { chmod = { path = "new.txt", mode = "751" } },
            { rename = { from = "d", to = "moved/d" } },
            { run = ["sh", "-c", "echo ran > ran"] },
            { sleep_ms = 1 },
            { print = "out" },
            { print_file = "words" },
            { print_bytes = 3 },
            { print_stderr = "err" },
            { exit = 7 },
            { print = "never" },
            "#,
        ))
        .await;
    assert_eq!(ended.exit, Exit::Code(7));
    assert_eq!(bench.text("stdout"), "out\nfrom a file\nxxx");
    assert_eq!(bench.text("stderr"), "err\n");
    assert_eq!(bench.text("link"), "one\ntwo\n");
    assert!(bench.file("link").is_symlink());
    assert_eq!((bench.text("new.txt"), bench.text("ran")), ("three".into(), "ran\n".into()));
    assert!(!bench.file("gone").exists() && bench.file("moved/d/e").is_dir());
    let mode = fs::metadata(bench.file("new.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o751);
}

#[rstest]
#[case::crash(r#""crash""#, Exit::Signal(9), "")]
#[case::failed_program(r#"{ run = ["sh", "-c", "exit 5"] }"#, Exit::Code(5), "")]
#[case::prompt(
    r#"{ expect_prompt = "please" }"#,
    Exit::Code(65),
    "scripted agent: the prompt does not contain \"please\"\n"
)]
#[case::missing_file(
    r#"{ delete = "nothing" }"#,
    Exit::Code(74),
    "scripted agent: cannot delete nothing: No such file or directory (os error 2)\n"
)]
#[case::mode(
    r#"{ chmod = { path = "script.toml", mode = "9" } }"#,
    Exit::Code(64),
    "scripted agent: \"9\" is not an octal mode\n"
)]
#[tokio::test]
async fn a_bad_end_says_why(#[case] step: &str, #[case] exit: Exit, #[case] said: &str) {
    let bench = Bench::new().await;
    assert_eq!(bench.end(bench.agent(step)).await.exit, exit);
    assert_eq!(bench.text("stderr"), said);
}

/// A real agent gets its prompt on standard input and knows none of our variables.
#[tokio::test]
async fn it_can_wear_the_name_of_a_real_agent() {
    let bench = Bench::new().await;
    fs::create_dir(bench.file("bin")).unwrap();
    symlink(FAKE_AGENT, bench.file("bin/codex")).unwrap();
    let script = r#"
        [[rule]]
        stage = "plan"
        task = "1.2"
        steps = [{ expect_prompt = "hello" }, { print = "A plan." }]
    "#;
    fs::write(bench.file("script.toml"), script).unwrap();

    let codex = preset("codex", Risk::Unattended, "", "").unwrap();
    let prompt = "# Planner\n\nTask 1.2: Say hello\n";
    assert_eq!(codex.prompt, PromptBy::Stdin);
    let placed = place(&codex.command, codex.prompt, prompt, &bench.file("prompt")).unwrap();
    let mut command = bench.command(&[]);
    (command.argv, command.stdin) = (placed.argv, placed.stdin);
    assert!(matches!(command.stdin, Stdin::Bytes(_)));
    command.environment.insert("PATH".into(), bench.file("bin").into());
    command.environment.insert("LOOPER_SCRIPT".into(), bench.file("script.toml").into());
    codex.output.prepare(&mut command.environment);

    let ended = bench.end(command).await;
    let (stdout, stderr) = (bench.file("stdout"), bench.file("stderr"));
    let evidence = Evidence { stdout: &stdout, stderr: &stderr, ended, now: At::default() };
    let answer = read(Format::Codex, &evidence).unwrap();
    assert_eq!((answer.class, answer.message.as_deref()), (Class::Ok, Some("A plan.\n")));
}

#[tokio::test]
async fn without_a_script_a_critic_is_content_and_a_nobody_is_lost() {
    let bench = Bench::new().await;
    let mut command = bench.command(&[FAKE_AGENT]);
    command.stdin = Stdin::Bytes(b"# Plan Critic\n".to_vec());
    assert_eq!(bench.end(command).await.exit, Exit::Code(0));
    assert_eq!(bench.text("stdout"), "VERDICT: PASS\n");

    let bench = {
        drop(bench);
        Bench::new().await
    };
    assert_eq!(bench.end(bench.command(&[FAKE_AGENT])).await.exit, Exit::Code(64));
    assert!(bench.text("stderr").contains("names a stage"));
}
