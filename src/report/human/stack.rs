//! Stacks, in full or in short.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    finding::{LabelledStack, Location, StackFrame},
    report::paint::{Paint, sanitize},
};

/// Runs of frames that are not the project's own are folded from this length on.
const FOLDED_FRAMES: usize = 3;
/// Lines of a stack that are shown where it is not shown in full, and how many of them are
/// its outer end.
const MAX_FRAMES: usize = 10;
const OUTER_FRAMES: usize = 3;
/// How many crates a folded run of frames names.
const CRATES_NAMED: usize = 3;

/// The lines of the project that a finding has shown so far.
pub struct Told(BTreeSet<(String, u32)>);

impl Told {
    /// Those of these.
    pub fn new(locations: &[Location]) -> Self {
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
pub fn render_stack(stack: &LabelledStack, paint: Paint) -> String {
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
pub fn render_short_stack(stack: &LabelledStack, told: &mut Told, paint: Paint) -> Option<String> {
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
pub fn crate_of(function: &str) -> Option<&str> {
    let path = function.trim_start_matches(|letter: char| "<&*([ ".contains(letter));
    let path = path.strip_prefix("mut ").or_else(|| path.strip_prefix("dyn ")).unwrap_or(path);
    let name = path.split("::").next().filter(|name| name.len() < path.len())?;
    let is_name = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    match name {
        "core" | "alloc" => Some("std"),
        _ => (is_name && !name.is_empty()).then_some(name),
    }
}
