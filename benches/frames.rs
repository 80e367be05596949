//! How fast the streams of agents are read, and in how much memory.
//!
//! `cargo bench --bench frames` lets a reader produce a gibibyte for each format, out of the frames
//! that its program prints with tool output as long as builds and files are, and prints the median
//! of several rounds beside the floor of the same round: the same bytes read and cut into lines. A
//! last round reads a real file. `LOOPER_BENCH_MIB` and `LOOPER_BENCH_ROUNDS` change the size.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::time::Instant;

use looper::host::agents::{Format, count_frames};
use serde_json::json;

const ROUNDS: u64 = 5;
const MIB: u64 = 1024;

/// What a build prints.
fn build_log(lines: usize) -> String {
    let line = |number: usize| {
        format!(
            "   Compiling crate-{number} v0.{number}.1 (/home/dev/project/crates/crate-{number})\n\
             \u{1b}[33mwarning\u{1b}[0m: unused variable: `request`\n  --> src/\"lib\".rs:{number}:9\n"
        )
    };
    (0..lines).map(line).collect()
}

/// What a file holds: indented, quoted, not all of it ASCII.
fn source(lines: usize) -> String {
    let line = |number: usize| {
        format!("        let grüße_{number} = map.get(\"key-{number}\").ok_or(Error::Missing)?;\n")
    };
    (0..lines).map(line).collect()
}

