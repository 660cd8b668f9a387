//! Markdown for a comment on a pull request, or for the summary of a job: a table of the
//! findings, and each of them to unfold.

use std::fmt::Write as _;

use super::{
    format::Context,
    human::{self, HumanOptions},
    summary::Report,
    text,
};
use crate::{describe::counted, finding::Finding};

/// GitHub takes comments of up to 65,536 characters; the rest is for the file of the report.
const MAX_LENGTH: usize = 60_000;

/// The report as Markdown, with HTML where that has no words.
pub fn render(report: &Report, context: Context<'_>) -> String {
    let plain = HumanOptions { color: false, verbose: false, ..context.human };
    let summary = human::render_summary(report, plain);
    let mut lines = summary.lines();
    let mut text = format!("### cargo concaudit: {}\n", escaped(lines.next().unwrap_or_default()));
    for line in lines.map(str::trim).filter(|line| !line.starts_with("for more about a rule")) {
        let _ = write!(text, "\n- {}", escaped(line));
    }
    text.push('\n');
    let shown: Vec<&Finding> =
        report.findings.iter().filter(|finding| context.shows(finding)).collect();
    if shown.is_empty() {
        return text;
    }
    text.push_str("\n| | rule | where | what |\n|---|---|---|---|\n");
    let mut told = 0;
    for finding in &shown {
        let row = row(finding);
        if text.len() + row.len() > MAX_LENGTH / 2 {
            break;
        }
        text.push_str(&row);
        told += 1;
    }
    let mut unfolded = 0;
    for finding in &shown {
        let block = details(finding, context, plain);
        if text.len() + block.len() > MAX_LENGTH {
            break;
        }
        text.push_str(&block);
        unfolded += 1;
    }
    if unfolded < shown.len() {
        let more = counted((shown.len() - unfolded) as u64, "finding", "findings");
        let _ = write!(text, "\n{more} in the whole report only");
        if told < shown.len() {
            let _ = write!(text, ", {} of them not in the table", shown.len() - told);
        }
        text.push_str(".\n");
    }
    text
}

/// A row of a table: severity, rule, place, message.
pub fn row(finding: &Finding) -> String {
    format!(
        "| {} | `{}` | `{}` | {} |\n",
        finding.severity.name(),
        finding.rule,
        text::place(finding).replace('`', "'").replace('|', "\\|"),
        escaped(&finding.message),
    )
}

fn details(finding: &Finding, context: Context<'_>, plain: HumanOptions) -> String {
    let body = human::render_finding(finding, context.sources, plain);
    // A fence must be longer than any in the text.
    let longest = body.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!(
        "\n<details><summary><code>{}</code> at <code>{}</code></summary>\n\n{fence}text\n{body}\n{fence}\n\n</details>\n",
        html(&finding.rule),
        html(&text::place(finding)),
    )
}

/// Text that Markdown and HTML leave as it is, on one line, but for code between backticks.
pub fn escaped(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let mut escaped = String::with_capacity(text.len());
    for (index, part) in parts.iter().enumerate() {
        // The last backtick of an odd number opens nothing.
        let is_code = index % 2 == 1 && index + 1 < parts.len();
        if index > 0 {
            escaped.push_str(if is_code || index % 2 == 0 { "`" } else { "\\`" });
        }
        for letter in part.chars() {
            match letter {
                letter if letter.is_control() => escaped.push(' '),
                '|' => escaped.push_str("\\|"),
                letter if is_code => escaped.push(letter),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '&' => escaped.push_str("&amp;"),
                '\\' | '*' | '_' | '[' | ']' | '#' | '~' | '@' => {
                    escaped.push('\\');
                    escaped.push(letter);
                }
                letter => escaped.push(letter),
            }
        }
    }
    escaped
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
