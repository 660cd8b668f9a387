//! A project builds audited if and only if it builds plainly, and with the same result.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use fs_err as fs;

use crate::support::{Report, Tool, fixture};

#[test]
fn a_build_script_gets_the_answers_of_a_plain_build() {
    let finished = Tool::new("compiler-probes").args(&["--format", "json"]).run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!((report.summary.tests_run, report.summary.tests_failed), (1, 0), "{finished}");
    assert_eq!(report.coverage.instrumented, ["std"]);
}

#[test]
fn a_crate_that_a_facade_breaks_is_named_and_compiled_without_it() {
    let arguments = ["-p", "own", "--test", "size", "--format", "json"];
    let finished = Tool::new("lock-sizes").args(&arguments).run();
    finished.assert_code(0);
    finished.assert_says(&["own 0.0.0 does not compile with the facade for std: "]);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.tests[0].outcome, "passed", "{finished}");
    assert_eq!(report.coverage.instrumented, ["std"], "all other crates");
    let loss = "std locks and threads inside own 0.0.0: own 0.0.0 does not compile with";
    let missing = report.coverage.not_instrumented;
    assert!(missing.iter().any(|what| what.starts_with(loss)), "{missing:?}");
    assert!(report.coverage.first_party_losses[0].starts_with(loss), "{finished}");

    let finished = Tool::new("lock-sizes").args(&["-p", "own", "--test", "size"]).run();
    let (warning, _) = finished.stdout.split_once("\nno findings").expect("it is clean");
    assert!(warning.starts_with(&format!("warning: not audited: {loss}")), "{finished}");
}

#[test]
fn types_that_cross_cost_the_crates_between_which_they_do_and_no_other() {
    let arguments = ["-p", "crossing", "--format", "json"];
    let finished = Tool::new("lock-sizes").args(&arguments).run();
    finished.assert_code(1);
    let report = Report::parse(&finished.stdout);
    let cycle = report.findings.iter().find(|it| it.rule == "lock-order-cycle").expect("is seen");
    assert!(cycle.locations.iter().any(|it| it.file == "bystander/src/lib.rs"), "{finished}");
    assert_eq!(report.coverage.instrumented, ["std"]);
    let mut lost = report.coverage.first_party_losses;
    lost.sort();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost[0].starts_with("std locks and threads inside crossing 0.0.0: "), "{lost:?}");
    assert!(lost[1].starts_with("std locks and threads inside layout 0.0.0: "), "{lost:?}");

    // What is known is not tried again.
    let again = Tool::new("lock-sizes").args(&arguments).run();
    again.assert_code(1);
    assert!(!again.stderr.contains("building"), "{again}");
}

#[test]
fn a_users_own_error_is_cargos_at_once_though_locks_cross() {
    let finished = Tool::new("lock-sizes").args(&["-p", "misspelt"]).run();
    finished.assert_code(101);
    finished.assert_says(&["E0425", "misspelt/tests/misspelt.rs:6"]);
    assert_eq!(finished.stderr.matches("cannot find function `nope`").count(), 1, "{finished}");
    for word in ["facade", "concaudit_", "building"] {
        assert!(!finished.stderr.contains(word), "{word}\n{finished}");
    }
}

#[test]
fn a_lint_that_only_a_facade_breaks_costs_nothing() {
    let finished = Tool::new("lock-sizes").args(&["-p", "idioms", "--format", "json"]).run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    // In a test's own code it is a note.
    assert_eq!(report.findings[0].rule, "lock-order-cycle", "{finished}");
    assert_eq!(report.coverage.losses(), [""; 0], "{finished}");
    assert!(!finished.stderr.contains("extern crate"), "{finished}");

    let finished = Tool::new("lock-sizes").args(&["-p", "unidiomatic"]).run();
    finished.assert_code(101);
    finished.assert_says(&["hidden lifetime parameters", "unidiomatic/src/lib.rs:9"]);
    for word in ["facade", "concaudit_", "extern crate", "again"] {
        assert!(!finished.stderr.contains(word), "{word}\n{finished}");
    }
}

#[test]
fn a_program_that_does_not_link_with_the_server_is_linked_without_and_not_audited() {
    let folder = tempfile::tempdir().unwrap();
    let linker = folder.path().join("linker");
    let tool = |refused: &str, target: &str| {
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *{refused}*) echo refused >&2; exit 1;; esac\nexec cc \"$@\"\n"
        );
        fs::write(&linker, script).unwrap();
        fs::set_permissions(&linker, Permissions::from_mode(0o755)).unwrap();
        Tool::bare(&fixture("no-tokio"))
            .arg("--target-dir")
            .arg(folder.path().join(target))
            .args(&["--format", "json"])
            .env("RUSTFLAGS", format!("-Clinker={}", linker.display()))
            .run()
    };
    // A test that passes without a word is none that was audited.
    let finished = tool("concaudit_server", "refused");
    finished.assert_code(4);
    let report = Report::parse(&finished.stdout);
    assert_eq!((report.summary.tests_run, report.summary.tests_failed), (1, 0), "{finished}");
    assert_eq!(report.coverage.unaudited_tests.len(), 1, "{finished}");
    let loss = report.coverage.losses();
    let said = "what tests and programs of no-tokio 0.0.0 do: no-tokio 0.0.0 does not link with";
    assert!(loss.len() == 1 && loss[0].starts_with(said), "{loss:?}");
    assert_eq!(report.coverage.first_party_losses.iter().collect::<Vec<_>>(), loss);

    let finished = tool("what-nobody-links", "linked");
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.coverage.losses(), [""; 0], "{finished}");
    assert_eq!(report.coverage.unaudited_tests.len(), 0, "{finished}");
}

#[test]
fn a_wrapper_that_was_broken_leaves_nothing_behind_once_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("wrapper");
    fs::write(&wrapper, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).unwrap();
    let tool =
        || Tool::bare(&fixture("no-tokio")).arg("--target-dir").arg(folder.path().join("target"));
    tool().env("RUSTC_WRAPPER", &wrapper).run().assert_code(101);
    tool().run().assert_code(0);
}
