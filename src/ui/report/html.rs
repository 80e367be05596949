//! A report as one page that needs nothing else.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::page::Page;
use super::shape::Report;

/// The page around the content.
const TEMPLATE: &str = include_str!("report.html");

/// What the template is called.
const NAME: &str = "report.html";

/// The report as HTML: no script, nothing from elsewhere, and no text from outside is more than
/// text in it.
///
/// # Panics
/// Never: the template is part of the program, and every page fits it.
pub fn html(report: &Report) -> String {
    write(&report.page()).expect("the template fits every page")
}

fn write(page: &Page) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    // Not by the name of the template: what is escaped must not depend on it.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build()?);
    environment.add_template(NAME, TEMPLATE)?;
    environment.get_template(NAME)?.render(Serde(page))
}
