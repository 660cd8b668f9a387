//! A process that hangs, or is looked at while it runs, as a person reads it: who
//! waits for whom as a tree, then the threads and the locks.

use std::fmt::Write as _;

use super::HumanOptions;
use crate::{
    describe::{counted, duration},
    finding::{HungLock, HungParty, HungProcess, HungThread, HungWait, StackFrame},
    report::paint::{Paint, sanitize},
};

/// Parties of the first level that are shown.
const MAX_PARTIES: usize = 24;
/// Levels of the tree.
const MAX_DEPTH: usize = 12;
/// Threads, and locks, that are shown.
const MAX_ITEMS: usize = 24;
/// Lines of the tree, so that it fits a screen with the excerpt above it.
const MAX_TREE_LINES: usize = 32;
/// Lines of the threads, and of the locks.
const MAX_LINES: usize = 12;

/// A process that was looked at while it runs: lines that begin with a newline each.
pub fn render(sentence: &str, process: &HungProcess, options: HumanOptions) -> String {
    let mut text = String::new();
    if !sentence.is_empty() {
        let _ = write!(text, "\n  {}", sanitize(sentence));
    }
    for block in blocks(process, options.verbose, Paint { enabled: options.color }) {
        let _ = write!(text, "\n  {}", block.replace('\n', "\n  "));
    }
    text
}

/// The blocks of text of a process, each without a newline at its end.
pub fn blocks(process: &HungProcess, verbose: bool, paint: Paint) -> Vec<String> {
    let shown = |count: usize, limit: usize| if verbose { count } else { count.min(limit) };
    let mut blocks = Vec::new();
    let mut text = paint.bold("who waits for whom:");
    let parties = shown(process.parties.len(), MAX_PARTIES);
    for (at, party) in process.parties[..parties].iter().enumerate() {
        if at == 1 {
            let _ = write!(text, "\n  {}", paint.dim("beside that:"));
        }
        push_party(&mut text, party, 1, "", paint);
    }
    push_more(&mut text, process.parties.len() - parties);
    if !process.parties.is_empty() {
        blocks.push(cut(text, MAX_TREE_LINES, verbose));
    }
    let mut text = paint.bold("threads:");
    let threads = shown(process.threads.len(), MAX_ITEMS);
    for thread in &process.threads[..threads] {
        push_thread(&mut text, thread, paint);
    }
    push_more(&mut text, process.threads.len() - threads);
    text = cut(text, MAX_LINES, verbose);
    if process.idle_threads > 0 {
        let _ = write!(text, "\n  and {}", counted(process.idle_threads, "idle one", "idle ones"));
    }
    if !process.threads.is_empty() || process.idle_threads > 0 {
        blocks.push(text);
    }
    if !process.locks.is_empty() {
        let mut text = paint.bold("locks held:");
        let locks = shown(process.locks.len(), MAX_ITEMS);
        for lock in &process.locks[..locks] {
            push_lock(&mut text, lock, paint);
        }
        push_more(&mut text, process.locks.len() - locks);
        blocks.push(cut(text, MAX_LINES, verbose));
    }
    blocks
}

/// The first lines of a block, where it has more than a screen has room for.
fn cut(text: String, limit: usize, verbose: bool) -> String {
    let lines = text.matches('\n').count() + 1;
    if verbose || lines <= limit {
        return text;
    }
    let kept: Vec<&str> = text.split('\n').take(limit - 1).collect();
    let more = lines + 1 - limit;
    format!("{}\n  … and {more} more lines; -v shows them", kept.join("\n"))
}

fn push_more(text: &mut String, more: usize) {
    if more > 0 {
        let _ = write!(text, "\n  … and {more} more");
    }
}

fn push_party(text: &mut String, party: &HungParty, depth: usize, relation: &str, paint: Paint) {
    let indent = "  ".repeat(depth);
    let gap = if relation.is_empty() { "" } else { " " };
    let _ =
        write!(text, "\n{indent}{}{gap}{}", sanitize(relation), paint.bold(&sanitize(&party.who)));
    if party.count > 1 {
        let _ = write!(text, " {}", paint.bold(&format!("× {}", party.count)));
    }
    if let Some(at) = &party.spawned_at {
        let how = if party.who == "`block_on`" { "at" } else { "spawned at" };
        let _ = write!(text, " {how} {}", paint.cyan(&sanitize(at)));
    }
    if party.is_told_above {
        text.push_str(" (see above)");
        return;
    }
    let facts = facts(party);
    if !facts.is_empty() {
        let _ = write!(text, ", {}", facts.join(" "));
    }
    if depth >= MAX_DEPTH {
        let _ = write!(text, "\n{indent}  …");
        return;
    }
    for wait in &party.waits {
        push_wait(text, wait, depth, paint);
    }
}

/// "idle for 3.0 s"
fn facts(party: &HungParty) -> Vec<String> {
    let time = party.for_ms.map(|ms| duration(ms * 1_000_000));
    match (party.state.as_str(), time) {
        ("waiting", Some(time)) if party.polls > 0 => vec![format!("idle for {time}")],
        ("starved", Some(time)) if party.polls == 0 => vec![format!("never run, for {time}")],
        ("starved", Some(time)) => vec![format!("not run for {time}")],
        ("computing", Some(time)) if party.polls > 0 => {
            vec![format!("running for {time} without a pause")]
        }
        ("blocked", Some(time)) => vec![format!("for {time}")],
        _ => Vec::new(),
    }
}

fn push_wait(text: &mut String, wait: &HungWait, depth: usize, paint: Paint) {
    let indent = "  ".repeat(depth + 1);
    let _ = write!(text, "\n{indent}{}", sanitize(&wait.what));
    push_frames(text, &wait.frames, &indent, paint);
    for party in &wait.on {
        push_party(text, party, depth + 2, &wait.relation, paint);
    }
}

fn push_frames(text: &mut String, frames: &[StackFrame], indent: &str, paint: Paint) {
    for frame in frames {
        let function = sanitize(frame.function.trim_end_matches("::{{closure}}"));
        let place = match (&frame.file, frame.line) {
            (Some(file), Some(line)) if frame.first_party => format!("{}:{line}", sanitize(file)),
            _ => String::new(),
        };
        let _ = if place.is_empty() {
            write!(text, "\n{indent}  in {}", paint.dim(&function))
        } else {
            write!(text, "\n{indent}  at {} in {}", paint.cyan(&place), paint.bold(&function))
        };
    }
}

fn push_thread(text: &mut String, thread: &HungThread, paint: Paint) {
    let _ = write!(text, "\n  {}: {}", paint.bold(&sanitize(&thread.name)), sanitize(&thread.does));
    if thread.cpu_ms > 0 {
        let _ = write!(text, " ({} on the CPU)", duration(thread.cpu_ms * 1_000_000));
    }
    push_frames(text, &thread.frames, "  ", paint);
}

fn push_lock(text: &mut String, lock: &HungLock, paint: Paint) {
    let at = lock
        .taken_at
        .as_ref()
        .map_or_else(String::new, |at| format!(", taken at {}", paint.cyan(&sanitize(at))));
    let _ = write!(
        text,
        "\n  {}: held for {} by {}{at}",
        sanitize(&lock.lock),
        duration(lock.held_ms * 1_000_000),
        sanitize(&lock.holder),
    );
}
