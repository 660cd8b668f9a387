//! A project builds audited if and only if it builds plainly, and with the same result.

use crate::support::{Report, Tool};

#[test]
fn a_build_script_gets_the_answers_of_a_plain_build() {
    let finished = Tool::new("compiler-probes").args(&["--format", "json"]).run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!((report.summary.tests_run, report.summary.tests_failed), (1, 0), "{finished}");
    assert_eq!(report.coverage.instrumented, ["std"]);
}
