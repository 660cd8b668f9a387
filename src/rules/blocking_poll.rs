//! `blocking-poll`: one poll of a task takes long.
//!
//! Whatever the thread does meanwhile, it runs no other task. What it does is known
//! from samples of its stack, and from how much of the time it had a CPU. A poll's
//! length is what the clock says less what the machine withheld, and less the calls
//! that [`blocking-call`](super::blocking_call) tells of.

mod never_yielded;

use std::time::Duration;

pub use never_yielded::NeverYielded;

use crate::{
    describe::{self, counted, group_digits},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank},
    },
    model::{
        BlockingPoll as Poll, Frame, Owner, PollSample, Process, Run, TaskKind, Test,
        in_initialiser, in_place, origin, origin_of_frame, plain, pointed_frame, short,
    },
    project::Project,
    rules::{Explained, Rule, blocking_poll::never_yielded::is_never_yielded, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct BlockingPoll;

impl Rule for BlockingPoll {
    fn name(&self) -> &'static str {
        "blocking-poll"
    }

    fn summary(&self) -> &'static str {
        "a task does not give back its thread for long, blocked or computing"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["blocking-poll"]
    }

    fn check(&self, run: &Run, config: &Config, _explained: &Explained) -> Vec<Finding> {
        let is_meant = |test: &Test, poll: &Poll| {
            Duration::from_nanos(length_ns(poll)) >= test.thresholds.blocking_poll
                && !is_never_yielded(test, poll, config)
        };
        findings(self.name(), run, config, &is_meant, &|_, _, draft| draft)
    }
}

/// The polls that are meant as findings of a rule, which may tell of them in its own words.
fn findings(
    rule: &'static str,
    run: &Run,
    config: &Config,
    is_meant: &dyn Fn(&Test, &Poll) -> bool,
    word: &dyn Fn(&Test, &Poll, Draft) -> Draft,
) -> Vec<Finding> {
    let mut groups = Groups::new(rule);
    for test in &run.tests {
        for process in &test.processes {
            for poll in &process.blocking_polls {
                let may_block = poll.samples.iter().any(|sample| in_place(&sample.stack));
                // The rule about tests that hang shows those that never ended.
                let is_told =
                    test.outcome.is_hang() && !poll.is_over && config.is_enabled("hung-test");
                if !is_meant(test, poll) || may_block || is_told || panics(poll) {
                    continue;
                }
                let Some(Blamed { sample, frame }) = blamed(poll) else { continue };
                let origin = frame.map_or_else(
                    || origin(&run.project, &sample.stack, &test.identity),
                    |frame| origin_of_frame(&run.project, frame, &test.identity),
                );
                let severity = if in_initialiser(&sample.stack) {
                    Severity::Note
                } else {
                    severity(test, poll, origin)
                };
                let frame = frame.or_else(|| pointed_frame(&sample.stack));
                let rank =
                    Rank { severity, confidence: Confidence::Observed, weight: length_ns(poll) };
                groups.add_times(
                    vec![describe::identity(frame)],
                    describe::spot(&run.project, frame),
                    rank,
                    poll.count,
                    [test.name.clone()],
                    || {
                        let draft = tell(&run.project, test, process, poll, sample, frame, origin)?;
                        Some(word(test, poll, draft))
                    },
                );
            }
        }
    }
    groups.finish()
}

/// Less what the machine withheld: from the process, or, where the thread was never seen
/// to be blocked, from the thread, which waited for a CPU whenever it had none.
fn length_ns(poll: &Poll) -> u64 {
    let queued = poll.measured_ns.saturating_sub(poll.cpu_ns);
    let withheld = if is_ever_blocked(poll) { 0 } else { queued };
    poll.longest_ns.saturating_sub(poll.starved_ns.max(withheld))
}

/// Whether a sample shows it blocked.
fn is_ever_blocked(poll: &Poll) -> bool {
    poll.samples.iter().any(|sample| sample.is_blocked)
}

/// What of the time that was measured the thread had a CPU, in percent.
fn cpu_percent(poll: &Poll) -> u64 {
    let available = poll.measured_ns.saturating_sub(poll.starved_ns).max(poll.cpu_ns).max(1);
    poll.cpu_ns.saturating_mul(100) / available
}