/// Frames of a turn that reads, builds and talks, as this program prints them.
#[expect(clippy::too_many_lines, reason = "one list of frames for each format")]
fn turn(format: Format, number: usize) -> Vec<String> {
    let (read, built) = (source(40 + number % 7 * 30), build_log(20 + number % 11 * 20));
    let said = "I looked at the failing test and changed how the cache is keyed.\nNext: \"build\".";
    let id = format!("id_{number}");
    let frames = match format {
        Format::Codex => vec![
            json!({"type":"item.started","item":{"id":id,"type":"command_execution","command":"bash -lc 'cargo test'","aggregated_output":"","exit_code":null,"status":"in_progress"}}),
            json!({"type":"item.completed","item":{"id":id,"type":"command_execution","command":"bash -lc 'cargo test'","aggregated_output":built,"exit_code":0,"status":"completed"}}),
            json!({"type":"item.completed","item":{"id":format!("r{id}"),"type":"reasoning","text":source(5)}}),
            json!({"type":"item.completed","item":{"id":format!("c{id}"),"type":"command_execution","command":"sed -n 1,200p src/lib.rs","aggregated_output":read,"exit_code":0,"status":"completed"}}),
            json!({"type":"item.completed","item":{"id":format!("f{id}"),"type":"file_change","changes":[{"path":"/home/dev/project/src/lib.rs","kind":"update"}],"status":"completed"}}),
            json!({"type":"item.completed","item":{"id":format!("m{id}"),"type":"agent_message","text":said}}),
        ],
        Format::Claude | Format::Qwen => {
            let session = "5a1c6c1e-0000-4000-8000-000000000001";
            let usage = json!({"input_tokens":4,"cache_creation_input_tokens":3000,"cache_read_input_tokens":20000,"output_tokens":8});
            let assistant = |content: serde_json::Value| json!({"type":"assistant","message":{"id":id,"type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[content],"stop_reason":"tool_use","usage":usage},"parent_tool_use_id":null,"session_id":session,"uuid":id});
            let user = |content: &str| json!({"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":id,"content":content,"is_error":false}]},"parent_tool_use_id":null,"session_id":session,"uuid":id});
            vec![
                assistant(
                    json!({"type":"thinking","thinking":source(5),"signature":"c2ln".repeat(60)}),
                ),
                assistant(json!({"type":"text","text":said})),
                assistant(
                    json!({"type":"tool_use","id":id,"name":"Bash","input":{"command":"cargo test"}}),
                ),
                user(&built),
                assistant(
                    json!({"type":"tool_use","id":format!("w{id}"),"name":"Write","input":{"file_path":"/home/dev/project/src/lib.rs","content":read}}),
                ),
                user("The file has been updated."),
                json!({"type":"rate_limit_event","rate_limit_info":{"status":"allowed_warning","resetsAt":1795201200,"rateLimitType":"five_hour","utilization":0.85},"uuid":id,"session_id":session}),
            ]
        }
        Format::Gemini => {
            let at = "2026-11-20T16:16:01.097Z";
            let mut frames = vec![
                json!({"type":"tool_use","timestamp":at,"tool_name":"run_shell_command","tool_id":id,"parameters":{"command":"cargo test"}}),
                json!({"type":"tool_result","timestamp":at,"tool_id":id,"status":"success","output":built}),
                json!({"type":"tool_use","timestamp":at,"tool_name":"write_file","tool_id":format!("w{id}"),"parameters":{"file_path":"/home/dev/project/src/lib.rs","content":read}}),
                json!({"type":"tool_result","timestamp":at,"tool_id":format!("w{id}"),"status":"success","output":"written"}),
            ];
            frames.extend(said.split_inclusive(' ').map(|word| {
                json!({"type":"message","timestamp":at,"role":"assistant","content":word,"delta":true})
            }));
            frames
        }
        Format::Opencode => {
            let (session, message) =
                ("ses_e063c2345ffeG1cgd1vHGtZqwR", "msg_1f9c3f0bb001M4o5eccIM3fQKk");
            let frame = |kind: &str, part: serde_json::Value| json!({"type":kind,"timestamp":1795191731901_u64,"sessionID":session,"part":part});
            vec![
                frame(
                    "step_start",
                    json!({"id":id,"messageID":message,"sessionID":session,"type":"step-start"}),
                ),
                frame(
                    "tool_use",
                    json!({"type":"tool","tool":"bash","callID":id,"state":{"status":"completed","input":{"command":"cargo test"},"output":built,"metadata":{"output":built,"exit":0,"truncated":false},"title":"cargo test"},"id":id,"sessionID":session,"messageID":message}),
                ),
                frame(
                    "tool_use",
                    json!({"type":"tool","tool":"read","callID":format!("r{id}"),"state":{"status":"completed","input":{"filePath":"src/lib.rs"},"output":read},"id":id,"sessionID":session,"messageID":message}),
                ),
                frame(
                    "text",
                    json!({"id":id,"messageID":message,"sessionID":session,"type":"text","text":said}),
                ),
                frame(
                    "step_finish",
                    json!({"id":id,"reason":"tool-calls","messageID":message,"sessionID":session,"type":"step-finish","tokens":{"total":1050,"input":800,"output":40,"reasoning":10,"cache":{"write":0,"read":200}},"cost":0.00092}),
                ),
            ]
        }
        Format::Pi => {
            let model = json!({"input":800,"output":50,"cacheRead":200,"cacheWrite":0,"totalTokens":1050,"cost":{"total":0.00092}});
            let message = |text: &str, stop: &str| json!({"role":"assistant","content":[{"type":"text","text":text}],"api":"openai-completions","provider":"p","model":"m","usage":model,"stopReason":stop});
            let result = json!({"role":"toolResult","toolCallId":id,"toolName":"bash","content":[{"type":"text","text":built}],"isError":false});
            let mut frames = vec![
                json!({"type":"turn_start"}),
                json!({"type":"tool_execution_start","toolCallId":id,"toolName":"bash","args":{"command":"cargo test"}}),
                json!({"type":"tool_execution_end","toolCallId":id,"toolName":"bash","result":{"content":[{"type":"text","text":built}]},"isError":false}),
                json!({"type":"message_end","message":result}),
                json!({"type":"tool_execution_start","toolCallId":format!("w{id}"),"toolName":"write","args":{"path":"src/lib.rs","content":read}}),
            ];
            // Every update tells all that was said so far, twice.
            let words: Vec<&str> = said.split_inclusive(' ').collect();
            frames.extend((1..=words.len()).map(|count| {
                let so_far = message(&words[..count].concat(), "stop");
                json!({"type":"message_update","assistantMessageEvent":{"type":"text_delta","delta":words[count - 1],"partial":so_far},"message":so_far})
            }));
            frames.push(json!({"type":"message_end","message":message(said, "toolUse")}));
            frames.push(json!({"type":"turn_end","message":message(said, "toolUse"),"toolResults":[result]}));
            frames
        }
        Format::Copilot => {
            let frame = |kind: &str, data: serde_json::Value| json!({"type":kind,"data":data,"id":id,"timestamp":"2026-11-21T04:27:27.839Z","parentId":"b92af084-19a5-4fe4-848b-1cfa3e4e0997"});
            let mut frames = vec![
                frame("assistant.turn_start", json!({"turnId":id})),
                frame(
                    "tool.execution_start",
                    json!({"toolCallId":id,"toolName":"bash","arguments":{"command":"cargo test"}}),
                ),
                frame(
                    "tool.execution_complete",
                    json!({"toolCallId":id,"success":true,"result":{"content":built,"detailedContent":built}}),
                ),
                frame(
                    "tool.execution_start",
                    json!({"toolCallId":format!("w{id}"),"toolName":"create","arguments":{"path":"src/lib.rs","file_text":read}}),
                ),
            ];
            frames.extend(said.split_inclusive(' ').map(|word| {
                frame("assistant.message_delta", json!({"messageId":id,"deltaContent":word}))
            }));
            frames.push(frame(
                "assistant.message",
                json!({"messageId":id,"model":"m","content":said,"toolRequests":[]}),
            ));
            frames
        }
        Format::Text => vec![],
    };
    // Programs write the type first.
    frames.iter().map(type_first).collect()
}

