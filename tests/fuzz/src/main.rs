//! Readers of what strangers write, under libFuzzer. `LOOPER_FUZZ` names the target.
#![no_main]

mod engine;
mod files;
mod host;
mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("LOOPER_FUZZ").unwrap_or_default();
    let known = targets::ALL.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, target)) => *target,
        None => panic!("LOOPER_FUZZ is one of {:?}", targets::ALL.map(|(known, _)| known)),
    }
});

fuzz_target!(|data: &[u8]| TARGET(data));
