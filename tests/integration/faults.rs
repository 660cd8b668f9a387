//! `docs/faults.md` says what was tried; what it names is there.

use std::path::Path;

const TABLE: &str = include_str!("../../docs/faults.md");
/// So many at least.
const FAULTS: usize = 40;

/// The last column of each row.
fn tests() -> Vec<&'static str> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault"));
    rows.map(|row| {
        let columns: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[_, _, test] = &columns[..] else { panic!("three columns, not {row}") };
        test.trim_matches('`')
    })
    .collect()
}

#[test]
fn every_fault_names_a_test_that_there_is() {
    let tests = tests();
    assert!(tests.len() >= FAULTS, "{} faults", tests.len());
    for test in tests {
        let (place, name) = test.rsplit_once("::").expect("a place and a name");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = if place.starts_with("src/") {
            root.join(place)
        } else {
            root.join("tests/integration").join(place).with_extension("rs")
        };
        let text = fs_err::read_to_string(&file).expect("the file is there");
        // A function, or one that a macro makes of an expectation.
        let is_there = text.lines().map(str::trim_start).any(|line| {
            line.split_once("fn ").is_some_and(|(_, rest)| rest.starts_with(&format!("{name}(")))
                || line.starts_with(&format!("{name} =>"))
                || line == name
        });
        assert!(is_there, "{} has no {name}", file.display());
    }
}
