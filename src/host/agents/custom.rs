//! How a prompt gets into any command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::engine::charter::PromptBy;
use crate::host::process::Stdin;

/// Stands for the file that holds the prompt.
const PROMPT_FILE: &str = "{{prompt_file}}";
/// Stands for the prompt.
const PROMPT: &str = "{{prompt}}";

/// The kernel takes no longer argument.
const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;

/// A command line and an input, with the prompt in one of them.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// What it reads.
    pub stdin: Stdin,
}

/// Why a prompt does not get into a command line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// There is no program.
    #[error("the command is empty")]
    Empty,
    /// The prompt comes in a file that no argument names.
    #[error("no argument holds {{{{prompt_file}}}}")]
    NoFile,
    /// An argument asks for what is given in another way.
    #[error("the argument {argument:?} asks for a prompt that is given in another way")]
    Stray {
        /// As configured.
        argument: String,
    },
    /// The prompt is too long for an argument.
    #[error("a prompt of {bytes} bytes does not fit into an argument")]
    TooLong {
        /// How long the argument would be.
        bytes: usize,
    },
    /// The prompt holds a NUL, which an argument cannot.
    #[error("the prompt holds a NUL and does not fit into an argument")]
    Nul,
    /// The file's name cannot be part of a text.
    #[error("{} is not text", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

/// Puts the prompt where this agent looks for it. Nothing in the prompt is replaced, and no shell
/// sees it. With [`PromptBy::File`] the caller has written the prompt to `file`.
///
/// # Errors
/// The command line has no place for the prompt, or the prompt does not fit.
pub fn place(
    command: &[String],
    by: PromptBy,
    prompt: &str,
    file: &Path,
) -> Result<Placed, PlaceError> {
    if command.first().is_none_or(String::is_empty) {
        return Err(PlaceError::Empty);
    }
    let (own, value) = match by {
        PromptBy::Stdin => (None, ""),
        PromptBy::File => {
            let not_text = || PlaceError::NotText { path: file.to_path_buf() };
            (Some(PROMPT_FILE), file.to_str().ok_or_else(not_text)?)
        }
        PromptBy::Arg if prompt.contains('\0') => return Err(PlaceError::Nul),
        PromptBy::Arg => (Some(PROMPT), prompt),
    };
    let is_stray = |argument: &&String| {
        [PROMPT_FILE, PROMPT].into_iter().any(|name| own != Some(name) && argument.contains(name))
    };
    if let Some(argument) = command.iter().find(is_stray) {
        return Err(PlaceError::Stray { argument: argument.clone() });
    }
    let has_place = own.is_some_and(|name| command.iter().any(|argument| argument.contains(name)));
    let filled = |argument: &String| match own {
        Some(name) => argument.replace(name, value),
        None => argument.clone(),
    };
    let mut argv: Vec<String> = command.iter().map(filled).collect();
    match by {
        PromptBy::File if !has_place => return Err(PlaceError::NoFile),
        PromptBy::Arg if !has_place => argv.push(prompt.into()),
        PromptBy::File | PromptBy::Arg | PromptBy::Stdin => {}
    }
    let longest = argv.iter().map(String::len).max().unwrap_or(0);
    if longest > ARGUMENT_BYTES_MAX {
        return Err(PlaceError::TooLong { bytes: longest });
    }
    let stdin = match by {
        PromptBy::Stdin => Stdin::Bytes(prompt.as_bytes().to_vec()),
        PromptBy::File | PromptBy::Arg => Stdin::Null,
    };
    Ok(Placed { argv: argv.into_iter().map(Into::into).collect(), stdin })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::stdin(&["a", "-"], PromptBy::Stdin, Ok("a -"))]
    #[case::file(&["a", "--in={{prompt_file}}"], PromptBy::File, Ok("a --in=/p"))]
    #[case::arg(&["a", "-p", "{{prompt}}", "x"], PromptBy::Arg, Ok("a -p say {{prompt_file}} x"))]
    #[case::last_arg(&["a", "-p"], PromptBy::Arg, Ok("a -p say {{prompt_file}}"))]
    #[case::no_file(&["a"], PromptBy::File, Err(PlaceError::NoFile))]
    #[case::no_program(&[""], PromptBy::Stdin, Err(PlaceError::Empty))]
    #[case::stray(
        &["a", "{{prompt}}"], PromptBy::Stdin,
        Err(PlaceError::Stray { argument: "{{prompt}}".into() })
    )]
    fn a_prompt_gets_into_a_command_line(
        #[case] command: &[&str],
        #[case] by: PromptBy,
        #[case] want: Result<&str, PlaceError>,
    ) {
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        let placed = place(&command, by, "say {{prompt_file}}", Path::new("/p"));
        let argv = placed.map(|placed| placed.argv.join(std::ffi::OsStr::new(" ")));
        assert_eq!(argv, want.map(OsString::from));
    }

    #[rstest]
    #[case::too_long("x".repeat(128 * 1024), PlaceError::TooLong { bytes: 128 * 1024 })]
    #[case::nul("a\0b".into(), PlaceError::Nul)]
    fn what_no_argument_can_hold_is_refused(#[case] prompt: String, #[case] want: PlaceError) {
        let command = ["a".to_owned()];
        let refused = place(&command, PromptBy::Arg, &prompt, Path::new("/p")).unwrap_err();
        assert_eq!(refused, want);
        let placed = place(&command, PromptBy::Stdin, &prompt, Path::new("/p")).unwrap();
        assert!(matches!(placed.stdin, Stdin::Bytes(bytes) if bytes == prompt.as_bytes()));
    }
}
