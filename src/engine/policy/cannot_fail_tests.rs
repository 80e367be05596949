//! Which commands cannot fail, and which only look like it.

use proptest::prelude::*;
use rstest::rstest;

use super::cannot_fail;

const ALWAYS: &str = "it always succeeds";
const HIDDEN: &str = "what follows `||` hides every failure";
const ANYHOW: &str = "how it ends does not depend on what it runs";
const APART: &str = "nobody waits for what runs in the background";

#[rstest]
#[case("true", ALWAYS)]
#[case(" /bin/true ", ALWAYS)]
#[case(":", ALWAYS)]
#[case(": all is well", ALWAYS)]
#[case("exit 0", ALWAYS)]
#[case("echo done", ALWAYS)]
#[case("echo \"$(cargo test)\"", ALWAYS)]
#[case("echo cargo test 2>&1", ALWAYS)]
#[case("true > /dev/null", ALWAYS)]
#[case("! false", ALWAYS)]
#[case("true && true", ALWAYS)]
#[case("false || true", ALWAYS)]
#[case("(exit 3) || :", ALWAYS)]
#[case("test 1 -eq 1", ALWAYS)]
#[case("[ a = a ]", ALWAYS)]
#[case("sh -c 'exit 0'", ALWAYS)]
#[case("bash -c \"bash -c true\"", ALWAYS)]
#[case("exit 0; cargo test", ALWAYS)]
#[case("# cargo test", "it runs nothing")]
#[case("cargo test || true", HIDDEN)]
#[case("cargo test 2>&1 || :", HIDDEN)]
#[case("cargo test >/dev/null 2>&1 || exit 0", HIDDEN)]
#[case("cargo test > out.txt || echo failed", HIDDEN)]
#[case("a && b && c || true", HIDDEN)]
#[case("! grep -q x f || true", HIDDEN)]
#[case("cargo test; true", ANYHOW)]
#[case("cargo test\ntrue", ANYHOW)]
#[case("cargo test; exit 0", ANYHOW)]
#[case("cargo test || true; true", ANYHOW)]
#[case("cargo test | true", ANYHOW)]
#[case("(cargo test || true)", ANYHOW)]
#[case("{ cargo test; } || true", HIDDEN)]
#[case("if cargo test; then make; fi; true", ANYHOW)]
#[case("for f in *; do cargo test $f; done; true", ANYHOW)]
#[case("FOO=1 cargo test || true", HIDDEN)]
#[case("timeout 60 cargo test || true", HIDDEN)]
#[case("cargo test &", APART)]
#[case("cargo test && cargo build &", APART)]
fn a_command_cannot_fail(#[case] command: &str, #[case] want: &str) {
    assert_eq!(cannot_fail(command), Some(want));
}

#[rstest]
#[case("cargo test")]
#[case("false")]
#[case("exit 1")]
#[case("exit")]
#[case("! true")]
#[case("! ! true")]
#[case("true && false")]
#[case("true; false")]
#[case("true && cargo test")]
#[case("grep -q x f || exit 1")]
#[case("grep -q x f && true")]
#[case("grep -q x f || exit 1; true")]
#[case("grep -q x f || { echo no; exit 1; }; true")]
#[case("false || true | cat")]
#[case("cargo test | tee log")]
#[case("cargo test && exit 0")]
#[case("(exit 1)")]
#[case("! (true)")]
#[case("echo ok > missing/file")]
#[case("true < needed.txt")]
#[case("echo ok >&3")]
#[case("echo ok >&-")]
#[case(": ${NEEDED:?}")]
#[case("echo $((1/0)); true")]
#[case("X=$(cargo test)")]
#[case("UID=1; true")]
#[case("$COMMAND; true")]
#[case("set -e; cargo test; true")]
#[case("set -o pipefail; cargo test | true")]
#[case("trap 'exit 1' EXIT; true")]
#[case("eval 'exit 1'; true")]
#[case("command exit 1; true")]
#[case("builtin eval 'exit 1'; true")]
#[case("time exit 1; true")]
#[case("exec cargo test; true")]
#[case(". ./checks; true")]
#[case("kill $$; true")]
#[case("true() { false; }; true")]
#[case("if cargo test; then true; fi")]
#[case("if cargo test; then :; else exit 1; fi; true")]
#[case("if true; then\nexit 0; fi; cargo test")]
#[case("while false; do exit 1; done; true")]
#[case("case $x in a) exit 1;; esac; true")]
#[case("cargo test & wait $!")]
#[case("test 1 -eq 2")]
#[case("test a -eq a")]
#[case("test \"$X\" = \"$X\"")]
#[case("[ -e file ]")]
#[case("sh -c 'exit 1'")]
#[case("sh -c 'exit 1'; sh check.sh")]
#[case("sh true")]
#[case("./true")]
#[case("true &&")]
#[case("|| true")]
#[case("true )")]
fn a_command_can_fail(#[case] command: &str) {
    assert_eq!(cannot_fail(command), None);
}

proptest! {
    #[test]
    fn any_text_can_be_read(text in any::<String>()) {
        let _reason = cannot_fail(&text);
    }

    /// What people write to have a failure counted is never taken for vacuous.
    #[test]
    fn nothing_before_it_hides_a_check_at_the_end(
        before in proptest::collection::vec(
            prop_oneof![Just("true"), Just("cargo test"), Just("false"), Just("(a; b)")], 0..5,
        ),
        joint in prop_oneof![Just(" && "), Just("; "), Just("\n"), Just(" | ")],
    ) {
        let mut parts = before;
        parts.push("sh check.sh");
        prop_assert_eq!(cannot_fail(&parts.join(joint)), None);
    }
}
