//! The scenarios of the benchmark are built into the program: a new one is a reason to build anew.

fn main() {
    println!("cargo::rerun-if-changed=fixtures/bench");
}
