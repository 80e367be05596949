//! What `looper run` itself takes while a program prints without end. `LOOPER_PRINTED_BYTES` says
//! how much is printed; what an agent prints beyond 1 GiB is not waited for.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rstest::rstest;

use crate::support::*;

/// What `looper` promises. Without optimisation the program itself, mapped, takes twice that.
const PEAK_KIB_MAX: u64 = if cfg!(debug_assertions) { 72 << 10 } else { 40 << 10 };

/// Optimised, it is more than is held anywhere. Otherwise looking for secrets takes too long.
const PRINTED_BYTES: &str = if cfg!(debug_assertions) { "2000000" } else { "2000000000" };

/// A line just shorter than the longest that is read as a frame, full of the smallest values.
const MANY_VALUES: &str = r#"{
    printf '{"type":"%s","item":[' "$1"; yes '{"":0},' | tr -d '\n' | head -c 1000000; echo '0]}'
} > "$TMPDIR/frame"; while cat "$TMPDIR/frame"; do :; done"#;

fn frame(text: &str) -> String {
    format!("yes '{text}'")
}

/// The peak of the process alone, as the system counts it. What it starts is not in it.
fn peak_kib(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
    peak
}

fn measured(what: &str, output: &str, agent: &str, verify: &str) -> Project {
    let bytes = std::env::var("LOOPER_PRINTED_BYTES").unwrap_or(PRINTED_BYTES.to_owned());
    let project = Project::new();
    project.backlog(&[task("1").verify(&[&verify.replace("BYTES", &bytes)])]);
    let agent = format!("echo x > src/1.txt; {}", agent.replace("BYTES", &bytes));
    fs::write(project.place().join("agent.sh"), agent).unwrap();
    let script = project.place().join("agent.sh");
    project.write(
        ".looper/config.toml",
        format!(
            "[run]\nprofile = \"solo\"\n[verify]\ntimeout_s = 3600\n[roles]\nimplement = \"a\"\n\
             [agents.a]\ncommand = [\"sh\", {script:?}]\noutput = \"{output}\"\ntimeout_s = 3600\n"
        ),
    );
    let mut looper = project.command(env!("CARGO_BIN_EXE_looper"));
    looper.args(["run", "-i", "1"]).stdin(Stdio::null());
    let mut child = looper.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let peak = peak_kib(&mut child);
    println!("{what}, {bytes} bytes: peak {:.1} MiB", peak as f64 / 1024.0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(peak > 0 && peak < PEAK_KIB_MAX, "{what}: {peak} KiB");
    project
}

#[rstest]
#[case::lines("text", "yes")]
#[case::one_endless_line("text", "tr '\\0' x < /dev/zero")]
#[case::not_utf8("text", r"yes $(printf '\377\376\300')")]
#[case::escapes("text", r"yes $(printf '\033[31m\033]0;x\007')")]
#[case::codex("codex", &frame(r#"{"type":"item.completed","item":{"type":"agent_message","text":"words"}}"#))]
#[case::claude("claude", &frame(r#"{"type":"assistant","message":{"content":[{"type":"text","text":"words"}]}}"#))]
#[case::qwen("qwen", &frame(r#"{"type":"user","message":{"content":[{"type":"tool_result","content":"words"}]}}"#))]
#[case::gemini("gemini", &frame(r#"{"type":"message","role":"assistant","content":"words"}"#))]
#[case::opencode("opencode", &frame(r#"{"type":"text","part":{"text":"words"}}"#))]
#[case::pi("pi", &frame(r#"{"type":"tool_execution_start","toolCallId":"a","toolName":"bash","args":"words"}"#))]
#[case::copilot("copilot", &frame(r#"{"type":"assistant.message","data":{"content":"words"}}"#))]
#[case::frames_without_an_end("codex", "tr '\\0' '[' < /dev/zero")]
#[case::frames_of_many_values("codex", &format!("set -- item.completed; {MANY_VALUES}"))]
#[case::unknown_frames_of_many_values("claude", &format!("set -- new; {MANY_VALUES}"))]
fn an_agent_that_prints_takes_no_memory(#[case] output: &str, #[case] prints: &str) {
    let what = format!("{output}: {}", prints.chars().take(60).collect::<String>());
    measured(&what, output, &format!("( {prints} ) | head -c BYTES"), "test -e src/1.txt");
}

#[test]
fn standard_error_takes_no_memory_either() {
    measured("standard error", "text", "yes | head -c BYTES >&2", "test -e src/1.txt");
}

#[rstest]
#[case::lines("yes | head -c BYTES")]
#[case::one_endless_line("head -c BYTES /dev/zero")]
#[case::both_streams("yes | head -c BYTES | tee /dev/stderr")]
fn a_verify_command_that_prints_takes_no_memory(#[case] prints: &str) {
    let project = measured("verify", "text", "echo done", prints);
    assert_eq!(project.marks(), "x");
}
