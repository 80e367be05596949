//! An agent that follows a script. Built for tests only.

fn main() {}