/// Whether it told of a panic for most of the time: a backtrace is put into words, which
/// takes long where there is much debug info.
fn panics(poll: &Poll) -> bool {
    /// `std::thread::panicking`, which every guard asks as it is dropped, is none.
    const PARTS: [&str; 4] = ["begin_panic", "rust_panic", "default_hook", "panic_fmt"];
    let is_of_panic = |frame: &Frame| {
        let function = plain(&frame.function);
        frame.owner == Owner::Std
            && function.contains("panicking::")
            && PARTS.iter().any(|part| function.contains(part))
    };
    let panicking = poll.samples.iter().filter(|it| it.stack.frames.iter().any(is_of_panic));
    let all: u64 = poll.samples.iter().map(|sample| sample.count).sum();
    panicking.map(|sample| sample.count).sum::<u64>() * 2 > all
}

/// Whether it computed for most of the time that it was not kept from a CPU.
fn computes(poll: &Poll) -> bool {
    cpu_percent(poll) >= 50 || !is_ever_blocked(poll)
}

fn severity(test: &Test, poll: &Poll, origin: Origin) -> Severity {
    if origin != Origin::Library {
        return Severity::Note;
    }
    let severity = match (poll.waiting > 0, poll.actor.kind) {
        (true, _) => Severity::Error,
        (false, TaskKind::BlockOn) => Severity::Note,
        (false, _) => Severity::Warning,
    };
    match severity {
        Severity::Error if computes(poll) && !test.is_optimised => Severity::Warning,
        Severity::Warning if computes(poll) && !test.is_optimised => Severity::Note,
        severity => severity,
    }
}

/// What is to blame for a poll.
struct Blamed<'a> {
    /// The sample that shows it.
    sample: &'a PollSample,
    /// The innermost frame of the workspace that most samples have in common; `None`:
    /// there is none.
    frame: Option<&'a Frame>,
}

fn blamed(poll: &Poll) -> Option<Blamed<'_>> {
    let all: u64 = poll.samples.iter().map(|sample| sample.count).sum();
    // What the samples of the other kind show is not what took the time.
    let counts = |sample: &&PollSample| sample.is_blocked != computes(poll);
    let usual = poll.samples.iter().filter(counts).max_by_key(|sample| sample.count);
    let sample = usual.or_else(|| poll.samples.iter().max_by_key(|sample| sample.count))?;
    let is_ours = |frame: &&Frame| matches!(frame.owner, Owner::Workspace(_));
    let share = |frame: &Frame| -> u64 {
        let has_it = |sample: &&PollSample| {
            sample.stack.frames.iter().any(|other| other.function == frame.function)
        };
        poll.samples.iter().filter(has_it).map(|sample| sample.count).sum()
    };
    let mut ours = sample.stack.frames.iter().filter(is_ours);
    let common = ours.clone().find(|frame| share(frame) * 2 > all);
    Some(Blamed { sample, frame: common.or_else(|| ours.next()) })
}

fn tell(
    project: &Project,
    test: &Test,
    process: &Process,
    poll: &Poll,
    sample: &PollSample,
    frame: Option<&Frame>,
    origin: Origin,
) -> Option<Draft> {
    let took = describe::duration(length_ns(poll));
    let is_root = poll.actor.kind == TaskKind::BlockOn;
    let what = if is_root { "a `block_on`" } else { "a task" };
    let who = frame
        .map_or("code without symbols".to_owned(), |frame| format!("`{}`", short(&frame.function)));
    let call = sample.system_call.as_deref().map(|call| format!("`{call}`"));
    let (message, label) = if computes(poll) {
        (
            format!("{who} computes for {took} on the thread of {what}, without a pause"),
            format!("its thread computes for {took} in here"),
        )
    } else {
        let within = call.map_or_else(String::new, |call| format!(" in {call}"));
        (
            format!("{who} blocks the thread of {what} for {took}{within}"),
            format!("blocks its thread for {took}{within} here"),
        )
    };
    let mut places = vec![frame.and_then(|frame| describe::at_frame(project, frame, label))];
    if let Some(at) = &poll.actor.spawned_at
        && !is_root
        && project.package_of(&at.file).is_some()
    {
        places.push(Some(describe::at_site(project, at, "task spawned here")));
    }
    Some(Draft {
        origin,
        message,
        locations: describe::places(places)?,
        stacks: describe::labelled(project, &sample.stack, "stack of the thread meanwhile")
            .into_iter()
            .collect(),
        notes: notes(project, test, process, poll, sample),
        minor_notes: vec![format!("{} % of the time on a CPU", cpu_percent(poll))],
        help: advice(poll, sample).to_owned(),
        details: Details::BlockingPoll {
            took_ms: length_ns(poll) / 1_000_000,
            cpu_percent: cpu_percent(poll),
            system_call: sample.system_call.clone(),
            kept_waiting: poll.waiting,
            task_kind: if is_root { "block-on" } else { "task" }.to_owned(),
        },
    })
}

