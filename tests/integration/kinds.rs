//! Kinds of project, of crate and of build: each is audited, or says that it is not.
//! `docs/projects.md` has a row for each.

use std::{
    fmt::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Finished, Report, Tool, copy, fixture, scratch};

const CYCLE: &str = "lock-order-cycle";
const AUDIT: [&str; 4] = ["--fail-on", "never", "--format", "json"];

/// Every test of the report was audited, and found to take two locks in both orders,
/// but for those that are `unseen`.
#[track_caller]
fn check(finished: &Finished, tests: usize, unseen: &[&str]) -> Report {
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.tests.len(), tests, "{finished}");
    for test in &report.tests {
        let name = test.full_name();
        assert_eq!(test.outcome, "passed", "{name}\n{finished}");
        // Of what others have, there may be notes.
        let rules: Vec<_> = report
            .of_test(&name)
            .filter(|finding| finding.rule == CYCLE || finding.severity != "note")
            .map(|finding| finding.rule.as_str())
            .collect();
        let is_seen = rules == [CYCLE];
        assert!(
            is_seen || (rules.is_empty() && unseen.contains(&test.name.as_str())),
            "{name}: {rules:?}\n{finished}"
        );
    }
    assert_eq!(report.coverage.losses(), [""; 0], "{finished}");
    report
}

/// A fresh folder below the one for scratch work.
fn fresh(name: &str) -> PathBuf {
    let folder = scratch().join("kinds").join(name);
    let _ = fs_err::remove_dir_all(&folder);
    fs_err::create_dir_all(&folder).expect("a scratch folder can be made");
    folder
}

/// A project of one crate that takes two locks in both orders, with more in its
/// manifest.
fn project(folder: &Path, more: &str) {
    copy(&fixture("kinds/crossing"), folder);
    let manifest = folder.join("Cargo.toml");
    let mut text = fs_err::read_to_string(&manifest).expect("it was copied");
    let _ = write!(text, "\n[workspace]\n{more}");
    fs_err::write(manifest, text).expect("a scratch file can be written");
}

