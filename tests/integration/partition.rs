//! `--partition`: parts of a run, and the whole that they are together.

use std::collections::BTreeMap;

use crate::support::{Report, Tool};

fn tool() -> Tool {
    Tool::new("").args(&["-p", "silent-panic", "-p", "spawn-storm"])
}

fn listed(partition: &str) -> Vec<String> {
    let finished = tool().args(&["--list", "--partition", partition]).run();
    finished.assert_code(0);
    finished.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_parts_of_each_kind_are_the_whole_without_overlap() {
    let finished = tool().arg("--list").run();
    let mut whole: Vec<String> = finished.stdout.lines().map(str::to_owned).collect();
    whole.sort();
    for kind in ["hash", "count", "slice"] {
        let parts: Vec<_> = (1..=3).map(|shard| listed(&format!("{kind}:{shard}/3"))).collect();
        for part in &parts {
            assert!(!part.is_empty() && part.len() < whole.len(), "{kind}: {parts:?}");
        }
        let mut all = parts.concat();
        all.sort();
        assert_eq!(all, whole, "{kind}");
    }
}

/// By fingerprint: what is found, how badly, how often and in which tests.
fn told(report: &Report) -> BTreeMap<String, (String, String, u64, Vec<String>)> {
    let findings = report.findings.iter().map(|finding| {
        let mut tests = finding.tests.clone();
        tests.sort();
        let what = (finding.rule.clone(), finding.severity.clone(), finding.occurrences, tests);
        (finding.fingerprint.clone(), what)
    });
    findings.collect()
}

#[test]
fn four_parts_merged_are_the_whole_run_finding_by_finding() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let audited = |name: &str, arguments: &[&str]| {
        let file = folder.path().join(name);
        let report = format!("json={}", file.display());
        let finished = tool().args(&["--report", &report]).args(arguments).run();
        finished.assert_code(1);
        file
    };
    let whole = audited("whole.json", &[]);
    let parts: Vec<_> = (1..=4)
        .map(|shard| {
            audited(&format!("{shard}.json"), &["--partition", &format!("slice:{shard}/4")])
        })
        .collect();
    let mut merge = Tool::bare(folder.path()).args(&["merge", "--format", "json"]);
    for part in &parts {
        merge = merge.arg(part);
    }
    let merged = Report::parse(&merge.run().stdout);
    let whole = Report::parse(&fs_err::read_to_string(whole).expect("it was written"));
    assert_eq!(told(&merged), told(&whole));
    assert_eq!(merged.summary.tests_run, whole.summary.tests_run);
}
