//! Everything is booked once along every axis, under what became of it.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::engine::at::At;
use crate::engine::event::{Event, FORMAT};
use crate::engine::id::{RunId, Seq};

/// A log that is written as it is read: only what accounts look at is sound.
#[derive(Default)]
struct Book {
    seq: u64,
    run: u32,
    attempt: u32,
    accounts: Accounts,
}

/// What one stage does.
#[derive(Clone, Debug)]
struct Call {
    stage: &'static str,
    agent: &'static str,
    model: &'static str,
    class: &'static str,
    tokens: u64,
    dollars: Option<f64>,
    is_estimated: bool,
}

const CALL: Call = Call {
    stage: "implement",
    agent: "a",
    model: "m",
    class: "ok",
    tokens: 10,
    dollars: Some(0.25),
    is_estimated: false,
};

/// How an attempt ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    Reconciled,
    Kept,
    Gate,
    Proposal,
    Agent,
    Plan,
    State,
    Signal,
    Crash,
    Open,
}

impl Book {
    fn event(&mut self, name: &str, mut data: Value) {
        self.seq += 1;
        if data.get("task").is_none() {
            data["task"] = json!(format!("t{}", self.attempt % 3));
            data["attempt"] = json!(self.attempt);
        }
        let kind = serde_json::from_value(json!({ "event": name, "data": data })).expect(name);
        let run = RunId::new(format!("r{}", self.run));
        let at = At::from_millis(0);
        self.accounts.saw(&Event { v: FORMAT, seq: Seq(self.seq), at, run, kind });
    }

    fn begin(&mut self) {
        self.attempt += 1;
        self.event("task_selected", json!({ "title": "", "base": "", "snapshot": "" }));
    }

    fn call(&mut self, call: &Call) {
        self.event(&format!("{}_started", call.stage), json!({ "agent": call.agent }));
        let mut data = json!({
            "agent": call.agent, "model": call.model, "exit_code": 0, "class": call.class,
            "until": null, "duration_ms": 5, "prompt": "", "transcript": null, "message": null,
            "usage": {
                "input": call.tokens, "cached": 1, "output": 2, "cost_usd": call.dollars,
                "is_estimated": call.is_estimated,
            },
            "state_changes": [], "rescued": [],
        });
        let own = match call.stage {
            "plan" => json!({}),
            "implement" => json!({
                "tree": null, "paths": [], "created": [], "paths_left_out": 0, "overlaps": [],
                "special": [], "secrets": [], "diff": null,
            }),
            _ => json!({ "verdict": null, "note": null }),
        };
        data.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        self.event(&format!("{}_finished", call.stage), data);
    }

    fn verify(&mut self) {
        let run = json!({
            "command": "", "exit_code": 0, "timed_out": false, "duration_ms": 7, "output": "",
        });
        let data = json!({
            "passed": true, "commands": [run], "state_changes": [], "rescued": [],
        });
        self.event("verify_finished", data);
    }

    fn judged(&mut self, outcome: &str) {
        let gates = json!([
            { "gate": "scope", "passed": true, "reason": "" },
            { "gate": "verify", "passed": outcome == "PASS", "reason": "" },
            { "gate": "impl_critique", "passed": outcome == "PASS", "reason": "" },
        ]);
        self.event("gates_judged", json!({ "outcome": outcome, "tree": "", "gates": gates }));
    }

    fn rollback(&mut self, cause: &str) {
        self.event("rollback_started", json!({ "to": "", "cause": cause }));
        let data = json!({ "to": "", "restored": [], "removed": [], "left_out": 0, "rescued": [] });
        self.event("rollback_finished", data);
    }

