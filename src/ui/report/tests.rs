//! Whatever a log holds, a report on it is sound, bounded and nothing but text.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::rows::{KEPT_MAX, Recent};
use super::shape::{AgentReport, GateReport, Outcome, Report, TaskReport};
use super::{Chronicle, html, markdown};
use crate::engine::at::At;
use crate::engine::charter::GateId;
use crate::engine::id::{AgentName, TaskId};
use crate::engine::state::State;
use crate::engine::text::is_hidden;
use crate::ui::accounts::{Group, Used};

/// A report in which everything that comes from outside says this.
fn report(text: &str, tasks: usize) -> Report {
    let task = |number: usize| TaskReport {
        task: TaskId::new(format!("{number}{text}")),
        title: text.to_owned(),
        outcome: if number.is_multiple_of(2) { Outcome::Blocked } else { Outcome::Todo },
        commit: None,
        reason: Some(text.to_owned()),
        remedy: Some(format!("looper unblock {text}")),
        latest_loop: 1,
        attempts: 1,
        fail_count: 1,
        gates: vec![GateReport { gate: GateId::Verify, times: 1, reason: text.to_owned() }],
        used: Used::default(),
    };
    let agent = AgentReport {
        agent: AgentName::new(text),
        stages: vec!["plan".to_owned()],
        models: BTreeMap::from([(text.to_owned(), 1)]),
        ends: BTreeMap::from([("ok".to_owned(), 1)]),
        used: Used::default(),
    };
    let mut report = Chronicle::default().report(&State::default());
    report.last_at = Some(At::from_millis(0));
    report.tasks = (0..tasks).map(task).collect();
    report.agents = vec![agent];
    report.spending.total.calls = 1;
    report.spending.by_model = vec![Group { name: text.to_owned(), used: Used::default() }];
    report
}

/// Every element is closed in its turn, attributes are quoted, and the names are the template's.
fn elements(page: &str) -> BTreeMap<String, usize> {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    let (mut open, mut found) = (Vec::new(), BTreeMap::new());
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a lonely > in {:?}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("every tag is closed");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split_whitespace().next().expect("a name");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {rest:.80}");
        } else {
            *found.entry(name.to_owned()).or_default() += 1;
            if !VOID.contains(&name) {
                open.push(name.to_owned());
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

#[rstest]
#[case::script("<script>alert(1)</script>")]
#[case::closing("</td></table><img src=x onerror=alert(1)>")]
#[case::attribute("\" onmouseover=\"alert(1)")]
#[case::cell("a|b\\|c")]
#[case::code("```\n`x`")]
#[case::lines("a\n\n# heading\n\n<b>x</b>\r\n- item")]
#[case::control("\u{1b}[31mred\u{7}\0")]
#[case::turned_around("a\u{202e}b\u{2066}c\u{200b}")]
#[case::template("{{ 7 * 7 }}{% raw %}")]
#[case::entity("&lt;script&gt;")]
#[case::link("[x](javascript:alert(1)) https://e.example @who")]
fn hostile_text_is_text(#[case] text: &str) {
    let (harmless, hostile) = (report("x", 3), report(text, 3));
    let page = html(&hostile);
    assert_eq!(elements(&page), elements(&html(&harmless)), "{page}");
    for word in ["<script", "onerror=alert(1)>", "49", "onmouseover=\"alert"] {
        assert!(!page.contains(word), "{word}: {page}");
    }
    let shape = |text: &str| -> Vec<(usize, usize)> {
        let bars = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
        text.lines().map(|line| (bars(line), usize::from(line.starts_with('#')))).collect()
    };
    let written = markdown(&hostile);
    assert_eq!(shape(&written), shape(&markdown(&harmless)), "{written}");
    assert!(!written.contains("https://") && !written.contains("@who"), "{written}");
    for out in [page, written] {
        assert!(!out.contains(|char| is_hidden(char) && char != '\n'), "{out:?}");
    }
}

#[test]
fn a_page_needs_nothing_else_and_runs_nothing() {
    let page = html(&report("x", 3));
    let found = elements(&page);
    for name in ["script", "link", "img", "iframe", "object", "form", "a", "base"] {
        assert!(!found.contains_key(name), "{name}");
    }
    for word in ["http:", "https:", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    for word in [
        "<html lang=\"en\">",
        "name=\"viewport\"",
        "prefers-color-scheme: dark",
        "default-src 'none'",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert_eq!(found["table"], found["caption"]);
    assert!(page.contains("<th scope=\"col\"") && page.contains("<th scope=\"row\">"));
}

#[test]
fn tables_are_bounded_and_say_so() {
    let report = report(&"x".repeat(100_000), 1000);
    let written = markdown(&report);
    assert!(written.contains("900 more are in the JSON form."), "{written:.2000}");
    assert!(written.len() < 600_000 && html(&report).len() < 600_000);
}

#[test]
fn the_latest_of_many_are_kept() {
    let mut recent = Recent::default();
    (0..KEPT_MAX + 7).for_each(|number| recent.push(number));
    let latest = recent.latest();
    assert_eq!((latest.latest.len(), latest.left_out), (KEPT_MAX, 7));
    assert_eq!((latest.latest[0], latest.latest[KEPT_MAX - 1]), (7, KEPT_MAX + 6));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_text_leaves_a_page_as_it_is(text in any::<String>()) {
        prop_assert_eq!(elements(&html(&report(&text, 1))), elements(&html(&report("x", 1))));
        let lines = |text: &str| markdown(&report(text, 1)).lines().count();
        prop_assert_eq!(lines(&text), lines("x"));
    }
}
