//! The report as a person reads it: one block per finding, in the manner of
//! rustc, then what the run was worth.

use std::{collections::BTreeSet, fmt::Write as _, ops::Range};

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Level, Origin as Place, Padding, Renderer, Snippet,
};

use super::{
    hung,
    paint::{Paint, sanitize},
    summary::{Coverage, Report, TestOutcome},
};
use crate::{
    describe::{counted, duration, group_digits},
    finding::{
        BaselineState, Confidence, Details, Finding, LabelledStack, Location, Origin, Role,
        Severity, StackFrame,
    },
};

/// How many tests are named before the rest is only counted.
const TESTS_NAMED: usize = 3;
/// Notes of the library's own code that are named where notes are not shown.
const MAX_HIDDEN_NOTES: usize = 5;
/// Runs of frames that are not the project's own are folded from this length on.
const FOLDED_FRAMES: usize = 3;
/// Lines of a stack that are shown where it is not shown in full, and how many of them are
/// its outer end.
const MAX_FRAMES: usize = 10;
const OUTER_FRAMES: usize = 3;
/// Locations of a finding that are shown in brief, unless it has more of its own.
const MAX_PLACES: usize = 12;
/// How many crates a folded run of frames names.
const CRATES_NAMED: usize = 3;

/// Where source text comes from, so that the renderer reads no files.
pub trait SourceProvider {
    /// The text of a file at its absolute path, or at one from the workspace root;
    /// `None` where there is none to be had.
    fn source(&self, file: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> SourceProvider for F {
    fn source(&self, file: &str) -> Option<String> {
        self(file)
    }
}

/// How the text is to look.
#[derive(Debug, Clone, Copy)]
pub struct HumanOptions {
    /// ANSI colours.
    pub color: bool,
    /// Notes and suppressed findings too, whole stacks, all tests.
    pub verbose: bool,
    /// Columns; longer source lines are cut.
    pub width: usize,
}

/// The whole report: findings, what limits them, and the verdict as its last
/// line.
pub fn render(report: &Report, sources: &dyn SourceProvider, options: HumanOptions) -> String {
    let mut text = render_losses(report, options);
    for finding in report.findings.iter().filter(|finding| is_shown(finding, options)) {
        text.push_str(&render_finding(finding, sources, options));
        text.push_str("\n\n");
    }
    text.push_str(&render_cut_off(report, options));
    text.push_str(&render_caveats(report, options));
    text.push_str(&render_summary(report, options));
    text
}

/// What is not seen of the project's own code: before anything is said of it.
fn render_losses(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let mut text = String::new();
    for loss in &report.coverage.first_party_losses {
        let _ = writeln!(text, "{}: not audited: {}", paint.yellow("warning"), sanitize(loss));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Notes and what is suppressed are for those who ask.
fn is_shown(finding: &Finding, options: HumanOptions) -> bool {
    options.verbose || (finding.severity > Severity::Note && finding.counts())
}

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
        let at = variant.locations.first().map(position).unwrap_or_default();
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

/// `src/lib.rs:7`
fn position(location: &Location) -> String {
    format!("{}:{}", location.file, location.line)
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
        let at = variant.locations.first().map(position);
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
            && variant.locations.first().map(position) == finding.locations.first().map(position);
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

/// The text of the file in which these are.
fn source_of(sources: &dyn SourceProvider, locations: &[&Location]) -> Option<String> {
    let place = locations.first()?;
    sources.source(place.absolute_path.as_deref().unwrap_or(&place.file))
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

/// The bytes of `line` to underline: the path or name at `column`, with its
/// arguments where they end on the same line; all of the line's text where
/// there is no such column.
fn span_of(line: &str, column: Option<u32>) -> Range<usize> {
    let whole = line.len() - line.trim_start().len()..line.trim_end().len();
    // rustc counts characters in `Location` and bytes in debug info; they differ
    // only behind characters beyond ASCII, where being off a little is harmless.
    let Some(start) = column
        .and_then(|column| (column as usize).checked_sub(1))
        .and_then(|skipped| line.char_indices().nth(skipped))
        .map(|(at, _)| at)
        .filter(|at| whole.contains(at))
    else {
        return whole;
    };
    let is_path = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':' | '!');
    let rest = &line[start..whole.end];
    let name = rest.find(|letter| !is_path(letter)).unwrap_or(rest.len());
    if name == 0 {
        let letter = rest.chars().next().map_or(1, char::len_utf8);
        return start..start + letter;
    }
    let mut end = start + name;
    if rest[name..].starts_with('(') {
        let mut depth = 0_usize;
        for (at, letter) in rest[name..].char_indices() {
            match letter {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = start + name + at + 1;
                break;
            }
        }
    }
    start..end
}

/// The lines of the project that a finding has shown so far.
struct Told(BTreeSet<(String, u32)>);

impl Told {
    fn new(locations: &[Location]) -> Self {
        Self(locations.iter().map(|place| (place.file.clone(), place.line)).collect())
    }

    /// Whether a stack has a line of the project that was not shown yet; from now on
    /// all of it was.
    fn is_news(&mut self, stack: &LabelledStack) -> bool {
        let places = stack.frames.iter().filter(|frame| frame.first_party).map(|frame| {
            let line = frame.line.unwrap_or(0);
            (frame.file.clone().unwrap_or_else(|| frame.function.clone()), line)
        });
        // Not `any`, which would stop at the first.
        places.map(|place| self.0.insert(place)).filter(|is_new| *is_new).count() > 0
    }
}

/// A stack, a frame per line, in full.
fn render_stack(stack: &LabelledStack, paint: Paint) -> String {
    let mut text = paint.bold(&format!("{}:", sanitize(&stack.label)));
    for frame in &stack.frames {
        push_frame(&mut text, &frame.function, frame, paint);
    }
    text
}

/// A stack, a frame per line: the project's own frames. What lies between them is folded,
/// but for the one that the project's code called; of tokio and std not even that is
/// shown at the inner end, since the excerpts and their labels say it. `None` where there
/// is nothing in it that was not shown before.
fn render_short_stack(stack: &LabelledStack, told: &mut Told, paint: Paint) -> Option<String> {
    let frames = &stack.frames;
    let is_ours = frames.iter().any(|frame| frame.first_party);
    if is_ours && !told.is_news(stack) {
        return None;
    }
    let mut lines: Vec<String> = Vec::new();
    let frame_line = |frame: &StackFrame| {
        let mut text = String::new();
        push_frame(&mut text, without_closures(&frame.function), frame, paint);
        text
    };
    let folded_line = |frames: &[StackFrame]| format!("\n    {}", paint.dim(&fold(frames)));
    let mut at = 0;
    while at < frames.len() {
        if frames[at].first_party {
            lines.push(frame_line(&frames[at]));
            at += 1;
            continue;
        }
        let end = frames[at..]
            .iter()
            .position(|frame| frame.first_party)
            .map_or(frames.len(), |length| at + length);
        let run = &frames[at..end];
        let (inner, called) = if end < frames.len() {
            // Innermost first: the last of the run is what the project's code called.
            (&run[..run.len() - 1], run.last())
        } else {
            (run, None)
        };
        let is_runtime =
            |frame: &&StackFrame| matches!(crate_of(&frame.function), Some("std" | "tokio"));
        if at == 0 && called.is_some() {
            lines.extend(called.filter(|frame| !is_runtime(frame)).map(frame_line));
        } else {
            if inner.len() < FOLDED_FRAMES {
                lines.extend(inner.iter().map(frame_line));
            } else {
                lines.push(folded_line(inner));
            }
            lines.extend(called.map(frame_line));
        }
        at = end;
    }
    if lines.len() > MAX_FRAMES {
        let left_out = lines.len() - MAX_FRAMES + 1;
        let from = MAX_FRAMES - OUTER_FRAMES - 1;
        let more = format!("\n    {}", paint.dim(&format!("… {left_out} more frames")));
        lines.splice(from..from + left_out, [more]);
    }
    Some(paint.bold(&format!("{}:", sanitize(&stack.label))) + &lines.concat())
}

/// A function's name without the closures and async blocks at its end, whose frames it
/// names.
fn without_closures(function: &str) -> &str {
    let mut name = function;
    while let Some((rest, last)) = name.rsplit_once("::") {
        if !last.starts_with('{') || rest.is_empty() {
            break;
        }
        name = rest;
    }
    name
}

fn push_frame(text: &mut String, function: &str, frame: &StackFrame, paint: Paint) {
    let function = sanitize(if function.is_empty() { "(unknown)" } else { function });
    let place = match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{}:{line}", sanitize(file)),
        (Some(file), None) => sanitize(file),
        (None, _) => String::new(),
    };
    let gap = if place.is_empty() { "" } else { "  " };
    let _ = if frame.first_party {
        write!(text, "\n  {} {}{gap}{}", paint.cyan(">"), paint.bold(&function), paint.cyan(&place))
    } else {
        // Where a dependency's source lies says less than its name.
        write!(text, "\n    {}", paint.dim(&function))
    };
}

/// "… 12 frames of tokio, hyper"
fn fold(frames: &[StackFrame]) -> String {
    let mut crates: Vec<&str> = Vec::new();
    for name in frames.iter().filter_map(|frame| crate_of(&frame.function)) {
        if !crates.contains(&name) {
            crates.push(name);
        }
    }
    let more = if crates.len() > CRATES_NAMED { ", …" } else { "" };
    crates.truncate(CRATES_NAMED);
    let of = if crates.is_empty() { "" } else { " of " };
    format!("… {} frames{of}{}{more}", frames.len(), sanitize(&crates.join(", ")))
}

/// The crate that a demangled path begins with: `tokio` for
/// `<tokio::sync::Mutex<T> as core::fmt::Debug>::fmt`. The parts of `std` are
/// all `std`.
fn crate_of(function: &str) -> Option<&str> {
    let path = function.trim_start_matches(|letter: char| "<&*([ ".contains(letter));
    let path = path.strip_prefix("mut ").or_else(|| path.strip_prefix("dyn ")).unwrap_or(path);
    let name = path.split("::").next().filter(|name| name.len() < path.len())?;
    let is_name = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    match name {
        "core" | "alloc" => Some("std"),
        _ => (is_name && !name.is_empty()).then_some(name),
    }
}

fn seen_in(tests: &[String], verbose: bool) -> String {
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

/// What the tests were about that the user interrupted.
fn render_cut_off(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let mut text = String::new();
    for test in report.tests.iter().filter(|test| test.outcome == TestOutcome::Interrupted) {
        let name = sanitize(&test.full_name());
        let _ = write!(
            text,
            "{}: `{name}` was cut off after {}",
            paint.yellow("interrupted"),
            duration(test.duration_ms * 1_000_000)
        );
        for cut_off in &test.cut_off {
            text.push_str(&hung::render(&cut_off.sentence, &cut_off.process, options));
        }
        text.push_str("\n\n");
    }
    text
}

/// What keeps the report from being the whole truth, a line each.
fn render_caveats(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let Coverage {
        instrumented: _,
        not_instrumented,
        not_run,
        first_party_losses,
        unaudited_tests,
        truncated_tests,
        truncated_processes,
        dropped_order_edges,
        dropped_stacks,
        dropped_tasks,
        alike_tasks,
        dropped_holds,
        dropped_events,
    } = &report.coverage;
    let mut text = String::new();
    let mut warn = |line: &str| {
        let _ = writeln!(text, "{}: {line}", paint.yellow("warning"));
    };
    if *truncated_processes > 0 {
        let count = counted(*truncated_processes, "process", "processes");
        let of = match truncated_tests.as_slice() {
            [] => String::new(),
            tests => format!(" of {}", seen_in(tests, options.verbose)),
        };
        warn(&format!(
            "{count}{of} ended without a last word (aborted, killed, over its time limit, or `_exit`): what ran or was \
             held at the end is not known"
        ));
    }
    let dropped: Vec<String> = [
        (dropped_stacks, "stack", "stacks"),
        (dropped_tasks, "task", "tasks"),
        (dropped_holds, "lock hold", "lock holds"),
        (dropped_events, "blocking call or guard", "blocking calls or guards"),
    ]
    .into_iter()
    .filter(|(count, ..)| **count > 0)
    .map(|(count, one, many)| counted(*count, one, many))
    .collect();
    if !dropped.is_empty() {
        warn(&format!(
            "{} were left out to bound memory: findings may be missing",
            dropped.join(", ")
        ));
    }
    if *dropped_order_edges > 0 {
        let pairs = counted(*dropped_order_edges, "nesting", "nestings");
        warn(&format!(
            "{pairs} of two locks came after so many others that they were left out to bound \
             memory: a `lock-order-cycle` through one of them is not found"
        ));
    }
    let unheard = unaudited_tests.len() as u64;
    if unheard > 0 && unheard < report.summary.tests_run {
        let verb = if unheard == 1 { "was" } else { "were" };
        warn(&format!(
            "{} of {} {verb} not audited, no process of theirs was heard of: {}",
            group_digits(unheard),
            counted(report.summary.tests_run, "test", "tests"),
            seen_in(unaudited_tests, options.verbose),
        ));
    }
    for what in not_instrumented.iter().filter(|what| !first_party_losses.contains(what)) {
        let _ = writeln!(text, "{}: not audited: {}", paint.bold("note"), sanitize(what));
    }
    if not_instrumented.iter().chain(first_party_losses).any(|what| what.contains("facade")) {
        let _ = writeln!(
            text,
            "{}: a facade is what a crate gets in the place of std or of a crate with locks, so \
             that its locks and threads can be seen",
            paint.bold("note")
        );
    }
    if *alike_tasks > 0 {
        let verb = if *alike_tasks == 1 { "was" } else { "were" };
        let _ = writeln!(
            text,
            "{}: {} that {verb} dropped unfinished {verb} only counted: 1,000 each are told of that \
             were spawned, waited and were dropped in the same places",
            paint.bold("note"),
            counted(*alike_tasks, "task", "tasks"),
        );
    }
    for what in not_run.iter().filter(|_| options.verbose) {
        let _ = writeln!(text, "{}: {}", paint.bold("note"), sanitize(what));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The verdict in a line, and what was left unsaid in further ones.
pub fn render_summary(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let summary = &report.summary;
    let worst = [
        (summary.errors, "error", "errors", Paint::red as fn(Paint, &str) -> String),
        (summary.warnings, "warning", "warnings", Paint::yellow),
    ];
    let found: Vec<String> = worst
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many, color)| color(paint, &counted(count, one, many)))
        .chain((summary.notes > 0).then(|| counted(summary.notes, "note", "notes")))
        .collect();
    let audited = report.tests.iter().any(|test| test.processes > 0);
    let mut text = match &summary.verdict {
        Some(verdict) => paint.red(&sanitize(verdict)),
        None if summary.tests_run == 0 => paint.red("nothing audited: no tests were run"),
        None if !audited => paint.red("nothing audited: no test process was instrumented"),
        None => String::new(),
    };
    if audited {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&match (found.as_slice(), &summary.verdict) {
            ([], None) => paint.green("no findings"),
            ([], Some(_)) => "no findings".to_owned(),
            _ => found.join(", "),
        });
    }
    if summary.tests_run > 0 {
        let _ = write!(text, " in {}", counted(summary.tests_run, "test", "tests"));
    }
    if audited {
        let _ = write!(
            text,
            " ({}, {}{}, {})",
            counted(summary.tasks, "task", "tasks"),
            if summary.threads == 0 {
                String::new()
            } else {
                format!("{}, ", counted(summary.threads, "thread", "threads"))
            },
            counted(summary.locks, "lock", "locks"),
            counted(summary.acquisitions, "acquisition", "acquisitions"),
        );
    }
    if summary.tests_run > 0 {
        let _ = write!(
            text,
            ", {} to build and {} to run",
            duration(summary.build_ms * 1_000_000),
            duration(summary.test_ms * 1_000_000)
        );
    }
    text.push('\n');
    let mut further = |line: String| {
        let _ = writeln!(text, "  {line}");
    };
    if summary.tests_failed > 0 {
        further("an audit of failing tests sees only what they reached".to_owned());
    }
    if !options.verbose && summary.notes > 0 {
        let notes = counted(summary.notes, "note", "notes");
        further(format!("{notes} not shown; -v shows {}", them(summary.notes)));
        // What is noted of the library's own code is worth a glance.
        let is_worth_it = |finding: &&Finding| {
            finding.severity == Severity::Note
                && (finding.origin == Origin::Library || sleeps_in_async_test(finding))
                && finding.counts()
        };
        for finding in report.findings.iter().filter(is_worth_it).take(MAX_HIDDEN_NOTES) {
            if let Some(place) = finding.locations.first() {
                further(format!("  {} at {}:{}", finding.rule, place.file, place.line));
            }
        }
    }
    if options.verbose && summary.drains > 0 {
        further(format!(
            "held back {} of `block_on` for {} in all, so that tasks could finish",
            counted(summary.drains, "return", "returns"),
            duration(summary.drain_ms * 1_000_000)
        ));
    }
    for (count, what) in
        [(summary.suppressed, "suppressed"), (summary.known, "known from the baseline")]
    {
        if count > 0 {
            let shown =
                if options.verbose { String::new() } else { format!("; -v shows {}", them(count)) };
            further(format!("{} {what}{shown}", counted(count, "finding", "findings")));
        }
    }
    if let Some(rule) = report
        .findings
        .iter()
        .find(|finding| {
            // What is wrong with the settings has no page.
            is_shown(finding, options) && !matches!(finding.details, Details::Allowance { .. })
        })
        .map(|finding| sanitize(&finding.rule))
    {
        let stacks = if options.verbose { "" } else { "; -v shows whole stacks" };
        further(format!("for more about a rule, try `cargo concaudit explain {rule}`{stacks}"));
    }
    text
}

/// Whether it is a `thread::sleep` in the async body of a test whose runtime has other
/// threads: hardly what was meant, and harmless as long as it has them.
fn sleeps_in_async_test(finding: &Finding) -> bool {
    matches!(
        &finding.details,
        Details::BlockingCall { operation, runtime: Some(runtime), .. }
            if operation == "thread::sleep" && runtime == "multi-thread"
    )
}

fn them(count: u64) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

#[cfg(test)]
#[path = "human_tests.rs"]
pub mod tests;

#[cfg(test)]
#[path = "human_tasks_tests.rs"]
mod tasks_tests;
