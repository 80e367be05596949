//! An agent that follows a script. Built for tests only.

fn main() -> std::process::ExitCode {
    looper::scripted::main(std::env::args_os().skip(1))
}