    fn end(&mut self, end: End) {
        let done =
            |commit: Value| json!({ "by": "run", "commit": commit, "before": "", "after": "" });
        match end {
            End::Commit => {
                self.judged("PASS");
                self.event("commit_finished", json!({ "commit": "c", "tree": "" }));
                self.event("task_done", done(json!("c")));
            }
            End::Reconciled => {
                self.judged("PASS");
                self.event("reconciled", json!({ "commit": "c" }));
                self.event("task_done", done(json!("c")));
            }
            End::Kept => {
                self.judged("PASS");
                self.event("task_done", done(Value::Null));
            }
            End::Gate => {
                self.judged("FAIL");
                self.rollback("gates");
            }
            End::Proposal => {
                self.judged("PROPOSAL");
                self.rollback("gates");
            }
            End::Agent => self.rollback("agent_failed"),
            End::Plan => self.rollback("plan_rejected"),
            End::State => self.rollback("state_touched"),
            End::Signal => {
                self.event("interrupted", json!({ "effect": null, "cause": "signal" }));
                self.rollback("interrupted");
            }
            End::Crash => {
                self.event("implement_started", json!({ "agent": "a" }));
                let effect = self.seq;
                self.event("interrupted", json!({ "effect": effect, "cause": "crash" }));
                self.rollback("interrupted");
            }
            End::Open => {}
        }
    }
}

fn names(groups: &[Group]) -> Vec<(&str, u64)> {
    groups.iter().map(|group| (group.name.as_str(), group.used.calls)).collect()
}

#[rstest]
#[case::committed(End::Commit, &[("accepted", 2)], 1)]
#[case::committed_before_a_crash(End::Reconciled, &[("accepted", 2)], 1)]
#[case::left_uncommitted(End::Kept, &[("accepted", 2)], 1)]
#[case::failed_by_a_gate(End::Gate, &[("gate verify", 2)], 0)]
#[case::another_backlog(End::Proposal, &[("proposal", 2)], 0)]
#[case::the_plan_is_refused(End::Plan, &[("plan rejected", 2)], 0)]
#[case::the_state_is_touched(End::State, &[("gate state", 2)], 0)]
#[case::a_signal(End::Signal, &[("interrupted", 2)], 0)]
#[case::a_crash_in_a_call(End::Crash, &[("interrupted", 3)], 0)]
#[case::in_hand(End::Open, &[("not over", 2)], 0)]
fn spending_is_for_what_becomes_of_the_attempt(
    #[case] end: End,
    #[case] want: &[(&str, u64)],
    #[case] accepted: u64,
) {
    let mut book = Book::default();
    book.begin();
    book.call(&Call { stage: "plan", ..CALL });
    book.call(&CALL);
    book.verify();
    book.end(end);
    let spending = book.accounts.spending();
    assert_eq!(names(&spending.by_cause), want);
    assert_eq!(spending.accepted, accepted);
    assert_eq!(spending.total.duration_ms, 17);
}

#[rstest]
#[case::limit("rate_limited", "limit rate_limited")]
#[case::no_capacity("overloaded", "limit overloaded")]
#[case::no_credit("no_credit", "unusable no_credit")]
#[case::no_login("auth", "unusable auth")]
#[case::too_slow("timed_out", "agent timed_out")]
#[case::too_long("context", "agent context")]
#[case::said_nothing("empty", "agent empty")]
fn a_failed_agent_takes_its_attempt_along(#[case] class: &'static str, #[case] want: &str) {
    let mut book = Book::default();
    book.begin();
    book.call(&Call { stage: "plan", ..CALL });
    book.call(&Call { class, ..CALL });
    book.end(End::Agent);
    assert_eq!(names(&book.accounts.groups(Axis::Cause)), [(want, 2)]);
}

/// Whoever is called again after a failure is not charged for it.
#[test]
fn a_failed_call_of_an_accepted_attempt_is_a_failure_all_the_same() {
    let mut book = Book::default();
    book.begin();
    book.call(&Call { class: "overloaded", dollars: Some(0.0), ..CALL });
    book.call(&CALL);
    book.end(End::Commit);
    let causes = book.accounts.groups(Axis::Cause);
    assert_eq!(names(&causes), [("accepted", 1), ("limit overloaded", 1)]);
}

#[test]
fn a_program_that_never_started_cost_nothing() {
    let mut book = Book::default();
    book.begin();
    book.call(&Call { class: "missing", dollars: None, ..CALL });
    book.end(End::Agent);
    assert_eq!(book.accounts.total().cost_text(), "$0.00");
}

