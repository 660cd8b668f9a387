//! What compiles with `std` compiles with the facade before it, and does the same;
//! what does not, does not, for the same reason.
//!
//! Each file of `pass/` is compiled with the plain `std` and with the facade, in the
//! editions that its first line names, and run: plain, with the facade, and with the
//! facade while the probe observes. All of them print the same, and the facade adds no
//! warning. Each file of `fail/` is compiled both ways, and the errors are those that
//! its `//~` markers name. Some need a crate of `aux/`.

mod compile;
mod facade;

use std::{collections::BTreeSet, path::PathBuf};

use compile::{Case, Std};

/// Where the cases are.
fn folder(kind: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "facade", kind].iter().collect()
}

fn passes(name: &str) {
    let case = Case::read(&folder("pass").join(format!("{name}.rs")));
    for edition in case.editions() {
        let plain = case.compile(Std::Plain, edition);
        let facade = case.compile(Std::Facade, edition);
        assert!(plain.success(), "does not compile with std itself, edition {edition}\n{plain}");
        assert!(facade.success(), "does not compile with the facade, edition {edition}\n{facade}");
        let known = plain.diagnostics("warning");
        let warnings = facade.diagnostics("warning");
        assert!(
            warnings.is_subset(&known),
            "the facade adds warnings: {:?}\n{facade}",
            warnings.difference(&known).collect::<Vec<_>>()
        );
        let expected = plain.run(false);
        assert_eq!(expected.code, Some(0), "fails with std itself\n{expected}");
        for is_observed in [false, true] {
            let got = facade.run(is_observed);
            assert!(
                got.code == expected.code && got.stdout == expected.stdout,
                "edition {edition}, observed: {is_observed}\n--- with std\n{expected}\n\
                 --- with the facade\n{got}"
            );
        }
    }
}

fn fails(name: &str) {
    let case = Case::read(&folder("fail").join(format!("{name}.rs")));
    let expected = case.markers();
    assert!(!expected.is_empty(), "nothing is marked");
    for edition in case.editions() {
        for std in [Std::Plain, Std::Facade] {
            let compiled = case.compile(std, edition);
            let errors = compiled.diagnostics("error");
            assert_eq!(errors, expected, "{std:?}, edition {edition}\n{compiled}");
        }
    }
}

macro_rules! cases {
    ($folder:literal, $check:ident: $($name:ident)*) => {
        pub mod $check {
            $(#[test] fn $name() { super::$check(stringify!($name)); })*

            #[test]
            fn every_file_is_a_case() {
                super::assert_cases($folder, &[$(stringify!($name)),*]);
            }
        }
    };
}

fn assert_cases(kind: &str, names: &[&str]) {
    let found: BTreeSet<String> = fs_err::read_dir(folder(kind))
        .expect("the folder is there")
        .map(|entry| entry.expect("can be listed").path())
        .map(|path| path.file_stem().expect("has a name").to_string_lossy().into_owned())
        .collect();
    let listed = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, listed);
}

cases! { "pass", passes:
    auto_traits
    barriers
    channels
    condvars
    constants
    derives
    drop_check
    editions
    extension_traits
    formatting
    function_values
    globs
    lock_results
    macros_of_std
    no_std
    once_cells
    poisoning
    read_write_locks
    scoped_threads
    statics
    third_crates
    threads
    unsizing
    user_types
    variance
}

cases! { "fail", fails:
    borrows
    clones
    coherence
    constants
    deprecated
    drop_check
    impls
    invariance
    must_use
    names
    private
    scopes
    send
    sync
    threads
    types
    unstable
    unwind_safe
}
