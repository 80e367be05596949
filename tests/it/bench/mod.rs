//! How much of what is committed is bad, by scenarios that try.

mod suite;
mod wrong;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::child::{Ended, looper, start};

/// The whole suite on a busy machine; alone it takes a third of it.
const LONG: Duration = Duration::from_secs(400);

/// `looper bench` in this directory, to its end.
fn bench(cwd: &Path, arguments: &[&str]) -> Ended {
    let mut bench = looper(cwd);
    bench.arg("bench").args(arguments);
    start(bench).end_within(LONG)
}

/// What it prints for programs, which its schema accepts.
#[track_caller]
fn told(ended: &Ended) -> Value {
    let told = serde_json::from_str(&ended.stdout).expect("it prints JSON");
    let format = looper::schema::FORMATS.iter().find(|format| format.name == "bench-v1");
    let schema: Value = serde_json::from_str(&format.expect("it is public").text()).unwrap();
    if let Err(error) = jsonschema::validate(&schema, &told) {
        panic!("{error}: {told}");
    }
    told
}
