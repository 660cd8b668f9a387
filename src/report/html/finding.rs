//! One finding.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    escape::{prose, text},
    graph, hang,
};
use crate::{
    describe::{counted, group_digits},
    finding::{
        BaselineState, Confidence, Details, Finding, LabelledStack, Location, Role, StackFrame,
    },
    report::{
        source::{SourceProvider, source_of, span_of},
        text::place,
    },
};

/// Lines that are shown before and behind each that is meant.
const CONTEXT: usize = 2;
/// Characters of a line that are shown.
const MAX_LINE: usize = 300;
/// Tests of a finding that are named.
const MAX_TESTS: usize = 50;
/// Frames of a stack that are shown.
const MAX_FRAMES: usize = 120;

/// The package of a test by its full name, `package::target path`.
pub fn package_of(test: &str) -> &str {
    let binary = test.split(' ').next().unwrap_or(test);
    binary.split("::").next().unwrap_or(binary)
}

/// A finding, folded to its headline unless it `is_open`; in brief without sources, pictures
/// and stacks.
pub fn render(
    finding: &Finding,
    anchor: &str,
    number: usize,
    is_open: bool,
    is_brief: bool,
    sources: &dyn SourceProvider,
) -> String {
    let severity = finding.severity.name();
    let packages: BTreeSet<&str> = finding.tests.iter().map(|test| package_of(test)).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let state = if !finding.suppressed.is_empty() {
        "suppressed"
    } else if finding.baseline == Some(BaselineState::Known) {
        "known"
    } else {
        "open"
    };
    let mut html = format!(
        "<article class=\"finding {severity} {state}\" id=\"{anchor}\" data-n=\"{number}\" \
         data-rule=\"{}\" data-severity=\"{severity}\" data-packages=\"{}\" data-state=\"{state}\">\n\
         <details{}>\n<summary><span class=\"sev\">{severity}</span>\
         <code class=\"rule\">{}</code><span class=\"msg\">{}</span>\
         <span class=\"meta\"><span class=\"where\">{}</span>",
        text(&finding.rule),
        text(&packages.join(" ")),
        if is_open { " open" } else { "" },
        text(&finding.rule),
        prose(&finding.message),
        text(&place(finding)),
    );
    if state != "open" {
        let _ = write!(html, "<span class=\"tag\">{state}</span>");
    }
    let _ = write!(
        html,
        "<span class=\"count\">{}</span>",
        text(&counted(finding.tests.len() as u64, "test", "tests"))
    );
    html.push_str("</span></summary>\n<div class=\"body\">\n");
    if is_brief {
        push_places(&mut html, finding.locations.get(..1).unwrap_or_default(), &|_: &str| None);
        html.push_str(
            "<p class=\"dim\">Told in brief, since the report is long; the JSON report has all of \
             it.</p>\n",
        );
    } else {
        push_places(&mut html, &finding.locations, sources);
        push_picture(&mut html, &finding.details);
        for stack in finding.stacks.iter().filter(|stack| !stack.frames.is_empty()) {
            push_stack(&mut html, stack);
        }
    }
    push_facts(&mut html, finding);
    push_variants(&mut html, finding);
    if !finding.help.is_empty() {
        let _ = writeln!(html, "<p class=\"help\"><b>Help</b> {}</p>", prose(&finding.help));
    }
    push_tests(&mut html, finding);
    let _ = writeln!(
        html,
        "<p class=\"foot\"><a href=\"#{anchor}\" class=\"link\" title=\"Link to this finding\">#{}</a> \
         <span>{} in all</span> <span>explained by <code>cargo concaudit explain {}</code></span></p>",
        text(&finding.fingerprint),
        counted(finding.occurrences, "occurrence", "occurrences"),
        text(&finding.rule),
    );
    html.push_str("</div>\n</details>\n</article>\n");
    html
}

