//! What a run may spend, what it is known to have spent, and who is told.

use looper::scripted::{Rule, Step};
use rstest::rstest;

use crate::support::*;

fn says(stage: &str, format: &str) -> Rule {
    on(stage).does([Step::PrintFile(format!("transcripts/{format}/plain/stdout").into())])
}

const PRICES: &str = "[prices.\"gpt-5*\"]\ninput = 1.25\ncached = 0.125\noutput = 10";

/// Two tasks whose planner speaks a format with usage in it, and whose implementer does nothing.
fn planned_by(format: &str, config: &str) -> Project {
    let mut project = Project::with(&[task("1"), task("2")], &[says("plan", format)]);
    unpack_recordings(format, &project.place().join("transcripts"));
    project.config(&format!(
        "{config}\n[agents.{format}]\ncommand = [\"fake-agent\"]\nmodel = \"gpt-5.5\""
    ));
    project.env("LOOPER_ROLES_PLAN", format);
    project
}

#[rstest]
#[case::tokens("codex", "tokens = 1050", "tokens: 1050 of 1050, spent to the last")]
#[case::more_tokens("codex", "tokens = 1000", "tokens: 1050 of 1000, 50 over")]
#[case::reported("claude", "cost_usd = 0.04", "cost_usd: $0.0421 of $0.0400, $0.0021 over")]
#[case::estimated("codex", "cost_usd = 0.001", "cost_usd: $0.0015 of $0.0010, $0.0005 over")]
fn a_budget_that_is_spent_ends_the_run_and_says_on_what(
    #[case] format: &str,
    #[case] budget: &str,
    #[case] told: &str,
) {
    let project = planned_by(format, &format!("[budget]\n{budget}\n{PRICES}"));
    let ran = project.run(&[]).exits(5).says("The budget is spent:").says(told);
    for line in ["It was spent on:\n", "  plan ", "by:\n", "per accepted change: nothing was"] {
        assert!(ran.stderr.contains(line), "{line:?}\n{ran}");
    }
    assert!(ran.stderr.contains(&format!("  {format} ")), "{ran}");
    let log = project.log();
    assert_eq!(
        (log.last("run_ended")["reason"].as_str(), log.count("task_selected")),
        (Some("budget"), 1)
    );
    assert_eq!(project.marks(), "  ");
}

#[test]
fn time_in_stages_is_a_budget() {
    let project = Project::with(&[task("1"), task("2")], &[on("plan").does([sleep(1100)])]);
    project.config("[budget]\nwall_clock_s = 1");
    project.run(&[]).exits(5).says("wall_clock_s: ").says(" s of 1.0 s");
    assert_eq!(project.log().count("task_selected"), 1);
}

/// The numbers of the log can be worked out again from the log.
#[test]
fn what_a_price_says_is_in_the_log_with_the_price() {
    let project = planned_by("codex", PRICES);
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let usage = &log.last("plan_finished")["usage"];
    assert_eq!(
        (usage["cost_usd"].as_f64(), &usage["is_estimated"]),
        (Some(0.001525), &true.into())
    );
    let price = &log.last("run_started")["prices"]["gpt-5*"];
    let part = |count: &str, price: f64| usage[count].as_f64().unwrap() * price / 1e6;
    let again = part("input", price["input"].as_f64().unwrap())
        + part("cached", price["cached"].as_f64().unwrap())
        + part("output", price["output"].as_f64().unwrap());
    assert!((again - 0.001525).abs() < 1e-9);
    let usage = &log.last("plan_critique_finished")["usage"];
    assert!(usage["cost_usd"].is_null() && usage.get("is_estimated").is_none(), "{usage}");
    let status = project.looper(&["status"]).exits(0).stdout;
    assert!(status.contains("codex: 1 call, 1050 tokens, $0.0015, estimated,"), "{status}");
}

#[test]
fn a_cost_that_the_agent_says_stands() {
    let project = planned_by("claude", "[prices.\"*\"]\ninput = 1\noutput = 1");
    project.run(&["-i", "1"]).exits(0);
    let log = project.log();
    let usage = &log.last("plan_finished")["usage"];
    assert_eq!(usage["cost_usd"].as_f64(), Some(0.042134));
    assert!(usage.get("is_estimated").is_none(), "{usage}");
}

