//! A report as Markdown.

use super::page::{Column, Page, Table};
use super::shape::Report;

/// The report as Markdown. No text from outside is more than text in it.
pub fn markdown(report: &Report) -> String {
    write(&report.page())
}

fn write(page: &Page) -> String {
    let mut out = format!("# {}\n\n", plain(&page.title));
    for line in &page.lead {
        out.push_str(&format!("- {}\n", plain(line)));
    }
    for section in &page.sections {
        out.push_str(&format!("\n## {}\n", plain(&section.title)));
        for note in &section.notes {
            out.push_str(&format!("\n{}\n", plain(note)));
        }
        section.tables.iter().for_each(|table| write_table(&mut out, table));
    }
    out
}

fn write_table(out: &mut String, table: &Table) {
    out.push_str(&format!("\n**{}**\n\n", plain(&table.caption)));
    let names: Vec<String> = table.head.iter().map(|column| plain(&column.name)).collect();
    out.push_str(&format!("| {} |\n", names.join(" | ")));
    let line = |column: &Column| if column.is_number { "--:" } else { "---" };
    let lines: Vec<&str> = table.head.iter().map(line).collect();
    out.push_str(&format!("| {} |\n", lines.join(" | ")));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if let Some(left_out) = &table.left_out {
        out.push_str(&format!("\n{}\n", plain(left_out)));
    }
}

/// Plain text, written so that it stays plain text in Markdown: characters that would mark
/// something up are escaped, addresses do not become links and names do not become mentions. No
/// text stands at the beginning of a line without a word of the page before it.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '$' | '!' => {
                out.extend(['\\', char]);
            }
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            ':' if out.ends_with("http") || out.ends_with("https") || out.ends_with("ftp") => {
                out.push_str("&#58;");
            }
            '.' if out.ends_with("www") => out.push_str("&#46;"),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("Write a.txt, 1.2 (66 %): done – ok", "Write a.txt, 1.2 (66 %): done – ok")]
    #[case::cell("a|b", r"a\|b")]
    #[case::escaped_cell(r"a\|b", r"a\\\|b")]
    #[case::tag("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>")]
    #[case::code("`rm`", r"\`rm\`")]
    #[case::strong("**x** _y_ ~~z~~", r"\*\*x\*\* \_y\_ \~\~z\~\~")]
    #[case::link("[x](http://e)", r"\[x\](http&#58;//e)")]
    #[case::image("![x](y)", r"\!\[x\](y)")]
    #[case::address("see https://e and www.e", "see https&#58;//e and www&#46;e")]
    #[case::entity("&lt;b&gt;", "&amp;lt;b&amp;gt;")]
    #[case::mention("@someone", "&#64;someone")]
    #[case::formula("$x$", r"\$x\$")]
    fn text_stays_text(#[case] text: &str, #[case] want: &str) {
        assert_eq!(plain(text), want);
    }
}
