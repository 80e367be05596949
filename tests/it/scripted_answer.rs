//! What agents and verify commands of the scripted world answer.

use looper::engine::at::At;
use looper::engine::report::{Class, QuotaWindow};
use looper::engine::verdict::Verdict;

/// How a call ends.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Ok,
    Class(Class),
    /// A rate limit that lifts then.
    Limited(Option<i64>),
    /// Well, with so many per cent of an allowance used that begins anew then.
    Used(u32, Option<i64>),
    Verdict(Option<Verdict>),
    Paths(Vec<&'static str>),
    Verify(bool),
    /// Verify commands pass, and without the change too.
    Vacuous,
    TouchesState,
    /// The same, and it ends like that.
    TouchesStateAnd(Class),
    Interrupted,
}

pub(crate) fn class_of(answer: &Answer) -> Class {
    match answer {
        Answer::Class(class) | Answer::TouchesStateAnd(class) => *class,
        Answer::Limited(_) => Class::RateLimited,
        _ => Class::Ok,
    }
}

pub(crate) fn until(answer: &Answer) -> Option<At> {
    match answer {
        Answer::Limited(until) => until.map(At::from_millis),
        _ => None,
    }
}

pub(crate) fn quota(answer: &Answer) -> Vec<QuotaWindow> {
    match answer {
        Answer::Used(used_percent, resets_at) => vec![QuotaWindow {
            window: "five_hour".to_owned(),
            used_percent: *used_percent,
            resets_at: resets_at.map(At::from_millis),
        }],
        _ => vec![],
    }
}

pub(crate) fn touched(answer: &Answer) -> Vec<String> {
    if matches!(answer, Answer::TouchesState | Answer::TouchesStateAnd(_)) {
        vec!["backlog.md".to_owned()]
    } else {
        vec![]
    }
}

pub(crate) fn ruling(answer: &Answer) -> Option<Verdict> {
    match answer {
        Answer::Verdict(verdict) => *verdict,
        _ => Some(Verdict::Pass),
    }
}
