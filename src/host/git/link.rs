//! Where symbolic links lead, by their words alone.

/// What git keeps for itself, and no commit holds.
const DOT_GIT: &[u8] = b".git";

/// Whether a link at `path` leads to where no clone of the repository has anything: out of it, to
/// what git keeps there, or by a way that its words alone do not tell.
pub(super) fn leads_out(path: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") {
        return true;
    }
    let mut depth = path.iter().filter(|byte| **byte == b'/').count();
    let mut has_name = false;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            // Behind a name that is a link itself, the way up is another one.
            b".." if has_name || depth == 0 => return true,
            b".." => depth -= 1,
            name if name.eq_ignore_ascii_case(DOT_GIT) => return true,
            _ => has_name = true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::leads_out;

    #[rstest]
    #[case::beside("a", "b", false)]
    #[case::below("a", "b/c", false)]
    #[case::up_and_down("bin/greet", "../greet.sh", false)]
    #[case::the_top("bin/top", "..", false)]
    #[case::itself("a", "a", false)]
    #[case::dots("a/b", ".././/c/.", false)]
    #[case::like_git("a", ".github/x", false)]
    #[case::absolute("a", "/etc/passwd", true)]
    #[case::above("a", "..", true)]
    #[case::above_from_below("bin/a", "../../a", true)]
    #[case::up_behind_a_name("a", "b/../c", true)]
    #[case::git("a", ".git/config", true)]
    #[case::git_from_below("bin/a", "../.GIT/config", true)]
    #[case::nothing("a", "", true)]
    fn a_link_stays_inside_or_leads_out(
        #[case] path: &str,
        #[case] target: &str,
        #[case] want: bool,
    ) {
        assert_eq!(leads_out(path.as_bytes(), target.as_bytes()), want);
    }
}
