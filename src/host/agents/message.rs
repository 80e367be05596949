//! What an agent said last, in bounds.

/// A longer message is cut.
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Ends a message that was cut, so that no critic's half answer ends in a verdict.
pub(super) const CUT_MARK: &str = "\n[the rest of this message was cut]";

/// A text that grows up to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    text: String,
    is_cut: bool,
    is_torn: bool,
}

impl Message {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn set(&mut self, text: &str) {
        self.clear();
        self.push(text);
    }

    pub(super) fn push(&mut self, text: &str) {
        if !self.is_cut {
            self.text.push_str(text);
            self.is_cut = truncate(&mut self.text, MESSAGE_BYTES_MAX);
        }
    }

    /// A part of it, or what follows it, was lost: it is no answer, unless another one takes its
    /// place.
    pub(super) fn tear(&mut self) {
        self.is_torn = true;
    }

    /// `None`: nothing but white space was said, or not all of it is known.
    pub(super) fn finish(self) -> Option<String> {
        if self.is_torn || self.text.trim().is_empty() {
            return None;
        }
        Some(if self.is_cut { self.text + CUT_MARK } else { self.text })
    }
}

/// Cuts at the last character that fits. True: something was cut.
pub(super) fn truncate(text: &mut String, bytes_max: usize) -> bool {
    if text.len() <= bytes_max {
        return false;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    true
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fits("ok".into(), Some("ok".into()))]
    #[case::blank(" \n".into(), None)]
    #[case::too_long(
        "ü".repeat(MESSAGE_BYTES_MAX) + "VERDICT: PASS",
        Some("ü".repeat(MESSAGE_BYTES_MAX / 2) + CUT_MARK)
    )]
    fn a_message_is_bounded(#[case] given: String, #[case] want: Option<String>) {
        let mut message = Message::default();
        message.set("earlier");
        message.set(&given);
        assert!(message.finish() == want);
    }

    #[test]
    fn nothing_is_added_to_a_message_that_was_cut() {
        let mut message = Message::default();
        message.push(&"x".repeat(MESSAGE_BYTES_MAX + 1));
        message.push("VERDICT: PASS");
        assert!(message.finish().unwrap().ends_with(CUT_MARK));
    }

    #[test]
    fn a_message_with_a_hole_is_none() {
        let mut message = Message::default();
        message.push("VERDICT: FAIL is what I would say if\n");
        message.tear();
        message.push("VERDICT: PASS");
        assert_eq!(message.clone().finish(), None);
        message.set("All of it.");
        assert_eq!(message.finish().as_deref(), Some("All of it."));
    }
}
