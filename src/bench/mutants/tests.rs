//! What is a fault of a line, and which are chosen.

use rstest::rstest;

use super::*;

fn path(name: &str) -> RepoPath {
    RepoPath::new(name).unwrap()
}

/// What can become of one line; a dropped one is `-`.
fn of(line: &str) -> Vec<String> {
    let found = mutants(&path("f"), line, &BTreeSet::from([1]));
    found.into_iter().map(|it| it.edit.after.unwrap_or_else(|| "-".to_owned())).collect()
}

#[rstest]
#[case::equal("x = a == b", &["x = a != b", "-"])]
#[case::without_blanks("x=a==b&&c", &["x=a!=b&&c", "x=a==b||c", "-"])]
#[case::identical("x = a === b", &["x = a !== b", "-"])]
#[case::less("x = a < b", &["x = a <= b", "-"])]
#[case::less_or_equal("x = a <= b", &["x = a < b", "-"])]
#[case::generics_and_arrows("fn a(b: Vec<u8>) -> C;", &["-"])]
#[case::plus("x = a + b", &["x = a - b", "-"])]
#[case::a_sign("x = -a", &["-"])]
#[case::both("x = a && b", &["x = a || b", "-"])]
#[case::words("x = a and b", &["x = a or b", "-"])]
#[case::inside_a_word("x = band", &["-"])]
#[case::truth("x = true;", &["x = false;", "-"])]
#[case::truth_in_a_name("x = is_true", &["-"])]
#[case::shell_test("[ $a -eq $b ]", &["[ $a -ne $b ]", "-"])]
#[case::number("x = f(9, a)", &["x = f(10, a)", "-"])]
#[case::no_whole_number("x = a1 + 1.5 + 0x1f", &["x = a1 - 1.5 + 0x1f", "x = a1 + 1.5 - 0x1f", "-"])]
#[case::largest("x = 18446744073709551615", &["-"])]
#[case::text(r#"x = "a == \" 1""#, &[r#"x = """#, "-"])]
#[case::single_quotes("x = 'ab'", &["x = ''", "-"])]
#[case::one_character("x = 'a'", &["-"])]
#[case::apostrophe("x = don't == 1", &["x = don't != 1", "x = don't == 2", "-"])]
#[case::behind_a_comment("x = y // is 1 == 1", &["-"])]
#[case::hash_comment("x = y  # true", &["-"])]
#[case::if_braces("  if a {", &["  if !(a) {"])]
#[case::if_parentheses("  } else if (a == b) {", &["  } else if (a != b) {", "  } else if (!(a == b)) {"])]
#[case::if_colon("    elif a == 1:", &["    elif a != 1:", "    elif a == 2:", "    elif not (a == 1):"])]
#[case::if_shell("if grep x y; then", &["if ! grep x y; then"])]
#[case::while_shell("while read a; do", &["while ! read a; do"])]
#[case::one_line_shell("if a; then b; fi", &["if ! a; then b; fi", "-"])]
#[case::if_let("if let Some(a) = b {", &[])]
#[case::closes("  });", &[])]
#[case::ends("  end", &[])]
#[case::begins_like_an_end("ending = b", &["-"])]
#[case::opens("def f(a):", &[])]
#[case::comment("// a == b", &[])]
#[case::hash("# a == b", &[])]
#[case::attribute("#[test]", &[])]
#[case::interpreter("#!/bin/sh", &[])]
#[case::blank("   ", &[])]
#[case::not_ascii("größe = ä == ö", &["größe = ä != ö", "-"])]
fn a_line_has_these_faults(#[case] line: &str, #[case] want: &[&str]) {
    assert_eq!(of(line), want);
}

#[test]
fn only_the_given_lines_have_faults_and_line_ends_are_no_part_of_them() {
    let found = mutants(&path("f"), "a = b\r\nc = d\r\ne = f\r\n", &BTreeSet::from([2]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].edit.line, found[0].edit.before.as_str()), (2, "c = d"));
}

#[rstest]
#[case("tests/a.rs", true)]
#[case("src/a_test.go", true)]
#[case("src/a.spec.ts", true)]
#[case("README.md", true)]
#[case("src/latest.rs", false)]
#[case("src/contest/a.rs", false)]
#[case("CMakeLists.txt", false)]
fn tests_and_prose_are_beside_the_work(#[case] name: &str, #[case] want: bool) {
    assert_eq!(is_beside_the_work(&path(name)), want);
}

fn some(count: usize) -> Vec<Mutant> {
    let text: String = (0..count).map(|number| format!("line{number}\n")).collect();
    mutants(&path("f"), &text, &(1..=count).collect())
}

#[test]
fn a_seed_chooses_the_same_every_time_and_another_one_others() {
    let of = |seed| choose(some(100), 10, seed).iter().map(|it| it.edit.line).collect::<Vec<_>>();
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    let chosen = of(7);
    assert!(chosen.is_sorted() && chosen.len() == 10);
    let all: BTreeSet<usize> = (0..200).flat_map(of).collect();
    assert_eq!(all.len(), 100, "every fault has its chance");
    assert_eq!(choose(some(3), 10, 1), some(3));
}

/// From the reference implementation, `splitmix64.c` by S. Vigna, with the state 1234567.
#[test]
fn the_numbers_are_those_of_the_reference() {
    let mut random = Random(1_234_567);
    let numbers = [random.next(), random.next(), random.next()];
    assert_eq!(numbers, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
}