#[rstest]
#[case::nobody_says("[budget]\ncost_usd = 5", Some("can never be reached"))]
#[case::somebody_says(
    "[budget]\ncost_usd = 5\n[prices.\"gpt-5.5\"]\ninput = 1\noutput = 1",
    Some("does not count what fake-agent (no model is asked for) will cost")
)]
#[case::a_price_of_no_tokens(
    "[budget]\ncost_usd = 5\n[prices.\"*\"]\ninput = 1\noutput = 1",
    Some("does not count what fake-agent (no model is asked for) will cost")
)]
#[case::no_budget_in_dollars("[budget]\ntokens = 5000", None)]
fn a_budget_that_cannot_be_seen_is_warned_about(#[case] config: &str, #[case] want: Option<&str>) {
    let project = planned_by("codex", config);
    let doctor = project.looper(&["doctor"]).exits(0).stdout;
    assert_eq!(
        doctor.contains("cost_usd does not count what nobody says"),
        want.is_some(),
        "{doctor}"
    );
    let ran = project.run(&["-i", "1"]).exits(0);
    assert_eq!(ran.stderr.contains("warning: budget.cost_usd"), want.is_some(), "{ran}");
    assert!(want.is_none_or(|want| ran.stderr.contains(want)), "{ran}");
}

fn limited(config: &str, seconds: u32) -> Project {
    let project = planned_by("claude", config);
    let limit = format!("echo \"Claude AI usage limit reached|$(($(date +%s) + {seconds}))\" >&2");
    let rules = [says("plan", "claude"), implementer([sh(&limit), exit(1)]).once()];
    project.script(&rules);
    project
}

/// Nobody waits for hours to hear that nothing is left to spend.
#[test]
fn a_command_whose_budget_is_spent_does_not_wait() {
    let project = limited("[budget]\ncost_usd = 0.04", 9000);
    project.run(&["--wait"]).exits(5).says("cost_usd: $0.0421 of $0.0400, $0.0021 over");
    let log = project.log();
    assert_eq!(
        (log.count("task_selected"), log.last("run_ended")["reason"].as_str()),
        (1, Some("budget"))
    );
}

/// Waiting does not make a budget whole again: it is spent by the second plan, not by the third.
#[test]
fn a_budget_holds_over_a_wait() {
    let project = limited("[budget]\ncost_usd = 0.08", 2);
    project.run(&["--wait"]).exits(5).says("cost_usd: $0.0843 of $0.0800, $0.0043 over");
    let log = project.log();
    assert_eq!(log.count("plan_finished"), 2);
    assert_eq!(log.last("run_resumed")["limits"]["cost_usd"].as_f64(), Some(0.08));
    assert_eq!(log.last("run_resumed")["spent_before"]["cost_micros"], 42_134);
    let status = project.looper(&["status"]).exits(0).stdout;
    assert!(status.contains("Budget:   cost_usd: $0.0843 of $0.0800, $0.0043 over"), "{status}");
}

#[test]
fn a_report_says_what_an_accepted_change_cost() {
    let mut project = planned_by("claude", "");
    let again = implementer([write("src/2.txt", "x")]).task("2").attempt(2);
    let first = implementer([write("src/1.txt", "x")]).task("1");
    project.script(&[says("plan", "claude"), first, again]);
    project.env("LOOPER_ROLES_PLAN_CRITIQUE", "fake-agent");
    project.run(&[]).exits(0);
    let report = project.looper(&["report", "--format", "json"]).exits(0).stdout;
    let spending = &serde_json::from_str::<serde_json::Value>(&report).unwrap()["spending"];
    // Three plans for two commits.
    assert_eq!(spending["total"]["cost_usd"].as_f64(), Some(0.126402));
    assert_eq!(spending["accepted"], 2);
    assert_eq!(spending["cost_per_accepted_usd"].as_f64(), Some(0.063201));
    let causes = spending["by_cause"].as_array().unwrap();
    let of = |name: &str| causes.iter().find(|it| it["name"] == name).unwrap()["used"].clone();
    assert_eq!(of("accepted")["cost_usd"].as_f64(), Some(0.084268));
    assert_eq!(of("gate change")["cost_usd"].as_f64(), Some(0.042134));
    let told = project.read(".looper/report.md");
    assert!(told.contains("cost per accepted change: ≥ \\$0.0632."), "{told}");
}
