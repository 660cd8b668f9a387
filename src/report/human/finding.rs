//! One finding.

use std::fmt::Write as _;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Level, Origin as Place, Padding, Renderer, Snippet,
};

use super::{
    HumanOptions, hung,
    stack::{Told, render_short_stack, render_stack},
};
use crate::{
    describe::{counted, group_digits},
    finding::{
        BaselineState, Confidence, Details, Finding, LabelledStack, Location, Role, Severity,
    },
    report::{
        paint::{Paint, sanitize},
        source::{SourceProvider, source_of, span_of},
    },
};

/// How many tests are named before the rest is only counted.
const TESTS_NAMED: usize = 3;
/// Locations of a finding that are shown in brief, unless it has more of its own.
const MAX_PLACES: usize = 12;

/// One finding, without a newline at its end.
pub fn render_finding(
    finding: &Finding,
    sources: &dyn SourceProvider,
    options: HumanOptions,
) -> String {
    let paint = Paint { enabled: options.color };
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut elements: Vec<Element<'_>> = Vec::new();
    let shown = if options.verbose { finding.locations.len() } else { places_shown(finding) };
    for (file, locations) in by_file(&finding.locations[..shown]) {
        push_file(&mut elements, file, &locations, source_of(sources, &locations).as_deref());
    }
    if matches!(elements.last(), Some(Element::Origin(_))) {
        elements.push(Padding.into());
    }
    // The tree of a test that hangs has it all.
    let is_tree = matches!(finding.details, Details::HungTest { .. }) && !options.verbose;
    let stacks = finding.stacks.iter().filter(|stack| !stack.frames.is_empty() && !is_tree);
    let mut told = Told::new(&finding.locations[..shown]);
    for stack in stacks {
        let text = if options.verbose {
            Some(render_stack(stack, paint))
        } else {
            render_short_stack(stack, &mut told, paint)
        };
        elements.extend(text.map(|text| Level::NOTE.no_name().message(text).into()));
    }
    if let Details::HungTest { process, .. } = &finding.details {
        for block in hung::blocks(process, options.verbose, paint) {
            elements.push(Level::NOTE.no_name().message(block).into());
        }
    }
    let minor = finding.minor_notes.iter().filter(|_| options.verbose);
    for note in finding.notes.iter().chain(minor) {
        elements.push(Level::NOTE.message(sanitize(note)).into());
    }
    if !finding.variants.is_empty() {
        let text = render_variants(finding, paint);
        elements.push(Level::NOTE.no_name().message(text).into());
    }
    for (at, stack) in finding.variants.iter().skip(1).flat_map(|variant| {
        let at = variant.locations.first().map(Location::position).unwrap_or_default();
        variant.stacks.iter().map(move |stack| (at.clone(), stack))
    }) {
        if options.verbose && !stack.frames.is_empty() {
            let label = format!("likewise at {at}: {}", stack.label);
            let stack = LabelledStack { label, ..stack.clone() };
            elements.push(Level::NOTE.no_name().message(render_stack(&stack, paint)).into());
        }
    }
    if let Some(doubt) = doubt(finding.confidence) {
        elements.push(Level::NOTE.with_name("confidence").message(doubt).into());
    }
    for suppression in &finding.suppressed {
        let text = sanitize(&suppression.to_string());
        elements.push(Level::NOTE.with_name("suppressed").message(text).into());
    }
    if finding.baseline == Some(BaselineState::Known) {
        elements.push(Level::NOTE.with_name("baseline").message("it is known").into());
    }
    if !finding.help.is_empty() {
        elements.push(Level::HELP.message(sanitize(&finding.help)).into());
    }
    if !finding.tests.is_empty() {
        let seen = seen_in(&finding.tests, options.verbose);
        elements.push(Level::NOTE.with_name("seen in").message(seen).into());
    }
    if options.verbose {
        let fingerprint = sanitize(&finding.fingerprint);
        elements.push(Level::NOTE.with_name("fingerprint").message(fingerprint).into());
    }
    let title = level.primary_title(finding.message.as_str()).id(finding.rule.as_str());
    let renderer = if options.color { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(options.width).render(&[title.elements(elements)])
}

/// How many locations are shown in brief: those of the finding itself, and some of its
/// variants'.
fn places_shown(finding: &Finding) -> usize {
    let own =
        finding.variants.first().map_or(finding.locations.len(), |worst| worst.locations.len());
    finding.locations.len().min(own.max(MAX_PLACES))
}

/// The ways in which one function does it, each with its count, its place, and what it
/// is about where that is not what the headline says.
fn render_variants(finding: &Finding, paint: Paint) -> String {
    let mut text =
        paint.bold(&format!("{}:", counted(finding.occurrences, "time", "times in all")));
    let width = finding
        .variants
        .iter()
        .map(|variant| group_digits(variant.occurrences).len())
        .max()
        .unwrap_or_default();
    for (index, variant) in finding.variants.iter().enumerate() {
        let count = group_digits(variant.occurrences);
        let at = variant.locations.first().map(Location::position);
        let at = at.map_or_else(String::new, |at| format!(" at {}", paint.cyan(&sanitize(&at))));
        let _ = write!(text, "\n  {count:>width$}{at}");
        if index == 0 {
            text.push_str(", as told above");
            continue;
        }
        if variant.message != finding.message {
            let _ = write!(text, ": {}", sanitize(&variant.message));
        }
        // Where neither the place nor the message says what is different, the notes do.
        let is_alike = variant.message == finding.message
            && variant.locations.first().map(Location::position)
                == finding.locations.first().map(Location::position);
        let news = variant.notes.iter().filter(|note| is_alike && !finding.notes.contains(note));
        for note in news {
            let _ = write!(text, "\n  {:width$}   {}", "", sanitize(note));
        }
    }
    if finding.further_occurrences > 0 {
        let _ = write!(text, "\n  {} elsewhere", group_digits(finding.further_occurrences));
    }
    text
}

fn doubt(confidence: Confidence) -> Option<&'static str> {
    match confidence {
        Confidence::Observed => None,
        Confidence::Likely => {
            Some("likely: the run shows everything that it takes, except the unlucky timing")
        }
        Confidence::Possible => {
            Some("possible: the run shows the parts, not that they can be active at once")
        }
    }
}

