//! Short texts for people that end up in the log.

use std::fmt::Display;

use super::text::one_line;

/// The longest reason, in characters. It is shown in one line and written into the backlog.
pub(super) const REASON_MAX: usize = 300;

/// How many items of a list are named.
const LISTED_MAX: usize = 3;

/// One line of bounded length without hidden characters.
pub fn line(text: &str) -> String {
    one_line(text, REASON_MAX)
}

/// The first few items, and how many more there are.
pub fn list<T: Display>(items: &[T]) -> String {
    let named: Vec<String> = items.iter().take(LISTED_MAX).map(T::to_string).collect();
    let named = named.join(", ");
    match items.len().checked_sub(LISTED_MAX) {
        None | Some(0) => line(&named),
        Some(more) => line(&format!("{named} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_bounded() {
        assert_eq!(line("a\n\tb\x1b c"), "a b c");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), REASON_MAX);
    }

    #[test]
    fn a_list_names_a_few() {
        assert_eq!(list(&["a", "b", "c"]), "a, b, c");
        assert_eq!(list(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