fn type_first(frame: &serde_json::Value) -> String {
    let kind = &frame["type"];
    let rest = frame.as_object().expect("a frame").iter().filter(|(key, _)| *key != "type");
    let rest: String = rest.map(|(key, value)| format!(",\"{key}\":{value}")).collect();
    format!("{{\"type\":{kind}{rest}}}\n")
}

/// So many bytes out of the same turns again and again.
struct Endless<'a> {
    turns: &'a [u8],
    at: usize,
    left: u64,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.turns[self.at..];
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let size = rest.len().min(buffer.len()).min(left);
        buffer[..size].copy_from_slice(&rest[..size]);
        self.at = (self.at + size) % self.turns.len();
        self.left -= size as u64;
        Ok(size)
    }
}

/// Nothing but reading and cutting.
fn count_lines(input: impl Read) -> io::Result<u64> {
    let mut input = BufReader::with_capacity(128 * 1024, input);
    let (mut count, mut line) = (0, Vec::new());
    while input.read_until(b'\n', &mut line)? > 0 {
        count += 1;
        line.clear();
    }
    Ok(count)
}

/// Lines or frames per second, and how many there were.
fn speed(bytes: u64, work: impl FnOnce() -> io::Result<u64>) -> (f64, u64) {
    let start = Instant::now();
    let count = work().expect("the stream can be read");
    (bytes as f64 / 1e6 / start.elapsed().as_secs_f64(), count)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The most memory this process ever had, in KiB.
fn peak_kib() -> i64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    usage.expect("usage is known").max_rss()
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn row(
    name: &str,
    rounds: u64,
    bytes: u64,
    floor: impl Fn() -> io::Result<u64>,
    read: impl Fn() -> io::Result<u64>,
) {
    let before = peak_kib();
    let (mut floors, mut speeds) = (vec![], vec![]);
    for _ in 0..rounds {
        let (speed_of_lines, lines) = speed(bytes, &floor);
        let (speed_of_frames, frames) = speed(bytes, &read);
        assert!(lines.abs_diff(frames) <= 1, "{name}: {frames} frames in {lines} lines");
        floors.push(speed_of_lines);
        speeds.push(speed_of_frames);
    }
    let slowest = speeds.iter().copied().fold(f64::INFINITY, f64::min);
    let grown = (peak_kib() - before) as f64 / 1024.0;
    println!(
        "{name:<16} {:>10.0} {slowest:>12.0} {:>12.0} {grown:>16.1}",
        median(speeds),
        median(floors),
    );
}

fn main() -> io::Result<()> {
    let (mib, rounds) = (setting("LOOPER_BENCH_MIB", MIB), setting("LOOPER_BENCH_ROUNDS", ROUNDS));
    let bytes = mib * 1024 * 1024;
    println!("{mib} MiB for each format, {rounds} rounds\n");
    println!("format             MB/s     slowest   floor MB/s   peak memory + MiB");
    let speaking = Format::ALL.into_iter().filter(|format| !turn(*format, 0).is_empty());
    for format in speaking {
        let turns: String = (0..77).flat_map(|number| turn(format, number)).collect();
        let stream = || Endless { turns: turns.as_bytes(), at: 0, left: bytes };
        row(
            format.name(),
            rounds,
            bytes,
            || count_lines(stream()),
            || count_frames(format, stream()),
        );
        if format == Format::Codex {
            let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR"))?;
            io::copy(&mut stream(), &mut file)?;
            file.flush()?;
            let open = || File::open(file.path());
            row(
                "codex, a file",
                rounds,
                bytes,
                || count_lines(open()?),
                || count_frames(format, open()?),
            );
        }
    }
    Ok(())
}