/// The files in the order in which the locations name them first.
fn by_file(locations: &[Location]) -> Vec<(&str, Vec<&Location>)> {
    let mut files: Vec<(&str, Vec<&Location>)> = Vec::new();
    for location in locations {
        match files.iter_mut().find(|(file, _)| *file == location.file) {
            Some((_, known)) => known.push(location),
            None => files.push((&location.file, vec![location])),
        }
    }
    files
}

/// One snippet for all locations of a file that its source still has; those
/// that it has no more are named without an excerpt.
fn push_file<'a>(
    elements: &mut Vec<Element<'a>>,
    file: &str,
    locations: &[&'a Location],
    source: Option<&str>,
) {
    let lines: Vec<&str> = source.map(|text| text.lines().collect()).unwrap_or_default();
    let line_of = |location: &Location| {
        let line = lines.get((location.line as usize).checked_sub(1)?)?;
        (!line.trim().is_empty()).then_some(*line)
    };
    let (found, missing): (Vec<&Location>, Vec<&Location>) =
        locations.iter().partition(|location| line_of(location).is_some());
    let numbers = found.iter().map(|location| location.line as usize);
    if let (Some(first), Some(last)) = (numbers.clone().min(), numbers.max()) {
        // Only the lines in between: the file may be large.
        let excerpt = &lines[first - 1..last];
        let mut starts = Vec::with_capacity(excerpt.len());
        let mut text = String::new();
        for line in excerpt {
            starts.push(text.len());
            text.push_str(line);
            text.push('\n');
        }
        let mut annotations: Vec<Annotation<'_>> = Vec::new();
        for (location, label) in one_label_per_place(&found) {
            let start = starts[location.line as usize - first];
            let span = span_of(lines[location.line as usize - 1], location.column);
            let kind = match location.role {
                Role::Primary => AnnotationKind::Primary,
                Role::Secondary => AnnotationKind::Context,
            };
            annotations.push(kind.span(start + span.start..start + span.end).label(label));
        }
        elements.push(
            Snippet::source(text)
                .line_start(first)
                .path(sanitize(file))
                .annotations(annotations)
                .into(),
        );
    }
    for location in missing {
        // An origin carries no label of its own, so it goes behind the position.
        let column = location.column.map_or_else(String::new, |column| format!(":{column}"));
        let place = format!("{file}:{}{column}: {}", location.line, location.label);
        elements.push(Place::path(sanitize(&place)).into());
    }
}

/// Annotations of one place under one mark: two stacked marks on the same word
/// read as two words.
fn one_label_per_place<'a>(locations: &[&'a Location]) -> Vec<(&'a Location, String)> {
    let mut places: Vec<(&Location, String)> = Vec::new();
    for location in locations {
        let same =
            |known: &Location| (known.line, known.column) == (location.line, location.column);
        match places.iter_mut().find(|(known, _)| same(known)) {
            Some((_, label)) if *label == sanitize(&location.label) => {}
            Some((_, label)) => *label = format!("{label}; {}", sanitize(&location.label)),
            None => places.push((location, sanitize(&location.label))),
        }
    }
    places
}

/// The tests in which something was seen.
pub fn seen_in(tests: &[String], verbose: bool) -> String {
    let limit = if verbose { tests.len() } else { TESTS_NAMED };
    let mut names =
        tests.iter().map(|test| sanitize(test)).take(limit).collect::<Vec<_>>().join(", ");
    if tests.len() > limit {
        names.push_str(", …");
    }
    match tests.len() {
        1 => names,
        count => format!("{} tests ({names})", group_digits(count as u64)),
    }
}
