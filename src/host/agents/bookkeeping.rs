//! What agents tell besides their answer: sessions, tools, allowances.

use rstest::rstest;

use super::transcripts::{at, recorded, said};
use crate::engine::report::{Activity, QuotaWindow};

#[rstest]
#[case::codex("codex", "tool_shell", "01a1f9ae-2b4f-77e2-afaf-fcbaca6d4403", [1, 1])]
#[case::codex_no_tool("codex", "plain", "01a1f9bc-0600-73f0-879e-d36923b452bf", [0, 0])]
#[case::claude("claude", "plain", "5a1c6c1e-0000-4000-8000-000000000001", [1, 1])]
#[case::gemini("gemini", "tool_shell", "10cdb82e-f325-4729-82d8-e6ec86a0b694", [1, 1])]
#[case::opencode("opencode", "tool_fail", "ses_e063c2345ffeG1cgd1vHGtZqwR", [1, 1])]
#[case::qwen("qwen", "tool_shell", "19bf1aa0-3f2a-4522-aecd-f8c73ee8585a", [1, 1])]
#[case::pi("pi", "tool_shell", "01a1fc5b-b614-7748-9cc2-cfa8ccf5c9dd", [1, 1])]
#[case::copilot("copilot", "tool_shell", "a7067f28-9fbf-483d-8130-f2c3445fcade", [1, 1])]
#[case::copilot_refused("copilot", "denied_write", "", [1, 1])]
fn a_run_names_its_session_and_counts_its_tools(
    #[case] format: &str,
    #[case] case: &str,
    #[case] session: &str,
    #[case] counts: [u64; 2],
) {
    let [tools, commands] = counts;
    let answer = recorded(format, case);
    assert_eq!(answer.activity, Some(Activity { tools, commands }));
    assert!(session.is_empty() || answer.session.as_deref() == Some(session), "{answer:?}");
}

#[rstest]
#[case::codex("codex", &[
    r#"{"type":"item.started","item":{"id":"a","type":"command_execution"}}"#,
    r#"{"type":"item.completed","item":{"id":"a","type":"command_execution"}}"#,
    r#"{"type":"item.completed","item":{"id":"b","type":"file_change"}}"#,
    r#"{"type":"item.completed","item":{"id":"c","type":"mcp_tool_call"}}"#,
    r#"{"type":"item.completed","item":{"id":"d","type":"agent_message","text":"x"}}"#,
    r#"{"type":"item.completed","item":{"id":"e","type":"todo_list","items":[]}}"#,
], [3, 1])]
#[case::claude("claude", &[
    r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"a","name":"Bash"},{"type":"tool_use","id":"b","name":"Edit"}]}}"#,
    r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"a","name":"Bash"}]}}"#,
    r#"{"type":"assistant","message":{"content":[{"type":"text","text":"tool_use Bash"}]}}"#,
], [2, 1])]
#[case::gemini("gemini", &[
    r#"{"type":"tool_use","tool_id":"a","tool_name":"run_shell_command"}"#,
    r#"{"type":"tool_use","tool_id":"b","tool_name":"write_file"}"#,
], [2, 1])]
#[case::opencode("opencode", &[
    r#"{"type":"tool_use","part":{"callID":"a","tool":"bash"}}"#,
    r#"{"type":"tool_use","part":{"callID":"a","tool":"bash"}}"#,
    r#"{"type":"tool_use","part":{"callID":"b","tool":"edit"}}"#,
], [2, 1])]
#[case::pi("pi", &[
    r#"{"type":"tool_execution_start","toolCallId":"a","toolName":"bash"}"#,
    r#"{"type":"tool_execution_end","toolCallId":"a","toolName":"bash"}"#,
    r#"{"type":"tool_execution_start","toolCallId":"b","toolName":"write"}"#,
], [2, 1])]
fn each_use_of_a_tool_counts_once(
    #[case] format: &str,
    #[case] lines: &[&str],
    #[case] counts: [u64; 2],
) {
    let [tools, commands] = counts;
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    assert_eq!(said(format, lines.join("\n")).activity, Some(Activity { tools, commands }));
}

#[rstest]
#[case::warned(r#""status":"allowed_warning","rateLimitType":"five_hour","utilization":0.85,"resetsAt":1795201200"#,
    Some(("five_hour", 85, Some("2026-11-20T19:00:00Z"))))]
#[case::rounded_up(r#""status":"allowed","rateLimitType":"w","utilization":0.8501"#, Some(("w", 86, None)))]
#[case::not_by_a_hair(r#""status":"allowed","rateLimitType":"w","utilization":0.07"#, Some(("w", 7, None)))]
#[case::absurd(r#""status":"allowed","rateLimitType":"w","utilization":1e300"#, Some(("w", 1000, None)))]
#[case::negative(r#""status":"allowed","rateLimitType":"w","utilization":-1"#, Some(("w", 0, None)))]
#[case::rejected(r#""status":"rejected","rateLimitType":"w""#, Some(("w", 100, None)))]
#[case::some_day(
    r#""status":"rejected","rateLimitType":"w","resetsAt":9000000000000000000"#,
    Some(("w", 100, None))
)]
#[case::nothing_said(r#""status":"allowed","rateLimitType":"w""#, None)]
#[case::of_nothing(r#""status":"allowed","utilization":0.5"#, None)]
#[case::in_words(r#""status":"allowed","rateLimitType":"w","utilization":"0.5""#, None)]
fn claude_says_how_much_of_an_allowance_is_used(
    #[case] info: &str,
    #[case] want: Option<(&str, u32, Option<&str>)>,
) {
    let lines = [format!("{{\"type\":\"rate_limit_event\",\"rate_limit_info\":{{{info}}}}}")];
    let want = want.map(|(window, used_percent, until)| QuotaWindow {
        window: window.into(),
        used_percent,
        resets_at: until.map(at),
    });
    assert_eq!(said("claude", lines.join("\n")).quota, want.into_iter().collect::<Vec<_>>());
}