#[rstest]
#[case::shared_by_all(&[End::Commit, End::Gate, End::Commit], Some(0.25), 2, "$0.3750")]
#[case::rounded_up(&[End::Commit, End::Commit, End::Commit], Some(0.000_001), 3, "< $0.0001")]
#[case::in_vain(&[End::Gate], Some(0.25), 0, "nothing was accepted")]
#[case::unknown(&[End::Commit], None, 1, "unknown")]
#[case::cut_short(&[End::Commit, End::Crash], Some(0.25), 1, "≥ $0.5000")]
fn an_accepted_change_costs_its_share_of_everything(
    #[case] ends: &[End],
    #[case] dollars: Option<f64>,
    #[case] accepted: u64,
    #[case] want: &str,
) {
    let mut book = Book::default();
    for end in ends {
        book.begin();
        book.call(&Call { dollars, ..CALL });
        book.end(*end);
    }
    let spending = book.accounts.spending();
    assert_eq!((spending.accepted, spending.per_accepted_text().as_str()), (accepted, want));
}

fn call() -> impl Strategy<Value = Call> {
    let stage = prop::sample::select(&["plan", "plan_critique", "implement", "impl_critique"][..]);
    let agent = prop::sample::select(&["a", "b", "c"][..]);
    let model = prop::sample::select(&["m", "", "x*y", "(others)"][..]);
    let class = prop::sample::select(
        &["ok", "empty", "rate_limited", "auth", "crashed", "missing", "timed_out"][..],
    );
    let tokens = prop_oneof![0..10_000_u64, Just(u64::MAX)];
    let dollars = prop::option::of(prop_oneof![0.0..9.0_f64, Just(1e30), Just(-3.0)]);
    (stage, agent, model, class, tokens, dollars, any::<bool>()).prop_map(
        |(stage, agent, model, class, tokens, dollars, is_estimated)| Call {
            stage,
            agent,
            model,
            class,
            tokens,
            dollars,
            is_estimated,
        },
    )
}

fn attempts() -> impl Strategy<Value = Vec<(Vec<Call>, End, bool)>> {
    let end = prop::sample::select(
        &[
            End::Commit,
            End::Reconciled,
            End::Kept,
            End::Gate,
            End::Proposal,
            End::Agent,
            End::Plan,
            End::State,
            End::Signal,
            End::Crash,
            End::Open,
        ][..],
    );
    prop::collection::vec((prop::collection::vec(call(), 0..6), end, any::<bool>()), 0..12)
}

proptest! {
    #[test]
    fn the_sums_along_every_axis_are_the_same_total(attempts in attempts()) {
        let mut book = Book::default();
        let mut plain = Used::default();
        for (calls, end, is_last) in &attempts {
            book.begin();
            for call in calls {
                book.call(call);
                plain.calls += 1;
                let tokens = if call.class == "missing" { 0 } else { call.tokens };
                plain.input = plain.input.saturating_add(tokens);
                plain.duration_ms += 5;
            }
            book.verify();
            plain.duration_ms += 7;
            plain.calls += u64::from(matches!(end, End::Crash));
            book.end(*end);
            book.run += u32::from(*is_last);
        }
        let total = book.accounts.total();
        prop_assert_eq!((total.calls, total.input), (plain.calls, plain.input));
        prop_assert_eq!(total.duration_ms, plain.duration_ms);
        for axis in Axis::ALL {
            let mut sum = Used::default();
            for group in book.accounts.groups(axis) {
                prop_assert_eq!(book.accounts.of(axis, &group.name), group.used);
                sum.add(group.used);
            }
            prop_assert_eq!(sum, total, "{:?}", axis);
        }
        let accepted = attempts.iter().filter(|(_, end, _)| {
            matches!(end, End::Commit | End::Reconciled | End::Kept)
        });
        prop_assert_eq!(book.accounts.spending().accepted, accepted.count() as u64);
    }
}
