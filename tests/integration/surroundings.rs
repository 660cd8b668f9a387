//! What tests find around them is what `cargo test` would give them.

use crate::support::{Tool, Workspace, error, expectations, note, silent};

const RULE: &str = "lingering-task";

pub mod environment {
    use super::*;

    expectations! { Workspace::Rules, "surroundings::environment ";
        the_working_directory_is_the_package => silent();
        the_variables_of_cargo_are_those_of_the_build => silent();
        the_binaries_of_the_package_are_where_the_build_said => silent();
        no_variable_of_an_auditors_build_is_left => silent();
        the_command_line_names_this_test_or_none => silent();
    }
}

pub mod subscriber {
    use super::*;

    expectations! { Workspace::Rules, "surroundings::subscriber ";
        a_global_subscriber_sees_its_own_events_and_none_of_tokios => silent();
    }
}

pub mod children {
    use super::*;

    expectations! { Workspace::Rules, "surroundings::children ";
        a_child_of_the_same_build_is_part_of_the_test
            => note(RULE, "surroundings/src/bin/surroundings-worker.rs", "left-by-the-worker")
                // With its `main` the program ends, and the runtime that it made.
                .by("library");
        a_child_that_leaves_nothing_is_fine => silent();
        cargo_inside_a_test_builds_as_the_user_would => silent();
    }
}

pub mod binary {
    use super::*;

    expectations! { Workspace::Rules, "surroundings::bin/surroundings-echo tests::";
        a_binary_has_unit_tests_too => silent();
    }
}

pub mod members {
    use super::*;

    expectations! { Workspace::Rules, "app::drive ";
        a_bug_of_the_other_member_is_blamed_on_it
            => error(RULE, "members/engine/src/lib.rs", "survives-its-engine");
    }
}

/// A `harness = false` binary is its id alone.
pub const UNIT: &str = "surroundings::unit";

#[test]
fn a_binary_without_harness_is_one_unit() {
    let expected = error(RULE, "surroundings/src/lib.rs", "started-for-ever");
    crate::support::check(Workspace::Rules, UNIT, &expected);
}

#[test]
fn a_binary_without_harness_fails_by_its_exit_code() {
    let finished = Tool::new("")
        .args(&["-p", "surroundings", "--test", "unit"])
        .env("FIXTURE_UNIT_FAILS", "1")
        .run();
    finished.assert_code(100);
    finished.assert_says(&["the unit fails as it was told to"]);
}

#[test]
fn a_child_process_is_counted_with_its_test() {
    let report = &Workspace::Rules.audit().report;
    let name = "surroundings::children a_child_of_the_same_build_is_part_of_the_test";
    let test = report.test(name).expect("it was run");
    assert_eq!(test.processes, 2, "its own and its child's: {test:?}");
}