fn notes(
    project: &Project,
    test: &Test,
    process: &Process,
    poll: &Poll,
    sample: &PollSample,
) -> Vec<String> {
    let who = describe::actor(project, process, &poll.actor);
    let mut notes = vec![format!("it ran in {who}")];
    if poll.waiting > 0 {
        let others = counted(poll.waiting, "other task", "other tasks");
        notes.push(format!("{others} of its thread could have run meanwhile"));
    } else if poll.actor.kind == TaskKind::BlockOn {
        notes.push("no other task was seen to be kept waiting by it".to_owned());
    }
    if poll.count > 1 {
        notes.push(format!("the longest of {} times", group_digits(poll.count)));
    }
    if in_initialiser(&sample.stack) {
        notes.push("within an initialisation that happens once in a process".to_owned());
    }
    if !poll.is_over {
        notes.push("it was still going on when the process exited".to_owned());
    }
    if computes(poll) && !test.is_optimised {
        notes.push("in an unoptimised build: optimised, it may take a fraction of that".to_owned());
    }
    notes
}

fn advice(poll: &Poll, sample: &PollSample) -> &'static str {
    if computes(poll) {
        return "move the computation to `spawn_blocking` or to a thread, or do it in portions with \
                a `tokio::task::yield_now().await` after each";
    }
    match sample.system_call.as_deref().unwrap_or_default() {
        "nanosleep" => "await `tokio::time::sleep` instead: the thread runs other tasks meanwhile",
        "recv" | "recvmsg" | "send" | "sendmsg" | "connect" | "accept" => {
            "await the sockets of `tokio::net` instead, or move the work to `spawn_blocking`"
        }
        "wait" => {
            "await a `tokio::process::Command` instead, or wait for the child within \
             `spawn_blocking`"
        }
        "read" | "readv" | "pread" | "write" | "writev" | "pwrite" | "open" | "fsync"
        | "fdatasync" | "flock" => {
            "await what `tokio::fs`, `tokio::net` or `tokio::process` has for it, or move the work \
             to `spawn_blocking`"
        }
        _ => {
            "await something that does not block, or move the work to `spawn_blocking` (within a \
             multi-thread runtime, `block_in_place` will do)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Outcome, testing::*};

    fn sample(system_call: Option<&str>, frames: Vec<Frame>, count: u64) -> PollSample {
        PollSample {
            stack: stack(frames),
            is_blocked: system_call.is_some(),
            system_call: system_call.map(str::to_owned),
            count,
        }
    }

    fn blocked() -> Poll {
        Poll {
            is_only: false,
            actor: actor(1),
            longest_ns: 240 * MS,
            starved_ns: 0,
            measured_ns: 200 * MS,
            cpu_ns: 6 * MS,
            samples: vec![sample(Some("read"), vec![lib("app::Pool::fetch", 40)], 3)],
            waiting: 2,
            is_over: true,
            count: 1,
        }
    }

    fn computing() -> Poll {
        Poll {
            cpu_ns: 196 * MS,
            samples: vec![sample(None, vec![lib("app::Index::build", 50)], 3)],
            ..blocked()
        }
    }

    fn check_in(poll: Poll, is_optimised: bool) -> Vec<Finding> {
        let mut run = run(Process { blocking_polls: vec![poll], ..process([], []) });
        run.tests[0].is_optimised = is_optimised;
        crate::rules::check(&BlockingPoll, &run, &Config::default())
    }

    fn check(poll: Poll) -> Vec<Finding> {
        check_in(poll, true)
    }

    #[test]
    fn a_blocked_poll_that_keeps_others_waiting_is_an_error() {
        let finding = &check(blocked())[0];
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(
            finding.message,
            "`Pool::fetch` blocks the thread of a task for 240 ms in `read`"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [40, 20]);
        assert_eq!(finding.minor_notes, ["3 % of the time on a CPU"]);
    }

    #[test]
    fn one_that_computes_is_told_so_and_counts_less_where_nothing_is_optimised() {
        let finding = &check(computing())[0];
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(
            finding.message,
            "`Index::build` computes for 236 ms on the thread of a task, without a pause"
        );
        let finding = &check_in(computing(), false)[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.notes.iter().any(|note| note.contains("unoptimised")));
        assert_eq!(check_in(Poll { waiting: 0, ..computing() }, false)[0].severity, Severity::Note);
        assert_eq!(check_in(blocked(), false)[0].severity, Severity::Error);
    }

    #[test]
    fn one_that_waits_for_a_cpu_neither_blocks_nor_computes_meanwhile() {
        assert!(check(Poll { cpu_ns: 50 * MS, ..computing() }).is_empty());
        let finding = &check(Poll { cpu_ns: 80 * MS, ..computing() })[0];
        assert!(finding.message.contains("computes for 120 ms"), "{}", finding.message);
    }

    #[test]
    fn one_that_keeps_nobody_waiting_is_a_warning_and_a_note_in_a_root() {
        assert_eq!(check(Poll { waiting: 0, ..blocked() })[0].severity, Severity::Warning);
        let mut root = Poll { waiting: 0, ..blocked() };
        root.actor.kind = TaskKind::BlockOn;
        assert_eq!(check(root.clone())[0].severity, Severity::Note);
        root.waiting = 1;
        assert_eq!(check(root)[0].severity, Severity::Error);
    }

    #[test]
    fn tests_and_dependencies_are_notes() {
        for frame in [test_code("it::works", 9), dependency("dep::go")] {
            let samples = vec![sample(Some("read"), vec![frame], 1)];
            assert_eq!(check(Poll { samples, ..blocked() })[0].severity, Severity::Note);
        }
    }

    #[test]
    fn short_polls_starved_ones_and_those_in_place_are_silent() {
        assert!(check(Poll { longest_ns: 99 * MS, ..blocked() }).is_empty());
        assert!(check(Poll { starved_ns: 150 * MS, ..blocked() }).is_empty());
        let frames = vec![lib("app::f", 40), tokio("tokio::task::blocking::block_in_place")];
        let samples = vec![sample(Some("read"), frames, 1)];
        assert!(check(Poll { samples, ..blocked() }).is_empty());
    }

    #[test]
    fn a_backtrace_is_silent_and_what_happens_once_is_a_note() {
        let frames = vec![std("std::panicking::begin_panic_handler"), lib("app::f", 40)];
        let samples = vec![sample(None, frames, 2), computing().samples.remove(0)];
        assert_eq!(check(Poll { samples: samples.clone(), ..computing() }).len(), 1);
        assert!(check(Poll { samples: samples[..1].to_vec(), ..computing() }).is_empty());
        let frames =
            vec![lib("app::load", 40), std("std::sync::once_lock::OnceLock<T>::get_or_init")];
        let samples = vec![sample(None, frames, 1)];
        let finding = &check(Poll { samples, ..computing() })[0];
        assert_eq!(finding.severity, Severity::Note);
    }

    #[test]
    fn one_that_never_ended_in_a_test_that_hangs_is_told_of_by_the_rule_for_that() {
        let poll = Poll { is_over: false, ..computing() };
        let process = Process { blocking_polls: vec![poll], ..process([], []) };
        let run = run_of([("app::it works", Outcome::TimedOut, process)]);
        assert!(crate::rules::check(&BlockingPoll, &run, &Config::default()).is_empty());
        let disabled = ["hung-test".to_owned()].into();
        let alone = Config { disabled };
        assert_eq!(crate::rules::check(&BlockingPoll, &run, &alone).len(), 1);
    }

    #[test]
    fn what_most_samples_share_is_to_blame() {
        let within = |leaf| vec![lib(leaf, 60), lib("app::Index::build", 50), lib("app::run", 10)];
        let samples = ["app::hash", "app::sort", "app::merge"]
            .into_iter()
            .map(|leaf| sample(None, within(leaf), 1))
            .collect();
        let finding = &check(Poll { samples, ..computing() })[0];
        assert!(finding.message.starts_with("`Index::build`"), "{}", finding.message);
        let samples = vec![
            sample(None, within("app::hash"), 1),
            sample(None, within("app::sort"), 3),
            sample(Some("write"), vec![lib("app::log", 70)], 1),
        ];
        let finding = &check(Poll { samples, ..computing() })[0];
        assert!(finding.message.starts_with("`app::sort`"), "{}", finding.message);
    }
}
