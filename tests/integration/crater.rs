//! Published crates compile audited if and only if they compile plainly.
//!
//! `tests/graph/crater.txt` lists them. A sample is tried in every run of the tests;
//! `tests/graph/crater.sh` tries all of them, one after the other, and writes
//! `docs/crater.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::support::{Report, Tool, copy, is_loss, scratch, wait_until};

/// What is tried in every run of the tests: small, and of many kinds.
const SAMPLE: [&str; 10] = [
    "async-once-cell",
    "cfg-if",
    "http-body",
    "left-right",
    "lock_api",
    "scopeguard",
    "shlex",
    "string_cache",
    "thread_local",
    "threadpool",
];

/// After how long a crate is given up.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// A published crate.
#[derive(Debug, Clone, Copy)]
struct Crate {
    name: &'static str,
    version: &'static str,
    /// Its suite is run as well.
    is_run: bool,
    /// Without which it does not compile, or has nothing to try: as `--features` has them.
    features: Option<&'static str>,
    /// Why it behaves as it does.
    note: &'static str,
}

/// What became of one.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    /// Its first error, if it does not compile.
    plain: Option<String>,
    audited: Option<String>,
    /// What is seen, and what is not.
    instrumented: Vec<String>,
    missed: Vec<String>,
    /// Tests that ran, and those that failed one way.
    suite: Option<Suite>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Suite {
    tests: usize,
    fail_plainly: BTreeSet<String>,
    fail_audited: BTreeSet<String>,
}

/// The lines of the list: name, version, perhaps `run`, perhaps `features=A,B`, perhaps a
/// note behind a `#`.
fn crates() -> Vec<Crate> {
    let parse = |line: &'static str| {
        let (words, note) = line.split_once('#').unwrap_or((line, ""));
        let mut words = words.split_whitespace();
        let (name, version) = (words.next()?, words.next()?);
        let options: Vec<&str> = words.collect();
        let features = options.iter().find_map(|word| word.strip_prefix("features="));
        let is_run = options.contains(&"run");
        Some(Crate { name, version, is_run, features, note: note.trim() })
    };
    include_str!("../graph/crater.txt").lines().filter_map(parse).collect()
}

fn room() -> PathBuf {
    scratch().join("crater")
}

