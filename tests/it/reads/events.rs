//! `looper log` shows what happened, or passes the lines on as they are.

use std::fs;

use rstest::rstest;

use super::fixture::Project;

#[test]
fn the_raw_lines_are_the_file_byte_for_byte() {
    let project = Project::after_a_run();
    let said = project.looper(["log", "--format", "json"]).exits(0);
    assert_eq!(said.out, fs::read_to_string(project.events()).unwrap());
}

#[test]
fn the_story_has_a_date_once_and_a_time_on_each_line() {
    let project = Project::after_a_run();
    let said = project.looper(["log"]).exits(0);
    let (day, rest) = said.out.split_once('\n').unwrap();
    assert!(day.contains(", 20"), "{said:#?}");
    let has_time =
        |line: &str| line.len() > 10 && line.as_bytes()[2] == b':' && &line[8..10] == "  ";
    assert!(rest.lines().all(has_time), "{said:#?}");
    assert!(rest.contains("Task 1.1        write hello (attempt 1)"), "{said:#?}");
    assert!(!rest.contains("plan_started"));
    let more = project.looper(["log", "-v"]).exits(0);
    assert!(more.out.contains("plan_started            Task 1.1 (attempt 1)"), "{more:#?}");
    assert_eq!(more.out.lines().count(), project.lines().len() + 1, "every event has a line");
}

/// Arguments, and which lines fit.
type Filter<'a> = (&'a [&'a str], fn(&str) -> bool);

const FILTERS: [Filter<'_>; 9] = [
    (&["--task", "1.2"], |line| line.contains(r#""task":"1.2","attempt""#)),
    (&["--task", "Task 1.2"], |line| line.contains(r#""task":"1.2","attempt""#)),
    (&["--event", "task_done"], |line| line.contains(r#""event":"task_done""#)),
    (&["--run", "01"], |_| true),
    (&["--run", "zz"], |_| false),
    (&["--since", "1h"], |_| true),
    (&["--since", "2020-01-01 10:00"], |_| true),
    (&["--since", "2999-01-01T00:00:00Z"], |_| false),
    (&["--task", "1.1", "--event", "gates_judged"], |line| {
        line.contains(r#""event":"gates_judged","data":{"task":"1.1""#)
    }),
];

#[test]
fn filters_let_through_what_fits() {
    let project = Project::after_a_run();
    for (filter, fits) in FILTERS {
        let said = project.looper(["log", "--format", "json"].iter().chain(filter)).exits(0);
        let want: Vec<String> = project.lines().into_iter().filter(|line| fits(line)).collect();
        assert_eq!(said.out.lines().collect::<Vec<_>>(), want, "{filter:?}");
        assert_eq!(want.is_empty(), said.err.contains("no event fits"), "{said:#?}");
    }
}

#[rstest]
#[case::event(&["--event", "task_don"], "task_done")]
#[case::time(&["--since", "yesterday"], "\"yesterday\" is no time and no span")]
fn a_filter_that_makes_no_sense_is_a_usage_error(#[case] filter: &[&str], #[case] hint: &str) {
    let project = Project::new();
    let said = project.looper(["log"].iter().chain(filter)).exits(64);
    assert!(said.err.contains(hint), "{said:#?}");
}
