//! The schemas in `schema/` are the ones this build prints, and they accept what it writes.

use std::fs;
use std::path::{Path, PathBuf};

use looper::engine::event::EventKind;
use looper::schema::{FORMATS, events_page};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{name}.json"))
}

/// `LOOPER_BLESS=1 cargo test schemas` writes them anew.
#[test]
fn schemas_do_not_drift() {
    for format in FORMATS {
        let path = file(format.name);
        if std::env::var_os("LOOPER_BLESS").is_some() {
            fs::write(&path, format.text()).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == format.text(),
            "{} is stale: LOOPER_BLESS=1 cargo test schemas",
            path.display()
        );
    }
}

/// `LOOPER_BLESS=1 cargo test schemas` writes it anew.
#[test]
fn the_page_of_events_does_not_drift() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md");
    let page = events_page();
    if std::env::var_os("LOOPER_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/events.md is stale: LOOPER_BLESS=1 cargo test schemas");
    for name in EventKind::NAMES {
        assert!(page.contains(&format!("\n### {name}\n")), "{name} is not on the page");
    }
    let links = page.split("](#").skip(1).filter_map(|rest| rest.split_once(')'));
    for (anchor, _) in links {
        let heading = page.lines().any(|line| {
            line.strip_prefix("### ").is_some_and(|name| name.to_lowercase() == anchor)
        });
        assert!(heading, "nothing on the page is called {anchor}");
    }
}

#[test]
fn no_schema_is_left_over() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert!(FORMATS.iter().any(|format| file(format.name) == path), "{}", path.display());
    }
}

/// A validator for one line of the log.
pub(crate) fn line_validator() -> jsonschema::Validator {
    let schema = fs::read_to_string(file("event-v1")).expect("the schema is there");
    let schema = serde_json::from_str(&schema).expect("a schema is JSON");
    jsonschema::validator_for(&schema).expect("it is a schema")
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = line_validator();
    let h = "0".repeat(64);
    let line = |rest: &str| {
        let text = format!(
            r#"{{"v":1,"seq":1,"at":"2026-11-20T09:15:02.481Z","run":"x",{rest},"h":"{h}"}}"#
        );
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    assert!(validator.is_valid(&line(r#""event":"stop_requested","data":{"by":"person"}"#)));
    for bad in [
        r#""event":"stop_requested","data":{"by":"person","x":1}"#,
        r#""event":"stop_requested","x":1,"data":{"by":"person"}"#,
        r#""event":"never_heard_of","data":{}"#,
        r#""event":"stop_requested","data":{}"#,
    ] {
        assert!(!validator.is_valid(&line(bad)), "accepted {bad}");
    }
}
