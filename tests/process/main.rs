//! Processes are started, bounded, and ended with everything they started.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod bench;
mod scripted;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bench::{Bench, LONG, named, working_for};
use looper::engine::id::RunId;
use looper::host::process::{
    Cancel, Cause, Exit, ProcessError, RUN_VARIABLE, Stdin, canceller, run, sweep_run,
};
use rstest::rstest;

#[rstest]
#[case::good("echo out; echo err >&2", Exit::Code(0))]
#[case::bad("echo out; echo err >&2; exit 3", Exit::Code(3))]
#[case::killed("echo out; echo err >&2; kill -SEGV $$", Exit::Signal(11))]
#[tokio::test]
async fn output_and_exit_come_back(#[case] script: &str, #[case] exit: Exit) {
    let bench = Bench::new().await;
    let ended = bench.end(bench.sh(script)).await;
    assert_eq!((ended.exit, ended.cause), (exit, Cause::Exited));
    assert_eq!((bench.text("stdout"), bench.text("stderr")), ("out\n".into(), "err\n".into()));
    assert_eq!((ended.stdout_bytes, ended.stderr_bytes), (4, 4));
    assert!(!ended.truncated());
    assert_eq!(ended.swept, 0);
}

#[tokio::test]
async fn a_program_gets_no_variable_that_it_is_not_given() {
    let bench = Bench::new().await;
    bench.end(bench.command(&["env"])).await;
    let text = bench.text("stdout");
    let names: Vec<_> = text.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(names, ["LOOPER_PROCESS", "LOOPER_RUN", "PATH"]);
}

#[tokio::test]
async fn a_program_reads_its_input_and_then_the_end() {
    let bench = Bench::new().await;
    let prompt = "ä prompt\n".repeat(100_000);
    let mut command = bench.command(&["cat"]);
    command.stdin = Stdin::Bytes(prompt.clone().into_bytes());
    assert_eq!(bench.end(command).await.exit, Exit::Code(0));
    assert_eq!(bench.text("stdout"), prompt);
}

#[rstest]
#[case::closed("exec <&-; sleep 0.05")]
#[case::ended_before_it_was_read("exit 0")]
#[case::read_in_part("head -c 5 >/dev/null")]
#[tokio::test]
async fn a_program_need_not_read_its_input(#[case] script: &str) {
    let bench = Bench::new().await;
    let mut command = bench.sh(script);
    command.stdin = Stdin::Bytes(vec![b'x'; 4 << 20]);
    assert_eq!(bench.end(command).await.exit, Exit::Code(0));
}

#[tokio::test]
async fn a_missing_program_is_told_from_one_that_does_not_start() {
    let bench = Bench::new().await;
    let missing = run(bench.command(&["no-such-program"]), Cancel::never()).await;
    assert!(
        matches!(missing, Err(ProcessError::NotFound { program }) if program == "no-such-program")
    );
    let mut nowhere = bench.sh("true");
    nowhere.cwd = bench.file("nowhere");
    let nowhere = run(nowhere, Cancel::never()).await;
    assert!(matches!(nowhere, Err(ProcessError::Start { .. })), "{nowhere:?}");
    bench.nothing_is_left();
}

#[tokio::test]
async fn evidence_is_neither_overwritten_nor_written_through_a_link() {
    let bench = Bench::new().await;
    std::os::unix::fs::symlink("target", bench.file("stdout")).unwrap();
    let refused = run(bench.sh("echo x"), Cancel::never()).await;
    assert!(matches!(refused, Err(ProcessError::Capture { .. })), "{refused:?}");
    assert!(!bench.file("target").exists());
    bench.nothing_is_left();
}

#[rstest]
#[case::takes_the_request(r#""hang""#, Exit::Signal(15))]
#[case::is_deaf_to_it(r#""ignore_term", "hang""#, Exit::Signal(9))]
#[case::sleeps_in_a_program(r#"{ run = ["sleep", "60"] }"#, Exit::Signal(15))]
#[case::is_stopped(r#"{ run = ["sh", "-c", "kill -STOP $PPID"] }, "hang""#, Exit::Signal(15))]
#[tokio::test]
async fn a_program_ends_at_its_deadline(#[case] steps: &str, #[case] exit: Exit) {
    let bench = Bench::new().await;
    let mut command = bench.agent(steps);
    command.limits.deadline = Duration::from_millis(300);
    let ended = bench.end(command).await;
    assert_eq!((ended.exit, ended.cause), (exit, Cause::DeadlinePassed));
    assert!((300..10_000).contains(&ended.duration_ms), "{ended:?}");
}

