//! `never-yielded`: a task runs for long in its first poll, and never awaits anything that
//! makes it wait.
//!
//! What a thread does in such a poll is known from [`blocking-poll`](super),
//! which leaves these to this rule.

use std::time::Duration;

use crate::{
    describe,
    finding::{Details, Finding, Severity, group::Draft},
    model::{BlockingPoll as Poll, Run, TaskKind, Test},
    rules::{
        Explained, Rule,
        blocking_poll::{cpu_percent, findings, length_ns},
        config::Config,
    },
};

/// See the module.
#[derive(Debug)]
pub struct NeverYielded;

const NAME: &str = "never-yielded";

/// Whether this rule tells of a poll.
pub(super) fn is_never_yielded(test: &Test, poll: &Poll, config: &Config) -> bool {
    config.is_enabled(NAME) && is_one(test, poll)
}

fn is_one(test: &Test, poll: &Poll) -> bool {
    poll.is_only
        && matches!(poll.actor.kind, TaskKind::Task | TaskKind::Local)
        && Duration::from_nanos(length_ns(poll)) >= test.thresholds.never_yielded
}

impl Rule for NeverYielded {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a task runs for long and never yields to others"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &[NAME]
    }

    fn check(&self, run: &Run, config: &Config, _explained: &Explained) -> Vec<Finding> {
        findings(NAME, run, config, &is_one, &|test, poll, draft| word(test, poll, draft))
    }
}

fn word(test: &Test, poll: &Poll, draft: Draft) -> Draft {
    let length = describe::duration(length_ns(poll));
    let end = if poll.is_over { "until its end" } else { "and is in its first poll still" };
    let limit = test.thresholds.never_yielded;
    let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let mut minor_notes = draft.minor_notes;
    minor_notes.push(format!("the threshold is {}", describe::duration(limit_ms * 1_000_000)));
    Draft {
        message: format!("a task ran for {length} {end}, and never yielded: {}", draft.message),
        minor_notes,
        details: Details::NeverYielded {
            poll_ms: length_ns(poll) / 1_000_000,
            cpu_percent: cpu_percent(poll),
            over: poll.is_over,
            kept_waiting: poll.waiting,
            limit_ms,
        },
        ..draft
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PollSample, Process, testing::*};

    fn poll(length_ms: u64) -> Poll {
        Poll {
            actor: actor(1),
            longest_ns: length_ms * MS,
            starved_ns: 0,
            measured_ns: length_ms * MS,
            cpu_ns: 0,
            samples: vec![PollSample {
                stack: stack([lib("app::Index::rebuild", 40)]),
                is_blocked: true,
                system_call: Some("read".to_owned()),
                count: 9,
            }],
            waiting: 0,
            is_over: true,
            count: 1,
            is_only: true,
        }
    }

    fn check(poll: Poll) -> Vec<(String, String)> {
        let process = Process { blocking_polls: vec![poll], ..process([], []) };
        let found = crate::rules::audit(&run(process), &Config::default());
        found.into_iter().map(|finding| (finding.rule, finding.message)).collect()
    }

    #[test]
    fn a_long_only_poll_is_told_once() {
        let told = "a task ran for 1.5 s until its end, and never yielded: `Index::rebuild` blocks \
                    the thread of a task for 1.5 s in `read`";
        assert_eq!(check(poll(1_500)), [(NAME.to_owned(), told.to_owned())]);
        let still = check(Poll { is_over: false, ..poll(1_500) });
        assert!(still[0].1.contains("is in its first poll still"), "{still:?}");
    }

    #[test]
    fn a_shorter_one_and_one_of_a_task_that_yields_are_blocking_polls() {
        for poll in [poll(900), Poll { is_only: false, ..poll(1_500) }] {
            let rules: Vec<String> = check(poll).into_iter().map(|(rule, _)| rule).collect();
            assert_eq!(rules, ["blocking-poll"]);
        }
    }

    #[test]
    fn without_this_rule_the_other_tells() {
        let process = Process { blocking_polls: vec![poll(1_500)], ..process([], []) };
        let config = Config { disabled: [NAME.to_owned()].into() };
        let found = crate::rules::audit(&run(process), &config);
        assert_eq!(found[0].rule, "blocking-poll");
    }
}
