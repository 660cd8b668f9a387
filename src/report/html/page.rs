//! The page around the findings.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{
    escape::{self, prose, text},
    finding, graph, hang, tests_data,
};
use crate::{
    describe::{counted, duration, group_digits},
    finding::{Finding, Severity},
    report::{source::SourceProvider, summary::Report},
};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// Findings that are unfolded from the start.
const OPEN: usize = 3;
/// The length from which on findings are told in brief, in bytes: a browser is to open it
/// at once.
const LONG: usize = 6_000_000;
/// Elements of a list of what was not seen.
const MAX_LISTED: usize = 200;

/// The report as an HTML document, with excerpts of the sources.
pub fn render(report: &Report, sources: &dyn SourceProvider) -> String {
    let anchors = anchors(&report.findings);
    let graph = graph::section(report, &anchors);
    let title = format!("{}: concurrency audit", report.project.name);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"generator\" content=\"{} {}\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        text(&report.tool.name),
        text(&report.tool.version),
        text(&title),
    );
    push_header(&mut html, report, graph.is_some());
    html.push_str("<main>\n");
    push_summary(&mut html, report);
    push_findings(&mut html, report, &anchors, sources);
    html.push_str(graph.as_deref().unwrap_or_default());
    push_cut_off(&mut html, report);
    push_tests(&mut html, report);
    push_coverage(&mut html, report);
    html.push_str("</main>\n");
    html.push_str(HELP);
    let _ = write!(
        html,
        "<script type=\"application/json\" id=\"data\">{}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape::json(&tests_data::data(report)),
    );
    html
}

/// The keys that the script knows.
const HELP: &str = "<dialog id=\"keys\"><h2>Keys</h2><dl>\
    <dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next, previous finding</dd>\
    <dt><kbd>Enter</kbd></dt><dd>unfold or fold it</dd>\
    <dt><kbd>/</kbd></dt><dd>search</dd>\
    <dt><kbd>e</kbd> <kbd>c</kbd></dt><dd>unfold, fold all that are shown</dd>\
    <dt><kbd>Esc</kbd></dt><dd>clear the filters, leave a field</dd>\
    <dt><kbd>?</kbd></dt><dd>this list</dd></dl>\
    <form method=\"dialog\"><button>Close</button></form></dialog>\n";

/// A name for each finding to link to: its fingerprint, which is the same in the next run.
fn anchors(findings: &[Finding]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    findings
        .iter()
        .map(|finding| {
            let anchor = format!("f-{}", escape::id(&finding.fingerprint));
            let times = seen.entry(anchor.clone()).or_insert(0);
            *times += 1;
            if *times == 1 { anchor } else { format!("{anchor}_{times}") }
        })
        .collect()
}

fn push_header(html: &mut String, report: &Report, has_graph: bool) {
    let summary = &report.summary;
    let _ = writeln!(
        html,
        "<header><div class=\"top\"><h1>{}</h1><p class=\"verdict {}\">{}</p>\
         <nav><a href=\"#findings\">Findings</a>{}<a href=\"#tests\">Tests</a>\
         <a href=\"#coverage\">Coverage</a><button type=\"button\" id=\"show-keys\" class=\"script\" \
         title=\"Keys\" aria-label=\"Keys\">?</button></nav></div></header>",
        text(&report.project.name),
        if summary.errors > 0 {
            "error"
        } else if summary.warnings > 0 {
            "warning"
        } else {
            "clean"
        },
        text(&verdict(report)),
        if has_graph { "<a href=\"#locks\">Lock order</a>" } else { "" },
    );
}

/// The run in a few words.
fn verdict(report: &Report) -> String {
    let summary = &report.summary;
    let mut parts = Vec::new();
    if summary.errors > 0 {
        parts.push(counted(summary.errors, "error", "errors"));
    }
    if summary.warnings > 0 {
        parts.push(counted(summary.warnings, "warning", "warnings"));
    }
    if parts.is_empty() {
        parts.push("no errors or warnings".to_owned());
    }
    if summary.interrupted {
        parts.push("interrupted".to_owned());
    }
    parts.join(", ")
}

