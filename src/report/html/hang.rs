//! Who waits for whom: the parties of a deadlock, and the tree of a process that hangs.

use std::fmt::Write as _;

use super::{
    escape::{prose, text},
    finding::push_frames,
    graph,
};
use crate::{
    describe::{counted, duration},
    finding::{HungParty, HungProcess, HungWait, StuckParty},
};

/// Levels of the tree.
const MAX_DEPTH: usize = 24;
/// Parties of the tree, and threads and locks.
const MAX_ITEMS: usize = 400;

/// Those that wait for each other in a circle.
pub fn push_parties(html: &mut String, parties: &[StuckParty], behind: u64) {
    let boxes: Vec<(String, String)> = parties
        .iter()
        .map(|party| {
            let mut lines = String::new();
            if let Some(at) = &party.spawned_at {
                let _ = write!(lines, "<span>spawned at <code>{}</code></span>", text(at));
            }
            if let Some(holds) = &party.holds {
                let how = if party.is_granted { "was granted" } else { "holds" };
                let _ = write!(lines, "<span><b>{how}</b> {}</span>", prose(holds));
                if let Some(ms) = party.held_ms {
                    let _ = write!(lines, "<span class=\"dim\">for {}</span>", time(ms));
                }
            }
            let _ = write!(
                lines,
                "<span><b>waits for</b> {} in <code>{}</code></span><span class=\"dim\">for {}</span>",
                prose(&party.waits_for),
                text(&party.operation),
                time(party.waited_ms),
            );
            (prose(&party.who), lines)
        })
        .collect();
    graph::push_ring(html, "Each waits for what the next one has", &boxes);
    if behind > 0 {
        let _ = writeln!(
            html,
            "<p class=\"dim\">{} stuck behind these.</p>",
            counted(behind, "further party is", "further parties are")
        );
    }
}

fn time(ms: u64) -> String {
    duration(ms.saturating_mul(1_000_000))
}

/// The tree, then the threads and the locks.
pub fn push_process(html: &mut String, process: &HungProcess) {
    let mut left = MAX_ITEMS;
    if !process.parties.is_empty() {
        html.push_str("<h4>Who waits for whom</h4>\n<ul class=\"tree\">");
        for party in &process.parties {
            push_party(html, party, "", 0, &mut left);
        }
        html.push_str("</ul>\n");
        if left == 0 {
            html.push_str("<p class=\"dim\">The tree was cut; the JSON report has all of it.</p>");
        }
    }
    if !process.threads.is_empty() {
        let _ = write!(
            html,
            "<details class=\"stack\"><summary>Threads <span class=\"dim\">{} and {} idle</span></summary><ul class=\"threads\">",
            process.threads.len(),
            process.idle_threads
        );
        for thread in process.threads.iter().take(MAX_ITEMS) {
            let _ = write!(html, "<li><b>{}</b> {}", text(&thread.name), prose(&thread.does));
            if thread.cpu_ms > 0 {
                let _ =
                    write!(html, " <span class=\"dim\">{} on the CPU</span>", time(thread.cpu_ms));
            }
            push_frames(html, &thread.frames);
            html.push_str("</li>");
        }
        push_more(html, process.threads.len());
        html.push_str("</ul></details>\n");
    }
    if !process.locks.is_empty() {
        let _ = write!(
            html,
            "<details class=\"stack\"><summary>Locks held <span class=\"dim\">{}</span></summary><ul class=\"threads\">",
            process.locks.len()
        );
        for lock in process.locks.iter().take(MAX_ITEMS) {
            let _ = write!(
                html,
                "<li><b>{}</b> held for {} by {}",
                prose(&lock.lock),
                time(lock.held_ms),
                prose(&lock.holder)
            );
            if let Some(at) = &lock.taken_at {
                let _ = write!(html, ", taken at <code>{}</code>", text(at));
            }
            html.push_str("</li>");
        }
        push_more(html, process.locks.len());
        html.push_str("</ul></details>\n");
    }
}

fn push_more(html: &mut String, count: usize) {
    if let Some(more @ 1..) = count.checked_sub(MAX_ITEMS) {
        let _ = write!(html, "<li class=\"dim\">and {more} more</li>");
    }
}

fn push_party(
    html: &mut String,
    party: &HungParty,
    relation: &str,
    depth: usize,
    left: &mut usize,
) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    let state = match party.state.as_str() {
        state @ ("waiting" | "blocked" | "computing" | "starved") => state,
        _ => "other",
    };
    let _ = write!(html, "<li><div class=\"party {state}\">");
    if !relation.is_empty() {
        let _ = write!(html, "<span class=\"dim\">{}</span> ", text(relation));
    }
    let _ = write!(html, "<b>{}</b>", prose(&party.who));
    if party.count > 1 {
        let _ = write!(html, " <b>× {}</b>", party.count);
    }
    if let Some(at) = &party.spawned_at {
        let _ = write!(html, " <span class=\"dim\">spawned at</span> <code>{}</code>", text(at));
    }
    if party.is_told_above {
        html.push_str(" <span class=\"dim\">see above</span></div></li>");
        return;
    }
    let for_ = party.for_ms.map_or_else(String::new, |ms| format!(" for {}", time(ms)));
    let _ = write!(html, " <span class=\"state\">{}{for_}</span></div>", text(&party.state));
    if !party.waits.is_empty() {
        if depth >= MAX_DEPTH {
            html.push_str("<span class=\"dim\">…</span>");
        } else {
            html.push_str("<ul>");
            for wait in &party.waits {
                push_wait(html, wait, depth, left);
            }
            html.push_str("</ul>");
        }
    }
    html.push_str("</li>");
}

fn push_wait(html: &mut String, wait: &HungWait, depth: usize, left: &mut usize) {
    let _ = write!(html, "<li><div class=\"wait\">{}", prose(&wait.what));
    if let Some(ms) = wait.due_in_ms {
        let _ = write!(html, " <span class=\"dim\">due in {}</span>", time(ms));
    }
    push_frames(html, &wait.frames);
    html.push_str("</div>");
    if !wait.on.is_empty() {
        html.push_str("<ul>");
        for party in &wait.on {
            push_party(html, party, &wait.relation, depth + 1, left);
        }
        html.push_str("</ul>");
    }
    html.push_str("</li>");
}