#[tokio::test]
async fn silence_ends_a_program_and_noise_on_either_stream_does_not() {
    let bench = Bench::new().await;
    let noise =
        "for i in 1 2 3 4 5 6; do echo x; sleep 0.06; echo x >&2; sleep 0.06; done; exec sleep 60";
    let mut command = bench.sh(noise);
    command.limits.idle = Some(Duration::from_millis(600));
    let ended = bench.end(command).await;
    assert_eq!(ended.cause, Cause::Idle);
    assert_eq!((ended.stdout_bytes, ended.stderr_bytes), (12, 12));
}

#[tokio::test]
async fn a_wish_ends_a_program() {
    let bench = Bench::new().await;
    let (canceller, cancel) = canceller();
    let command = bench.agent(r#"{ leave_child = { ms = 60000 } }, { print = "up" }, "hang""#);
    let end = async {
        while fs::read(bench.file("stdout")).unwrap_or_default().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        canceller.cancel();
    };
    let (ended, ()) = tokio::join!(run(command, cancel), end);
    assert_eq!(ended.unwrap().cause, Cause::Cancelled);
    bench.nothing_is_left();
}

#[tokio::test]
async fn nothing_is_left_of_a_program_nobody_waits_for() {
    let bench = Bench::new().await;
    let command = bench.agent(r#"{ leave_child = { ms = 60000, in_own_session = true } }, "hang""#);
    let waited = tokio::time::timeout(Duration::from_millis(400), run(command, Cancel::never()));
    assert!(waited.await.is_err());
    let patience = Instant::now() + LONG;
    while !working_for(&bench.run).is_empty() && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.end(named("second", bench.command(&["true"]))).await;
}

#[tokio::test]
async fn two_hundred_megabytes_without_a_line_end_need_little_memory_and_little_disk() {
    let bench = Bench::new().await;
    // The peak so far belongs to other tests.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let mut command = bench.agent("{ print_bytes = 209715200 }");
    command.stdout.keep_bytes = 1000;
    let ended = bench.end(command).await;
    assert_eq!((ended.exit, ended.stdout_bytes), (Exit::Code(0), 200 << 20));
    assert!(ended.stdout_truncated && !ended.stderr_truncated);
    assert_eq!(fs::metadata(bench.file("stdout")).unwrap().len(), 1000);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 64 * 1024, "{peak_kib} KiB");
}

#[tokio::test]
async fn a_program_that_prints_too_much_is_ended() {
    let bench = Bench::new().await;
    let mut command = bench.command(&["yes"]);
    command.stdout.keep_bytes = 100;
    command.stdout.kill_bytes = Some(1 << 20);
    let ended = bench.end(command).await;
    assert_eq!((ended.cause, ended.exit), (Cause::TooMuchOutput, Exit::Signal(15)));
    assert!(ended.stdout_bytes > 1 << 20);
    assert_eq!(bench.text("stdout").len(), 100);
}

/// Proves I12.
/// Every way to stay behind that agents and verify commands are known to use, and some worse ones.
#[rstest]
#[case::in_the_group("")]
#[case::in_a_session("in_own_session = true")]
#[case::as_a_daemon("in_own_session = true, as_daemon = true")]
#[case::deaf("in_own_session = true, ignore_term = true")]
#[case::without_a_trace(
    "in_own_session = true, as_daemon = true, without_environment = true, quiet = true"
)]
#[case::all_of_it(
    "in_own_session = true, as_daemon = true, without_environment = true, ignore_term = true"
)]
#[tokio::test]
async fn nothing_survives(#[case] how: &str, #[values(true, false)] ends_itself: bool) {
    let bench = Bench::new().await;
    let child = format!("{{ leave_child = {{ ms = 60000, then_append = \"late\", {how} }} }}");
    let child = child.replace(", }", " }");
    let end = if ends_itself { r#"{ print = "done" }"# } else { r#""hang""# };
    // Time for a daemon to get through its birth.
    let mut command = bench.agent(&format!("{child}, {{ sleep_ms = 100 }}, {end}"));
    command.limits.deadline = Duration::from_millis(if ends_itself { 60_000 } else { 400 });
    let ended = bench.end(command).await;
    let cause = if ends_itself { Cause::Exited } else { Cause::DeadlinePassed };
    assert_eq!(ended.cause, cause);
    if ends_itself {
        assert_eq!((ended.swept, ended.exit), (1, Exit::Code(0)));
        assert_eq!(bench.text("stdout"), "done\n");
    }
    assert!(ended.duration_ms < 10_000, "{ended:?}");
    assert!(!bench.file("late").exists());
}

/// Each of them lives for a moment only, and leaves a successor in a session of its own.
#[tokio::test]
async fn what_runs_away_is_caught() {
    let bench = Bench::new().await;
    fs::write(bench.file("runner"), "trap '' TERM; sleep 0.02; setsid sh runner &").unwrap();
    let mut command = bench.sh("for i in 1 2 3; do setsid sh runner & done; sleep 0.2; exit 7");
    command.limits.grace = Duration::from_millis(50);
    let ended = bench.end(command).await;
    assert_eq!(ended.exit, Exit::Code(7));
    assert!(ended.swept >= 3, "{ended:?}");
    tokio::time::sleep(Duration::from_millis(60)).await;
    bench.nothing_is_left();
}

#[tokio::test]
async fn orphans_that_are_dead_are_reaped_while_a_program_runs() {
    let bench = Bench::new().await;
    let script =
        "for i in 1 2 3 4 5 6 7 8; do (true &) ; done; sleep 1.6; ps -o stat= --ppid $PPID";
    let ended = bench.end(bench.sh(script)).await;
    assert_eq!(ended.exit, Exit::Code(0));
    assert_eq!(bench.text("stdout").matches('Z').count(), 0, "{}", bench.text("stdout"));
}

#[tokio::test]
async fn programs_side_by_side_are_left_alone() {
    let bench = Bench::new().await;
    let child = "{ leave_child = { ms = 60000, in_own_session = true, as_daemon = true } }";
    let slow = bench.agent(&format!("{child}, {{ sleep_ms = 800 }}, {{ print = \"done\" }}"));
    let quick = bench.sh("(setsid sleep 60 &); sleep 0.2");
    let (slow, quick) =
        tokio::join!(run(slow, Cancel::never()), run(named("quick", quick), Cancel::never()));
    let (slow, quick) = (slow.unwrap(), quick.unwrap());
    assert_eq!((quick.exit, quick.swept), (Exit::Code(0), 1));
    assert_eq!((slow.exit, slow.swept), (Exit::Code(0), 1));
    assert_eq!(bench.text("stdout"), "done\n");
    bench.nothing_is_left();
}

fn stray(run: &str, folder: &Path) -> std::process::Child {
    std::process::Command::new("sh")
        .args(["-c", "setsid sleep 60 & trap '' TERM; echo > up; while :; do sleep 60; done"])
        .current_dir(folder)
        .env(RUN_VARIABLE, run)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn the_processes_of_a_killed_run_are_ended_and_no_others() {
    let bench = Bench::new().await;
    let other = format!("{}x", bench.run);
    // Another run's process that this run's agent started: it belongs to the other run.
    let nested = format!("{RUN_VARIABLE}={other} sleep 60 & sleep 60");
    let started = [
        stray(&bench.run, bench.folder.path()),
        stray(&other, bench.folder.path()),
        std::process::Command::new("sh")
            .args(["-c", &nested])
            .env(RUN_VARIABLE, &bench.run)
            .spawn()
            .unwrap(),
    ];
    let patience = Instant::now() + LONG;
    while working_for(&bench.run).len() < 5 || working_for(&other).len() < 4 {
        assert!(Instant::now() < patience, "the processes do not come up");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // They are started here, so this process would spare them: another one has to sweep.
    let mut sweeper = BTreeMap::from([("SWEEP", bench.run.clone())]);
    sweeper.insert(RUN_VARIABLE, bench.run.clone());
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_sweeper", "--ignored"])
        .envs(sweeper)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "the sweeper ended itself or left something: {status}");
    assert_eq!(working_for(&other).len(), 4);
    for mut child in started {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for pid in working_for(&other) {
        let status = std::process::Command::new("kill").arg("-9").arg(pid.to_string()).status();
        assert!(status.unwrap().success());
    }
    bench.end(bench.command(&["true"])).await;
}

/// Runs as a process of its own, which carries the mark of the run that it ends.
#[tokio::test]
#[ignore = "part of another test"]
async fn a_sweeper() {
    let run = std::env::var("SWEEP").unwrap();
    let swept = sweep_run(&RunId::new(run.clone()), Duration::from_millis(200)).await;
    assert_eq!(swept.survivors, 0);
    assert!(swept.ended >= 4, "{swept:?}");
    let own = i32::try_from(std::process::id()).unwrap();
    assert_eq!(working_for(&run), [own]);
}