/// The locations, with an excerpt of each file that still has them.
fn push_places(html: &mut String, locations: &[Location], sources: &dyn SourceProvider) {
    let mut files: Vec<(&str, Vec<&Location>)> = Vec::new();
    for location in locations {
        match files.iter_mut().find(|(file, _)| *file == location.file) {
            Some((_, known)) => known.push(location),
            None => files.push((&location.file, vec![location])),
        }
    }
    for (file, mut places) in files {
        places.sort_by_key(|place| (place.line, place.column));
        let source = source_of(sources, &places);
        let lines: Vec<&str> =
            source.as_deref().map(|all| all.lines().collect()).unwrap_or_default();
        let is_there = |place: &&Location| {
            (place.line as usize)
                .checked_sub(1)
                .and_then(|at| lines.get(at))
                .is_some_and(|line| !line.trim().is_empty())
        };
        let (found, missing): (Vec<&Location>, Vec<&Location>) =
            places.into_iter().partition(is_there);
        let _ = writeln!(html, "<figure class=\"source\"><figcaption>{}</figcaption>", text(file));
        if !found.is_empty() {
            push_excerpt(html, &lines, &found);
        }
        for place in missing {
            let column = place.column.map_or_else(String::new, |column| format!(":{column}"));
            let _ = writeln!(
                html,
                "<p class=\"nosource {}\"><code>{}:{}{column}</code> {}</p>",
                role(place),
                text(file),
                place.line,
                prose(&place.label),
            );
        }
        html.push_str("</figure>\n");
    }
}

fn role(place: &Location) -> &'static str {
    match place.role {
        Role::Primary => "primary",
        Role::Secondary => "secondary",
    }
}

