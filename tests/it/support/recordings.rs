//! What real agent programs printed, as files that a scripted agent can print again.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Writes the standard output of every recording of a program to `<folder>/<program>/<case>/stdout`.
pub(crate) fn unpack_recordings(program: &str, folder: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    let packed = File::open(fixtures.join(format!("{program}.jsonl.zst"))).unwrap();
    for line in BufReader::new(zstd::Decoder::new(packed).unwrap()).lines() {
        let recording: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let case = folder.join(program).join(recording["case"].as_str().unwrap());
        fs::create_dir_all(&case).unwrap();
        fs::write(case.join("stdout"), recording["stdout"].as_str().unwrap()).unwrap();
    }
}
