//! `self-waking-task` and `never-yielded`.

use crate::support::{Finding, Workspace, expectations, silent, warning};

const LIB: &str = "yielding/src/lib.rs";

fn says(finding: &Finding, words: &str) -> Result<(), String> {
    if finding.message.contains(words) { Ok(()) } else { Err(finding.message.clone()) }
}

fn wakes_itself(finding: &Finding) -> Result<(), String> {
    let number = |name: &str| finding.details.get(name).and_then(serde_json::Value::as_u64);
    match (number("wakes"), number("self_wakes")) {
        (Some(wakes), Some(own)) if own >= 1_000 && own * 2 > wakes => Ok(()),
        numbers => Err(format!("{numbers:?}")),
    }
}

fn is_in_one_poll(finding: &Finding) -> Result<(), String> {
    says(finding, "until its end, and never yielded: `yielding::work` blocks")
}

expectations! { Workspace::Rules, "yielding::yielding ";
    a_task_that_asks_again_and_again_is_found
        => warning("self-waking-task", LIB, "spin").with(wakes_itself);
    a_task_that_waits_until_it_is_told_is_fine => silent();
    a_task_that_gives_way_is_fine => silent();
    a_task_that_asks_a_few_times_is_fine => silent();
    a_task_that_never_yields_is_found
        => warning("never-yielded", LIB, "work").with(is_in_one_poll);
    the_same_work_aside_is_fine => silent();
    the_same_work_in_portions_is_fine => silent();
}