fn push_excerpt(html: &mut String, lines: &[&str], places: &[&Location]) {
    let shown: BTreeSet<usize> = places
        .iter()
        .flat_map(|place| {
            let at = place.line as usize;
            at.saturating_sub(CONTEXT).max(1)..=(at + CONTEXT).min(lines.len())
        })
        .collect();
    html.push_str("<div class=\"code\" tabindex=\"0\">");
    let mut last = None;
    for number in shown {
        if last.is_some_and(|last| last + 1 != number) {
            html.push_str("<div class=\"gap\">⋯</div>");
        }
        last = Some(number);
        let line = lines[number - 1];
        let here: Vec<&&Location> =
            places.iter().filter(|place| place.line as usize == number).collect();
        let class = match here.iter().map(|place| place.role).min() {
            Some(Role::Primary) => " primary",
            Some(Role::Secondary) => " secondary",
            None => "",
        };
        let _ = write!(html, "<div class=\"line{class}\"><span class=\"no\">{number}</span><code>");
        match here.first() {
            Some(place) => {
                let span = span_of(line, place.column);
                let _ = write!(
                    html,
                    "{}<mark>{}</mark>{}",
                    text(&cut(&line[..span.start])),
                    text(&cut(&line[span.clone()])),
                    text(&cut(&line[span.end..])),
                );
            }
            None => html.push_str(&text(&cut(line))),
        }
        html.push_str("</code></div>");
        let mut labels: Vec<&str> = Vec::new();
        for place in here {
            if !labels.contains(&place.label.as_str()) {
                labels.push(&place.label);
                let indent = line.len() - line.trim_start().len();
                let _ = write!(
                    html,
                    "<div class=\"label {}\"><span class=\"no\"></span><code>{}╰ </code><span>{}</span></div>",
                    role(place),
                    "\u{a0}".repeat(indent.min(24)),
                    prose(&place.label),
                );
            }
        }
    }
    html.push_str("</div>\n");
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(MAX_LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// What is better seen than read.
fn push_picture(html: &mut String, details: &Details) {
    match details {
        Details::LockOrderCycle { locks, .. } => graph::push_ring(
            html,
            "Each is taken while the one before it is held",
            &locks.iter().map(|lock| graph::boxed(lock)).collect::<Vec<_>>(),
        ),
        Details::Deadlock { parties, behind } | Details::Futurelock { parties, behind, .. } => {
            hang::push_parties(html, parties, *behind);
        }
        Details::HungTest { process, .. } => hang::push_process(html, process),
        _ => {}
    }
}

fn push_stack(html: &mut String, stack: &LabelledStack) {
    let own = stack.frames.iter().filter(|frame| frame.first_party).count();
    let _ = write!(
        html,
        "<details class=\"stack\"><summary>{} <span class=\"dim\">{}{}</span></summary>",
        prose(&stack.label),
        counted(stack.frames.len() as u64, "frame", "frames"),
        if own > 0 { format!(", {own} of the project") } else { String::new() },
    );
    push_frames(html, &stack.frames);
    html.push_str("</details>\n");
}

/// Frames as a list, innermost first.
pub fn push_frames(html: &mut String, frames: &[StackFrame]) {
    if frames.is_empty() {
        return;
    }
    html.push_str("<ol class=\"frames\">");
    for frame in frames.iter().take(MAX_FRAMES) {
        let class = if frame.first_party { " class=\"own\"" } else { "" };
        let _ = write!(html, "<li{class}><code>{}</code>", text(&frame.function));
        if let Some(file) = &frame.file {
            let line = frame.line.map_or_else(String::new, |line| format!(":{line}"));
            let _ = write!(html, " <span class=\"at\">{}{line}</span>", text(file));
        }
        html.push_str("</li>");
    }
    if let Some(more @ 1..) = frames.len().checked_sub(MAX_FRAMES) {
        let _ = write!(html, "<li class=\"dim\">and {more} more</li>");
    }
    html.push_str("</ol>");
}

fn push_facts(html: &mut String, finding: &Finding) {
    let doubt = match finding.confidence {
        Confidence::Observed => None,
        Confidence::Likely => {
            Some("likely: the run shows everything that it takes, except the unlucky timing")
        }
        Confidence::Possible => {
            Some("possible: the run shows the parts, not that they can be active at once")
        }
    };
    let suppressed = finding.suppressed.iter().map(|it| format!("suppressed: {it}"));
    let known = (finding.baseline == Some(BaselineState::Known))
        .then(|| "it is known: the baseline has it".to_owned());
    let facts: Vec<String> = finding
        .notes
        .iter()
        .cloned()
        .chain(doubt.map(str::to_owned))
        .chain(suppressed)
        .chain(known)
        .collect();
    let minor = &finding.minor_notes;
    if facts.is_empty() && minor.is_empty() {
        return;
    }
    html.push_str("<ul class=\"facts\">");
    for fact in &facts {
        let _ = write!(html, "<li>{}</li>", prose(fact));
    }
    for fact in minor {
        let _ = write!(html, "<li class=\"dim\">{}</li>", prose(fact));
    }
    html.push_str("</ul>\n");
}

fn push_variants(html: &mut String, finding: &Finding) {
    if finding.variants.is_empty() {
        return;
    }
    let _ = write!(
        html,
        "<details class=\"variants\"><summary>In {}</summary><table><tbody>",
        counted(finding.variants.len() as u64, "way", "ways")
    );
    for variant in &finding.variants {
        let at = variant.locations.first().map(Location::position).unwrap_or_default();
        let _ = write!(
            html,
            "<tr><td class=\"num\">{}×</td><td><code>{}</code></td><td>{}</td></tr>",
            group_digits(variant.occurrences),
            text(&at),
            prose(&variant.message),
        );
    }
    if finding.further_occurrences > 0 {
        let _ = write!(
            html,
            "<tr><td class=\"num\">{}×</td><td>elsewhere</td><td></td></tr>",
            group_digits(finding.further_occurrences)
        );
    }
    html.push_str("</tbody></table></details>\n");
}

fn push_tests(html: &mut String, finding: &Finding) {
    let count = finding.tests.len();
    if count == 0 {
        return;
    }
    let list = |html: &mut String| {
        html.push_str("<ul class=\"tests\">");
        for test in finding.tests.iter().take(MAX_TESTS) {
            let _ = write!(html, "<li><code>{}</code></li>", text(test));
        }
        if let Some(more @ 1..) = count.checked_sub(MAX_TESTS) {
            let _ =
                write!(html, "<li class=\"dim\">and {}</li>", counted(more as u64, "more", "more"));
        }
        html.push_str("</ul>");
    };
    let few = count <= 3;
    let _ = write!(
        html,
        "<details class=\"seen\"{}><summary>Seen in {}</summary>",
        if few { " open" } else { "" },
        counted(count as u64, "test", "tests")
    );
    list(html);
    html.push_str("</details>\n");
}
