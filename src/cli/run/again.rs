//! The command that was given, to be given again.

use std::ffi::OsString;

use crate::ui::sanitize::clean_line;

/// The command line as a shell reads it, whatever the program was called.
pub(super) fn command_line(arguments: impl Iterator<Item = OsString>) -> String {
    let words = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let quoted = words.map(|word| match shlex::try_quote(&word) {
        Ok(quoted) => clean_line(&quoted).into_owned(),
        // No argument holds a NUL.
        Err(_) => String::new(),
    });
    let mut line = String::from("looper");
    for word in quoted {
        line.push(' ');
        line.push_str(&word);
    }
    line
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["run"], "looper run")]
    #[case(&["--project", "my dir", "run", "-i", "3"], "looper --project 'my dir' run -i 3")]
    #[case(&["run", "--task", "it's"], "looper run --task \"it's\"")]
    #[case(&["run", "--task", "$(x)"], "looper run --task '$(x)'")]
    fn a_command_line_can_be_given_again(#[case] arguments: &[&str], #[case] want: &str) {
        assert_eq!(command_line(arguments.iter().map(OsString::from)), want);
    }
}