impl Crate {
    fn title(self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// Its published form, in a folder of its own.
    fn prepare(self) -> PathBuf {
        let folder = room().join("sources").join(self.title());
        let manifest = folder.join("Cargo.toml");
        if manifest.exists() {
            return folder;
        }
        // Cargo has it once somebody depends on it.
        let user = room().join("user").join(self.title());
        fs_err::create_dir_all(user.join("src")).expect("a scratch folder can be made");
        fs_err::write(user.join("src/lib.rs"), "").expect("a scratch file can be written");
        let text = format!(
            "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
             [dependencies.{}]\nversion = \"={}\"\ndefault-features = false\n",
            self.name, self.version
        );
        fs_err::write(user.join("Cargo.toml"), text).expect("a scratch file can be written");
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1"])
            .current_dir(&user)
            .output()
            .expect("cargo is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        let package = metadata["packages"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|package| package["name"] == self.name && package["version"] == self.version)
            .expect("it was asked for");
        let published = Path::new(package["manifest_path"].as_str().expect("a path"));
        copy(published.parent().expect("a folder"), &folder);
        // With what is newest, as most of the others: what they share is compiled once.
        // And by the compiler that is there.
        for file in ["Cargo.lock", "rust-toolchain", "rust-toolchain.toml"] {
            let _ = fs_err::remove_file(folder.join(file));
        }
        let mut text = fs_err::read_to_string(&manifest).expect("it was copied");
        if !text.contains("[workspace]") {
            text.push_str("\n[workspace]\n");
            fs_err::write(&manifest, text).expect("a scratch file can be written");
        }
        folder
    }

    /// `cargo` in its folder, with what all have in common.
    fn cargo(self, folder: &Path, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("cargo");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_") && name != "CARGO_HOME")
            {
                command.env_remove(name);
            }
        }
        let log = room().join(format!("{}.log", self.title()));
        let file = || fs_err::File::create(&log).expect("a scratch file can be written");
        let output = file();
        let errors = output.try_clone().expect("a file of ours");
        let mut child = command
            .args(arguments)
            .args(["--lib", "--tests"])
            .args(self.with_features())
            .envs(FRUGAL)
            .env("CARGO_TARGET_DIR", room().join("plain"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.into_parts().0)
            .stderr(errors.into_parts().0)
            .spawn()
            .expect("cargo is there");
        let status = wait_until(&self.title(), LIMIT, || child.try_wait().expect("a child"));
        let text = fs_err::read(&log).expect("it was written");
        (status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// What makes cargo compile it with its features.
    fn with_features(self) -> Vec<&'static str> {
        self.features.map_or_else(Vec::new, |features| vec!["--features", features])
    }

    fn audited(self, folder: &Path, arguments: &[&str]) -> (i32, String, String) {
        let mut tool = Tool::bare(folder)
            .args(&self.with_features())
            .arg("--target-dir")
            .arg(room().join("audited"))
            .args(&["--lib", "--tests", "--fail-on", "never", "--format", "json"])
            .args(arguments);
        for (name, value) in FRUGAL {
            tool = tool.env(name, value);
        }
        let finished = tool.run();
        (finished.code, finished.stdout, finished.stderr)
    }

    /// Tries it both ways.
    fn try_out(self) -> Outcome {
        fs_err::create_dir_all(room()).expect("a scratch folder can be made");
        let folder = self.prepare();
        let (compiles, said) = self.cargo(&folder, &["check"]);
        let mut outcome = Outcome {
            plain: (!compiles).then(|| first_error(&said)),
            audited: None,
            instrumented: Vec::new(),
            missed: Vec::new(),
            suite: None,
        };
        let is_run = self.is_run && compiles;
        let nothing = ["a-name-that-no-test-has"];
        let (_, stdout, stderr) = self.audited(&folder, if is_run { &[] } else { &nothing });
        let Ok(report) = serde_json::from_str::<Report>(&stdout) else {
            outcome.audited = Some(first_error(&stderr));
            return outcome;
        };
        outcome.instrumented.clone_from(&report.coverage.instrumented);
        outcome.missed.clone_from(&report.coverage.not_instrumented);
        // What holds of every project.
        outcome.missed.retain(|missed| !missed.starts_with("doctests"));
        if is_run {
            let (_, said) = self.cargo(&folder, &["test", "--no-fail-fast"]);
            let failed = |test: &&crate::support::Test| test.outcome != "passed";
            outcome.suite = Some(Suite {
                tests: report.tests.len(),
                fail_plainly: failures(&said),
                fail_audited: report
                    .tests
                    .iter()
                    .filter(failed)
                    .map(|it| it.name.clone())
                    .collect(),
            });
        }
        outcome
    }
}

/// What keeps the builds small; the same for both.
const FRUGAL: [(&str, &str); 3] = [
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("CARGO_PROFILE_TEST_DEBUG", "0"),
];

/// The first error in what cargo said.
fn first_error(said: &str) -> String {
    let is_error = |line: &&str| line.starts_with("error");
    said.lines().find(is_error).unwrap_or("no error was told").to_owned()
}

/// The tests that failed under libtest.
fn failures(said: &str) -> BTreeSet<String> {
    said.lines()
        .filter_map(|line| line.strip_prefix("test ")?.split_once(" ... FAILED"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

impl Outcome {
    /// What an audit changed, in words; empty where it changed nothing.
    fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        match (&self.plain, &self.audited) {
            (None, Some(error)) => differences.push(format!("fails audited only: {error}")),
            (Some(error), None) => differences.push(format!("fails plainly only: {error}")),
            _ => {}
        }
        differences.extend(self.missed.iter().filter(|missed| is_loss(missed)).cloned());
        if let Some(suite) = &self.suite {
            let audited_only = suite.fail_audited.difference(&suite.fail_plainly);
            differences.extend(audited_only.map(|test| format!("test {test} fails audited only")));
        }
        differences
    }
}

#[test]
fn a_sample_of_published_crates_compiles_audited_as_it_does_plainly() {
    let crates = crates();
    for name in SAMPLE {
        let found = crates.iter().find(|it| it.name == name).expect("it is in the list");
        let outcome = found.try_out();
        assert_eq!(outcome.plain, None, "{found:?}");
        assert_eq!(outcome.differences(), [""; 0], "{found:?}: {outcome:#?}");
        assert!(outcome.instrumented.iter().any(|it| it == "std"), "{found:?}: {outcome:#?}");
    }
}

/// Where outcomes are kept between runs.
fn kept(one: Crate) -> PathBuf {
    room().join("outcomes").join(format!("{}.json", one.title()))
}

#[test]
#[ignore = "takes hours: tests/graph/crater.sh"]
#[expect(clippy::print_stdout, reason = "somebody waits for it")]
fn one_crate_is_tried() {
    let name = std::env::var("CRATER").expect("CRATER names a crate of the list");
    let crates = crates();
    let one = crates.iter().find(|it| it.name == name).expect("it is in the list");
    let outcome = one.try_out();
    fs_err::create_dir_all(room().join("outcomes")).expect("a scratch folder can be made");
    let text = serde_json::to_string_pretty(&outcome).expect("plain data");
    fs_err::write(kept(*one), text).expect("a scratch file can be written");
    for difference in outcome.differences() {
        println!("{}: {difference}", one.title());
    }
}

#[test]
#[ignore = "writes what was found out: tests/graph/crater.sh"]
fn the_table_is_written() {
    let outcomes: Vec<(Crate, Outcome)> = crates()
        .into_iter()
        .filter_map(|one| {
            let text = fs_err::read_to_string(kept(one)).ok()?;
            Some((one, serde_json::from_str(&text).expect("written by us")))
        })
        .collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/crater.md");
    fs_err::write(path, table(&outcomes)).expect("the table can be written");
}

/// The whole of `docs/crater.md`.
fn table(outcomes: &[(Crate, Outcome)]) -> String {
    let both = |one: &&(Crate, Outcome)| one.1.plain.is_none() && one.1.audited.is_none();
    let neither = |one: &&(Crate, Outcome)| one.1.plain.is_some() && one.1.audited.is_some();
    let differs = |one: &&(Crate, Outcome)| !one.1.differences().is_empty();
    let run = outcomes.iter().filter_map(|(_, outcome)| outcome.suite.as_ref());
    let (suites, tests) =
        run.fold((0, 0), |(suites, tests), suite| (suites + 1, tests + suite.tests));
    let mut text = String::new();
    let _ = write!(
        text,
        "# Published crates under the audit\n\n\
         Written by `tests/graph/crater.sh`; not to be edited. The list, and the explanations of what differs, \
         are in `tests/graph/crater.txt`.\n\n\
         Each crate is tried in its published form, with the newest versions of what it depends on: `cargo check \
         --lib --tests`, and `cargo concaudit --lib --tests`. An audit must compile and link what compiles plainly, \
         and nothing else.\n\n\
         | | crates |\n|---|---|\n\
         | listed | {} |\n\
         | tried so far | {} |\n\
         | compile both ways | {} |\n\
         | compile neither way, as published | {} |\n\
         | differ, or lose a facade somewhere | {} |\n\n\
         Of {suites} crates, the suites were run both ways, {tests} tests in all.\n",
        crates().len(),
        outcomes.len(),
        outcomes.iter().filter(both).count(),
        outcomes.iter().filter(neither).count(),
        outcomes.iter().filter(differs).count(),
    );
    let mut section = |title: &str, rows: BTreeMap<String, Vec<String>>| {
        if !rows.is_empty() {
            let _ = writeln!(text, "\n## {title}\n");
        }
        for (name, lines) in rows {
            for line in lines {
                let _ = writeln!(text, "- {name}: {line}");
            }
        }
    };
    let explained = |(one, outcome): &(Crate, Outcome)| {
        let mut lines = outcome.differences();
        let note = if one.note.is_empty() { "not explained yet" } else { one.note };
        for line in &mut lines {
            *line = format!("{} ({note})", flat(line));
        }
        (one.title(), lines)
    };
    section("What differs", outcomes.iter().filter(differs).map(explained).collect());
    let why = |(one, outcome): &(Crate, Outcome)| {
        (one.title(), vec![flat(outcome.plain.as_deref().unwrap_or_default())])
    };
    section(
        "What does not compile as published",
        outcomes.iter().filter(neither).map(why).collect(),
    );

    text.push_str("\n## All of them\n\n| crate | plainly | audited | seen | not seen | tests |\n|---|---|---|---|---|---|\n");
    for (one, outcome) in outcomes {
        let compiles = |error: &Option<String>| if error.is_none() { "compiles" } else { "fails" };
        let suite = match &outcome.suite {
            Some(suite) => {
                let failed = suite.fail_plainly.union(&suite.fail_audited).count();
                format!("{} run, {failed} fail", suite.tests)
            }
            None => String::new(),
        };
        let with = one.features.map_or_else(String::new, |features| format!(" with {features}"));
        let _ = writeln!(
            text,
            "| {} {}{with} | {} | {} | {} | {} | {suite} |",
            one.name,
            one.version,
            compiles(&outcome.plain),
            compiles(&outcome.audited),
            flat(&outcome.instrumented.join(", ")),
            flat(&outcome.missed.join("; ")),
        );
    }
    text
}

/// For a cell, or a line: without what would end it, or name a folder.
fn flat(text: &str) -> String {
    let home = room().display().to_string();
    text.replace(&home, "").replace('|', "\\|").replace('\n', " ")
}
