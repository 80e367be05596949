//! What real agent programs printed, as files that a scripted agent can print again.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;

/// Puts the standard output of every recording of a program at `<folder>/<program>/<case>/stdout`.
pub(crate) fn unpack_recordings(program: &str, folder: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    if fixtures.join(program).exists() {
        fs::create_dir_all(folder).expect("the place is writable");
        symlink(fixtures.join(program), folder.join(program)).expect("the name is new");
        return;
    }
    let packed = File::open(fixtures.join(format!("{program}.jsonl.zst")))
        .expect("the recordings are whole");
    for line in
        BufReader::new(zstd::Decoder::new(packed).expect("the recordings are whole")).lines()
    {
        let recording: serde_json::Value =
            serde_json::from_str(&line.expect("the recordings are whole"))
                .expect("the recordings are whole");
        let case = folder
            .join(program)
            .join(recording["case"].as_str().expect("the recordings are whole"));
        fs::create_dir_all(&case).expect("the recordings are whole");
        fs::write(
            case.join("stdout"),
            recording["stdout"].as_str().expect("the recordings are whole"),
        )
        .expect("the recordings are whole");
    }
}
