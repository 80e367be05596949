//! `looper schema`: prints the schema of a public format.

use super::args::SchemaArgs;
use super::exit::Exit;
use super::failure::Failure;
use crate::schema::FORMATS;

/// Prints one schema, or the names of all.
///
/// # Errors
/// No format has that name.
pub(super) fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let Some(name) = &args.name else {
        let lines: String = FORMATS
            .iter()
            .map(|format| format!("{:<12} {}\n", format.name, format.about))
            .collect();
        return super::print(&lines);
    };
    let Some(format) = FORMATS.iter().find(|format| format.name == name) else {
        return Err(Failure::new(Exit::Usage, format!("no format is called {name:?}"))
            .help("`looper schema` lists them"));
    };
    super::print(&format.text())
}
