//! Cargo's [`compiler-message`](https://doc.rust-lang.org/cargo/reference/external-tools.html)
//! lines, so that an editor underlines findings as it does what rustc has to say.

use serde_json::{Value, json};

use super::{
    format::Context,
    human::{self, HumanOptions},
    source::{source_of, span_of},
    summary::Report,
};
use crate::finding::{Finding, Location, Role};

/// A line for each finding that counts, and one that says that the build is done.
pub fn render(report: &Report, context: Context<'_>) -> serde_json::Result<String> {
    let mut text = String::new();
    for finding in report.findings.iter().filter(|finding| finding.counts()) {
        text.push_str(&serde_json::to_string(&message(report, finding, context))?);
        text.push('\n');
    }
    Ok(text)
}

fn message(report: &Report, finding: &Finding, context: Context<'_>) -> Value {
    let plain = HumanOptions { color: false, verbose: false, ..context.human };
    let rendered = human::render_finding(finding, context.sources, plain);
    let places = finding.locations.iter();
    let spans: Vec<Value> = places.filter_map(|place| span(place, context)).collect();
    let child = |level: &str, text: &str| {
        json!({
            "message": text,
            "code": null,
            "level": level,
            "spans": [],
            "children": [],
            "rendered": null,
        })
    };
    let notes = finding.notes.iter().map(|note| child("note", note));
    let help = (!finding.help.is_empty()).then(|| child("help", &finding.help));
    let children: Vec<Value> = notes.chain(help).collect();
    let package = report.project.packages.first().unwrap_or(&report.project.name);
    let file = finding.locations.first().map_or("", |place| &place.file);
    json!({
        "reason": "compiler-message",
        "package_id": format!("{package} (cargo-concaudit)"),
        "manifest_path": "Cargo.toml",
        "target": {
            "kind": ["test"],
            "crate_types": ["bin"],
            "name": package,
            "src_path": file,
            "edition": "2021",
            "doc": false,
            "doctest": false,
            "test": true,
        },
        "message": {
            "$message_type": "diagnostic",
            "message": finding.message,
            "code": { "code": finding.rule, "explanation": null },
            "level": finding.severity.name(),
            "spans": spans,
            "children": children,
            "rendered": format!("{rendered}\n\n"),
        },
    })
}

/// The bytes of a place in its file; `None` where there is no such line.
fn span(place: &Location, context: Context<'_>) -> Option<Value> {
    let source = source_of(context.sources, &[place])?;
    let number = (place.line as usize).checked_sub(1)?;
    let line = source.lines().nth(number)?;
    // Not by adding up: lines may end in one byte or in two.
    let start = line.as_ptr() as usize - source.as_ptr() as usize;
    let meant = span_of(line, place.column);
    let column = |at: usize| line[..at].chars().count() + 1;
    let (from, to) = (column(meant.start), column(meant.end));
    Some(json!({
        "file_name": place.file,
        "byte_start": start + meant.start,
        "byte_end": start + meant.end,
        "line_start": place.line,
        "line_end": place.line,
        "column_start": from,
        "column_end": to,
        "is_primary": place.role == Role::Primary,
        "text": [{ "text": line, "highlight_start": from, "highlight_end": to }],
        "label": place.label,
        "suggested_replacement": null,
        "suggestion_applicability": null,
        "expansion": null,
    }))
}
