//! Where a symbolic link leads, by its words alone.

/// Whether a link at this path leads out of the work tree, whatever is there.
pub(super) fn leads_out(path: &[u8], target: &[u8]) -> bool {
    let mut depth = path.iter().filter(|byte| **byte == b'/').count();
    target.first() == Some(&b'/')
        || target.split(|byte| *byte == b'/').any(|part| match part {
            b"" | b"." => false,
            b".." => match depth.checked_sub(1) {
                Some(above) => {
                    depth = above;
                    false
                }
                None => true,
            },
            _ => {
                depth += 1;
                false
            }
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a", "b", false)]
    #[case("a", "./b/../c", false)]
    #[case("a/b", "../c", false)]
    #[case("a/b", "x/../../c", false)]
    #[case("a", "/etc/passwd", true)]
    #[case("a", "..", true)]
    #[case("a", "../b", true)]
    #[case("a/b", "../../c", true)]
    #[case("a/b", "../../a/c", true)]
    fn a_link(#[case] path: &str, #[case] target: &str, #[case] out: bool) {
        assert_eq!(leads_out(path.as_bytes(), target.as_bytes()), out);
    }
}