fn script(path: &Path, text: &str) {
    fs_err::write(path, text).expect("a scratch file can be written");
    let mode = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(path, mode).expect("a file of ours");
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn crates_of_every_kind_are_audited() {
    let finished =
        Tool::new("kinds").args(&["--locked", "--workspace", "--exclude", "ui"]).args(&AUDIT).run();
    let unseen = [
        "a_cdylib_that_is_loaded_works_and_is_not_seen",
        "the_unit_tests_of_a_procedural_macro_run",
    ];
    let report = check(&finished, 11, &unseen);
    let missed = &report.coverage.not_instrumented;
    assert!(missed.iter().any(|it| it.contains("the tests of makes-names")), "{missed:#?}");
}

#[test]
fn what_is_optimised_at_link_time_and_stripped_is_audited() {
    let finished = Tool::new("kinds")
        .args(&["--locked", "--profile", "shipped", "-p", "crossing", "-p", "no-std"])
        .args(&AUDIT)
        .run();
    check(&finished, 2, &[]);
}

#[test]
fn a_dylib_is_audited_where_std_is_shared_too() {
    let finished = Tool::new("kinds-dynamic").args(&["--locked"]).args(&AUDIT).run();
    check(&finished, 1, &[]);
}

#[test]
fn a_linker_of_ones_own_choice_links_the_probe() {
    for linker in ["bfd", "gold", "lld", "mold"] {
        let is_there = Command::new("cc")
            .args([&format!("-fuse-ld={linker}"), "-Wl,--version"])
            .output()
            .is_ok_and(|output| output.status.success());
        // What a machine has differs.
        if is_there {
            let finished = Tool::new("kinds")
                .args(&["--locked", "-p", "crossing"])
                .args(&AUDIT)
                .env("RUSTFLAGS", format!("-C link-arg=-fuse-ld={linker}"))
                .run();
            check(&finished, 1, &[]);
        }
    }
}

#[test]
fn what_trybuild_compiles_within_a_test_is_compiled_plainly() {
    let folder = fresh("ui");
    copy(&fixture("kinds"), &folder);
    let target = scratch().join("targets/ui-plain");
    // What is right is what the compiler says that is there.
    run(Command::new("cargo")
        .args(["test", "--locked", "-q", "-p", "ui", "--test", "ui"])
        .env("TRYBUILD", "overwrite")
        .env("CARGO_TARGET_DIR", target)
        .current_dir(&folder));
    let said = fs_err::read_to_string(folder.join("ui/tests/ui/guard.stderr"));
    assert!(said.expect("trybuild has written it").contains("std::sync::MutexGuard"));
    let finished = Tool::bare(&folder)
        .args(&["--locked", "-p", "ui"])
        .arg("--target-dir")
        .arg(scratch().join("targets/ui"))
        .args(&AUDIT)
        .run();
    check(&finished, 1, &[]);
}

#[test]
fn a_path_may_hold_spaces_and_other_letters_and_signs() {
    let folder = fresh("paths").join("with spaces, ünïcödé 好 & a #sign 'quoted'");
    project(&folder, "");
    check(&Tool::bare(&folder).args(&AUDIT).run(), 1, &[]);
}

#[test]
fn long_paths_are_no_matter_of_sockets() {
    // A socket's path may have 108 bytes.
    let folder = fresh("long").join("a".repeat(200));
    let temporary = folder.join("b".repeat(120));
    project(&folder, "");
    fs_err::create_dir_all(&temporary).expect("a scratch folder can be made");
    let finished = Tool::bare(&folder).args(&AUDIT).env("TMPDIR", &temporary).run();
    check(&finished, 1, &[]);
    let left = fs_err::read_dir(&temporary).expect("it was made").count();
    assert_eq!(left, 0, "nothing is left in the temporary folder");
}

#[test]
fn a_dependency_from_git_is_audited() {
    let folder = fresh("git");
    let source = folder.join("source");
    project(&source, "");
    for arguments in [
        &["init", "-q"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "a"],
    ] {
        run(Command::new("git").args(arguments).current_dir(&source));
    }
    let user = folder.join("user");
    fs_err::create_dir_all(user.join("src")).expect("a scratch folder can be made");
    let manifest = format!(
        "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\ncrossing = {{ git = \"file://{}\" }}\n",
        source.display()
    );
    fs_err::write(user.join("Cargo.toml"), manifest).expect("a scratch file can be written");
    fs_err::write(user.join("src/lib.rs"), "#[test]\nfn crosses() {\n    crossing::cross();\n}\n")
        .expect("a scratch file can be written");
    // It is not the project's own code, unless the user says so.
    let tool = || Tool::bare(&user).args(&AUDIT).env("CARGO_HOME", folder.join("home"));
    check(&tool().args(&["--first-party", "crossing"]).run(), 1, &[]);
}

#[test]
fn a_wrapper_of_the_workspace_is_called_for_members_with_all_that_they_get() {
    let folder = fresh("workspace-wrapper");
    project(&folder.join("project"), "[dependencies]\nscopeguard = \"1\"\n");
    let (wrapper, log) = (folder.join("wrapper"), folder.join("log"));
    script(&wrapper, &format!("#!/bin/sh\necho \"$@\" >>'{}'\nexec \"$@\"\n", log.display()));
    let finished = Tool::bare(&folder.join("project"))
        .args(&AUDIT)
        .env("RUSTC_WORKSPACE_WRAPPER", &wrapper)
        .run();
    check(&finished, 1, &[]);
    let log = fs_err::read_to_string(log).expect("it was called");
    let compiles = |name: &str| log.lines().any(|line| line.contains(name));
    assert!(compiles("--crate-name crossing") && !compiles("--crate-name scopeguard"), "{log}");
}

/// As sccache does it: what comes out is kept by the arguments, and copied from there
/// the next time.
const CACHING: &str = r#"#!/bin/bash
out='' name='' extra='' previous=''
for argument in "$@"; do
    case $previous in --out-dir) out=$argument ;; --crate-name) name=$argument ;; esac
    case $argument in extra-filename=*) extra=${argument#*=} ;; esac
    previous=$argument
done
[[ -n $out && -n $name && -n $extra ]] || exec "$@"
kept=$CACHE/$(printf '%s\0' "$@" | sha256sum | cut -d' ' -f1)
if [[ -d $kept ]]; then
    echo "$name" >>"$CACHE/hits"
    cp "$kept"/files/* "$out"
    cat "$kept/said" >&2
    exit 0
fi
mkdir -p "$kept.new/files"
"$@" 2>"$kept.new/said" || { code=$?; cat "$kept.new/said" >&2; rm -r "$kept.new"; exit $code; }
cat "$kept.new/said" >&2
cp "$out"/*"$name$extra"* "$kept.new/files" && mv "$kept.new" "$kept"
"#;

#[test]
fn a_wrapper_that_caches_gives_the_same_audit_again() {
    let folder = fresh("caching");
    let (project_folder, cache) = (folder.join("project"), folder.join("cache"));
    project(&project_folder, "[dependencies]\nparking_lot = \"0.12\"\n");
    fs_err::create_dir_all(&cache).expect("a scratch folder can be made");
    let wrapper = folder.join("wrapper");
    script(&wrapper, CACHING);
    let audit = || {
        let tool = Tool::bare(&project_folder).args(&AUDIT);
        let finished = tool.env("RUSTC_WRAPPER", &wrapper).env("CACHE", &cache).run();
        check(&finished, 1, &[])
    };
    let first = audit();
    let is_seen = |name: &str| first.coverage.instrumented.iter().any(|it| it.starts_with(name));
    assert!(is_seen("parking_lot") && is_seen("std"), "{:#?}", first.coverage);
    fs_err::remove_dir_all(project_folder.join("target")).expect("it was built there");
    let second = audit();
    let hits = fs_err::read_to_string(cache.join("hits")).expect("something was cached");
    for name in ["crossing", "parking_lot", "lock_api"] {
        assert!(hits.lines().any(|hit| hit == name), "{name}: {hits}");
    }
    assert_eq!(first.coverage.instrumented, second.coverage.instrumented);
    assert_eq!(first.coverage.not_instrumented, second.coverage.not_instrumented);
}

#[test]
fn a_toolchain_file_is_heeded_a_nightly_one_too() {
    let installed = Command::new("rustup").args(["toolchain", "list"]).output();
    let installed = installed.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    let installed = installed.unwrap_or_default();
    // What a machine has differs.
    let Some(nightly) = installed.lines().find(|it| it.starts_with("nightly")) else { return };
    let nightly = nightly.split(' ').next().expect("a word at least");
    let folder = fresh("toolchain");
    project(&folder, "");
    let text = format!("[toolchain]\nchannel = \"{nightly}\"\n");
    fs_err::write(folder.join("rust-toolchain.toml"), text).expect("a scratch file");
    let library = folder.join("src/lib.rs");
    let code = fs_err::read_to_string(&library).expect("it was copied");
    fs_err::write(library, format!("#![feature(test)]\n{code}")).expect("a scratch file");
    let tool = Tool::bare(&folder).args(&AUDIT);
    check(&tool.without("RUSTUP_TOOLCHAIN").run(), 1, &[]);
}

#[test]
fn tests_of_a_target_run_under_its_runner() {
    let folder = fresh("runner");
    project(&folder.join("project"), "");
    let (runner, log) = (folder.join("runner"), folder.join("log"));
    script(&runner, &format!("#!/bin/sh\necho \"$@\" >>'{}'\nexec \"$@\"\n", log.display()));
    let said = run(Command::new("rustc").arg("-vV"));
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).expect("it says so");
    let variable = format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace(['-', '.'], "_"));
    let finished = Tool::bare(&folder.join("project"))
        .args(&["--target", host])
        .args(&AUDIT)
        .env(&variable, &runner)
        .run();
    check(&finished, 1, &[]);
    let log = fs_err::read_to_string(log).expect("it was called");
    assert!(log.lines().any(|line| line.contains("a_plain_crate_is_audited")), "{log}");
}