fn push_summary(html: &mut String, report: &Report) {
    let summary = &report.summary;
    html.push_str("<section id=\"summary\">\n<div class=\"cards\">");
    let mut card = |class: &str, count: u64, what: &str| {
        let _ = write!(
            html,
            "<div class=\"card {class}{}\"><b>{}</b><span>{what}</span></div>",
            if count == 0 { " none" } else { "" },
            group_digits(count)
        );
    };
    let s = |count: u64| if count == 1 { "" } else { "s" };
    card("error", summary.errors, &format!("error{}", s(summary.errors)));
    card("warning", summary.warnings, &format!("warning{}", s(summary.warnings)));
    card("note", summary.notes, &format!("note{}", s(summary.notes)));
    let left_out = summary.suppressed + summary.known;
    if left_out > 0 {
        card("", left_out, "suppressed or known");
    }
    card("", summary.tests_run, &format!("test{} run", s(summary.tests_run)));
    if summary.tests_failed > 0 {
        card("failed", summary.tests_failed, "failed");
    }
    html.push_str("</div>\n");
    let _ = writeln!(
        html,
        "<p class=\"dim numbers\">{}, {}, {}, {}. Built in {}, tests ran for {}.{}</p>",
        counted(summary.tasks, "task", "tasks"),
        counted(summary.threads, "thread", "threads"),
        counted(summary.locks, "lock", "locks"),
        counted(summary.acquisitions, "acquisition", "acquisitions"),
        duration(summary.build_ms.saturating_mul(1_000_000)),
        duration(summary.test_ms.saturating_mul(1_000_000)),
        if summary.tests_skipped > 0 {
            format!(" {} skipped.", counted(summary.tests_skipped, "test was", "tests were"))
        } else {
            String::new()
        },
    );
    if let Some(verdict) = &summary.verdict {
        let _ = writeln!(html, "<p class=\"notice\">{}</p>", prose(verdict));
    }
    if summary.interrupted {
        html.push_str("<p class=\"notice\">The run was interrupted; this covers what ran.</p>\n");
    }
    push_rules(html, report);
    html.push_str("</section>\n");
}

