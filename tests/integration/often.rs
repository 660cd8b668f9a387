//! Deadlocks and futurelocks over and over: each is found each time, and what only
//! looks like one never is. `benches/deadlocks.sh` does it a thousand times.

use std::{collections::BTreeMap, env, fmt};

use crate::support::{Report, Tool};

/// How often each fixture is audited: so many times, or 3.
const RUNS: &str = "CONCAUDIT_RUNS";
/// For how long the fixture under load is loaded, in seconds. Without it that is
/// left out: each run has had a moment of it.
const LOAD: &str = "DEADLOCK_LOAD_SECONDS";

fn number(name: &str) -> Option<u32> {
    env::var(name).ok()?.parse().ok()
}

/// What became of one test, how often.
#[derive(Debug, Default)]
struct Tally {
    found: u32,
    silent: u32,
    /// It was to hang, and passed: the machine came so late that it did not come to it.
    missed: u32,
    /// Until the time limit, and nothing told.
    hung: u32,
    /// Told, and not so.
    wrong: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, silent, missed, hung, wrong } = self;
        write!(
            f,
            "{found:6} found {silent:6} silent {missed:6} missed {hung:6} hung {wrong:6} false"
        )
    }
}

#[derive(Debug, Default)]
struct Outcomes {
    tests: BTreeMap<String, Tally>,
    /// From the last of the waits to the discovery, in milliseconds.
    delays: Vec<u64>,
}

impl Outcomes {
    fn audit(&mut self, fixture: &str, load: &str, arguments: &[&str]) {
        let finished = Tool::new(fixture)
            .args(&["--quiet", "--format", "json"])
            .args(arguments)
            .env(LOAD, load)
            .run();
        let report = Report::parse(&finished.stdout);
        for test in &report.tests {
            let name = test.full_name();
            let told: Vec<&str> = report
                .of_test(&name)
                .map(|finding| finding.rule.as_str())
                .filter(|rule| ["deadlock", "futurelock"].contains(rule))
                .collect();
            let tally = self.tests.entry(name.clone()).or_default();
            let hangs = name.ends_with("hangs") || name.ends_with("hang");
            match (hangs, told.as_slice()) {
                (true, [rule]) if *rule == fixture => tally.found += 1,
                (false, []) if test.outcome == "passed" => tally.silent += 1,
                (true, []) if test.outcome == "passed" => tally.missed += 1,
                (_, []) => tally.hung += 1,
                _ => tally.wrong += 1,
            }
        }
        for finding in report.findings.iter().filter(|finding| finding.rule == "deadlock") {
            let Some(parties) = finding.details["parties"].as_array() else { continue };
            // One that was granted its lock may have waited for long before that.
            if !parties.iter().any(|party| party["is_granted"] == true) {
                let waited = parties.iter().filter_map(|party| party["waited_ms"].as_u64());
                self.delays.extend(waited.min());
            }
        }
    }
}

/// The one at so many percent of the way through.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0)
}

#[test]
fn every_deadlock_is_found_each_time_and_nothing_else() {
    let runs = number(RUNS).unwrap_or(3);
    // They wait for each other, and hardly ever for a core.
    let jobs = env::var("CONCAUDIT_JOBS").unwrap_or_else(|_| "4".to_owned());
    let mut outcomes = Outcomes::default();
    for run in 1..=runs {
        for fixture in ["deadlock", "futurelock"] {
            outcomes.audit(fixture, "", &["--time-limit", "30s", "--test-threads", &jobs]);
        }
        if run % 10 == 0 {
            eprintln!("{run} of {runs} runs");
        }
    }
    if let Ok(load) = env::var(LOAD) {
        outcomes.audit("deadlock", &load, &["--time-limit", "600s", "a_shop_under_load_passes"]);
    }

    let mut all = Tally::default();
    for (name, tally) in &outcomes.tests {
        eprintln!("{tally}  {name}");
        all.found += tally.found;
        all.silent += tally.silent;
        all.missed += tally.missed;
        all.hung += tally.hung;
        all.wrong += tally.wrong;
    }
    eprintln!("{all}  in all");
    outcomes.delays.sort_unstable();
    let [median, late, latest] = [50, 99, 100].map(|part| percentile(&outcomes.delays, part));
    eprintln!("found after: median {median} ms, 99 of 100 within {late} ms, at most {latest} ms");
    assert!(all.found > 0 && all.silent > 0, "nothing was looked at");
    assert_eq!((all.hung, all.wrong), (0, 0), "see the table above");
    assert!(all.missed * 100 <= all.found, "too many passed that were to hang");
}

/// Of tests that hang as they begin: how long they ran until that was known. Their start is
/// a part of it.
#[test]
#[ignore = "measures: benches/standstill.sh"]
fn how_soon_a_standstill_is_found() {
    let mut durations = Vec::new();
    for _ in 0..number(RUNS).unwrap_or(3) {
        let finished = Tool::new("hung")
            .args(&["--quiet", "--format", "json", "--time-limit", "60s"])
            .args(&["--test", "waits", "--", "a_full", "a_receiver_in_place_hangs"])
            .run();
        let report = Report::parse(&finished.stdout);
        for test in &report.tests {
            assert_eq!(test.outcome, "hung", "{}\n{finished}", test.name);
            durations.push(test.duration_ms);
        }
    }
    durations.sort_unstable();
    let [median, late, latest] = [50, 99, 100].map(|part| percentile(&durations, part));
    let count = durations.len();
    eprintln!("{count} tests: median {median} ms, 99 of 100 within {late} ms, at most {latest} ms");
}