/// How many findings of each rule count, as a table.
fn push_rules(html: &mut String, report: &Report) {
    let mut rules: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for finding in &report.findings {
        let counts = rules.entry(&finding.rule).or_default();
        let at = match finding.severity {
            _ if !finding.counts() => 3,
            Severity::Error => 0,
            Severity::Warning => 1,
            Severity::Note => 2,
        };
        counts[at] += 1;
    }
    if rules.is_empty() {
        return;
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|(rule, counts)| (std::cmp::Reverse(*counts), *rule));
    html.push_str(
        "<table class=\"rules\"><thead><tr><th>Rule</th><th class=\"num\">Errors</th><th class=\"num\">Warnings</th>\
         <th class=\"num\">Notes</th><th class=\"num\">Suppressed</th></tr></thead><tbody>",
    );
    for (rule, counts) in rules {
        let _ = write!(
            html,
            "<tr><td><a href=\"#findings\" class=\"of-rule\" data-rule=\"{0}\"><code>{0}</code></a></td>",
            text(rule)
        );
        for (count, class) in counts.iter().zip(["error", "warning", "note", ""]) {
            let _ = if *count == 0 {
                write!(html, "<td class=\"num dim\">·</td>")
            } else {
                write!(html, "<td class=\"num {class}\">{}</td>", group_digits(*count))
            };
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>\n");
}

fn push_findings(
    html: &mut String,
    report: &Report,
    anchors: &[String],
    sources: &dyn SourceProvider,
) {
    html.push_str("<section id=\"findings\">\n<h2>Findings</h2>\n");
    if report.findings.is_empty() {
        html.push_str("<p class=\"lead\">Nothing was found.</p>\n</section>\n");
        return;
    }
    let rules: BTreeSet<&str> = report.findings.iter().map(|it| it.rule.as_str()).collect();
    let packages: BTreeSet<&str> = report
        .findings
        .iter()
        .flat_map(|it| &it.tests)
        .map(|test| finding::package_of(test))
        .collect();
    html.push_str(
        "<div class=\"bar script\" id=\"filters\"><input type=\"search\" id=\"search\" placeholder=\"Search findings  /\" \
         aria-label=\"Search findings\">",
    );
    for (name, id, options) in [("rules", "rule", &rules), ("packages", "package", &packages)] {
        let _ = write!(
            html,
            "<select id=\"by-{id}\" aria-label=\"Filter by {id}\"><option value=\"\">All {name}</option>"
        );
        for option in options {
            let _ = write!(html, "<option>{}</option>", text(option));
        }
        html.push_str("</select>");
    }
    html.push_str(
        "<input type=\"search\" id=\"by-test\" placeholder=\"Seen in test\" aria-label=\"Filter by test\">\
         <span class=\"severities\">",
    );
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let name = severity.name();
        let _ = write!(
            html,
            "<label class=\"{name}\"><input type=\"checkbox\" class=\"by-severity\" value=\"{name}\" checked> {name}s</label>"
        );
    }
    if report.findings.iter().any(|finding| !finding.counts()) {
        html.push_str(
            "<label><input type=\"checkbox\" id=\"by-state\"> suppressed and known</label>",
        );
    }
    html.push_str("</span><span id=\"shown\" class=\"dim\" aria-live=\"polite\"></span></div>\n");
    let mut opened = 0;
    for (number, (finding, anchor)) in report.findings.iter().zip(anchors).enumerate() {
        let is_open = finding.counts() && opened < OPEN;
        opened += usize::from(is_open);
        html.push_str(&finding::render(
            finding,
            anchor,
            number,
            is_open,
            html.len() > LONG,
            sources,
        ));
    }
    html.push_str(
        "<p id=\"none-shown\" class=\"lead\" hidden>No finding matches. <button type=\"button\" id=\"clear\">Clear the filters</button></p>\n</section>\n",
    );
}

/// What tests were about when the user interrupted them.
fn push_cut_off(html: &mut String, report: &Report) {
    const MAX_TESTS: usize = 20;
    let cut_off: Vec<_> = report.tests.iter().filter(|test| !test.cut_off.is_empty()).collect();
    if cut_off.is_empty() {
        return;
    }
    html.push_str("<section id=\"cut-off\">\n<h2>Interrupted</h2>\n");
    for test in cut_off.iter().take(MAX_TESTS) {
        let _ = write!(
            html,
            "<article class=\"finding\"><details><summary><span class=\"msg\"><code>{}</code></span></summary><div class=\"body\">",
            text(&test.full_name())
        );
        for process in &test.cut_off {
            let _ = write!(html, "<p>{}</p>", prose(&process.sentence));
            hang::push_process(html, &process.process);
        }
        html.push_str("</div></details></article>\n");
    }
    if let Some(more @ 1..) = cut_off.len().checked_sub(MAX_TESTS) {
        let _ = write!(
            html,
            "<p class=\"dim\">and {}</p>",
            counted(more as u64, "more test", "more tests")
        );
    }
    html.push_str("</section>\n");
}

fn push_tests(html: &mut String, report: &Report) {
    let outcomes: BTreeSet<&str> = report.tests.iter().map(|test| test.outcome.name()).collect();
    html.push_str("<section id=\"tests\">\n<h2>Tests</h2>\n");
    html.push_str(
        "<noscript><p class=\"notice\">The list of tests needs JavaScript.</p></noscript>\n\
         <div class=\"bar script\"><input type=\"search\" id=\"test-search\" placeholder=\"Find a test\" aria-label=\"Find a test\">\
         <select id=\"test-outcome\" aria-label=\"Filter by outcome\"><option value=\"\">All outcomes</option>",
    );
    for outcome in outcomes {
        let _ = write!(html, "<option>{}</option>", text(outcome));
    }
    html.push_str(
        "</select><select id=\"test-sort\" aria-label=\"Sort\"><option value=\"duration\">Longest first</option>\
         <option value=\"findings\">Most findings first</option><option value=\"tasks\">Most tasks first</option>\
         <option value=\"hold\">Longest lock hold first</option><option value=\"wait\">Longest lock wait first</option>\
         <option value=\"poll\">Longest poll first</option><option value=\"name\">By name</option></select>\
         <span id=\"tests-shown\" class=\"dim\" aria-live=\"polite\"></span></div>\n\
         <div class=\"scroll script\"><table id=\"test-list\"><thead><tr><th>Test</th><th>Outcome</th><th class=\"wide\">Duration</th>\
         <th class=\"num\" title=\"Most tasks alive at once\">Tasks</th>\
         <th class=\"num\" title=\"Longest poll\">Poll</th><th class=\"num\" title=\"Longest wait for a lock\">Wait</th>\
         <th class=\"num\" title=\"Longest hold of a lock\">Hold</th><th class=\"num\">Findings</th></tr></thead><tbody></tbody></table></div>\n\
         <p class=\"script\"><button type=\"button\" id=\"more-tests\" hidden>Show more</button></p>\n</section>\n",
    );
}

fn push_coverage(html: &mut String, report: &Report) {
    let coverage = &report.coverage;
    html.push_str("<section id=\"coverage\">\n<h2>Coverage</h2>\n");
    for (title, items, is_open) in [
        ("Lost of the project's own crates", &coverage.first_party_losses, true),
        ("Not seen", &coverage.not_instrumented, true),
        ("Not run", &coverage.not_run, true),
        ("Tests of which no process was heard", &coverage.unaudited_tests, false),
        ("Tests that ended without a last word", &coverage.truncated_tests, false),
        ("Instrumented", &coverage.instrumented, false),
    ] {
        if items.is_empty() {
            continue;
        }
        let _ = write!(
            html,
            "<details{}><summary>{title} <span class=\"dim\">{}</span></summary><ul>",
            if is_open { " open" } else { "" },
            group_digits(items.len() as u64)
        );
        for item in items.iter().take(MAX_LISTED) {
            let _ = write!(html, "<li>{}</li>", prose(item));
        }
        if let Some(more @ 1..) = items.len().checked_sub(MAX_LISTED) {
            let _ = write!(html, "<li class=\"dim\">and {} more</li>", group_digits(more as u64));
        }
        html.push_str("</ul></details>\n");
    }
    let dropped: Vec<String> = [
        (coverage.dropped_order_edges, "lock orders"),
        (coverage.dropped_stacks, "stacks"),
        (coverage.dropped_tasks, "tasks"),
        (coverage.dropped_holds, "lock holds"),
        (coverage.dropped_events, "blocking calls and guards"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{} {what}", group_digits(count)))
    .collect();
    if !dropped.is_empty() {
        let _ = writeln!(
            html,
            "<p class=\"notice\">Left out to bound memory: {}.</p>",
            dropped.join(", ")
        );
    }
    let _ = writeln!(
        html,
        "<p class=\"dim\">Made by {} {}.</p>\n</section>",
        text(&report.tool.name),
        text(&report.tool.version)
    );
}
