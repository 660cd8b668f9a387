//! After a failure: whose fault is it?
//!
//! A crate that does not compile with the facades is compiled once more without
//! them. Where that succeeds, its own locks are not seen, and that is all. Where
//! it does not, an error that both attempts have and that has nothing to do with
//! locks is the user's. Otherwise the crate meets types of the facades that another
//! crate has in its interface: these crates have to do without it together, and who
//! they are is found by what the errors point at.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{
    arguments::{Argument, each, extern_name, extern_path},
    compile::CompileError,
    plan::Plan,
    state::{State, Without},
};
use crate::instrument::locks::{Facade, Facades};

/// What errors name where types of the facades are involved.
const OURS: [&str; 2] = ["concaudit_", "Tracked<"];
/// What they name where those of `parking_lot` and `lock_api` may be.
const LOCKS: [&str; 3] = ["lock_api", "parking_lot", "Tracked<"];
/// What they name where a type may be of a facade.
const OF_FACADES: [&str; 8] =
    ["Mutex", "RwLock", "Condvar", "Barrier", "JoinHandle", "Guard", "mpsc", "thread"];
/// Names that do not resolve are nowhere, with or without a facade.
const UNRESOLVED: [&str; 9] =
    ["E0405", "E0407", "E0412", "E0422", "E0423", "E0424", "E0425", "E0432", "E0433"];
/// Values that are computed by the compiler, and sizes that it compares.
const COMPUTED: [&str; 2] = ["E0080", "E0512"];
/// What an error names where the size of an array is not the expected one.
const ARRAY: &str = "array with";
/// How an error of the linker begins. It has no place.
const LINKING: &str = "linking with";

fn is_of_linker(error: &CompileError) -> bool {
    error.message.starts_with(LINKING)
}

fn mentions(error: &CompileError, names: &[&str]) -> bool {
    // The linker's command line names all that is linked.
    !is_of_linker(error) && names.iter().any(|name| error.rendered.contains(name))
}

/// Whether two attempts complain of the same: a type has another name with a facade, but
/// the same place.
pub fn is_same(error: &CompileError, other: &CompileError) -> bool {
    (&error.code, &error.place) == (&other.code, &other.place)
        && is_of_linker(error) == is_of_linker(other)
}

/// Whether they are lints alone, which the crate denies.
pub fn are_lints(errors: &[CompileError]) -> bool {
    // The last one, without a place, counts the others.
    let mut placed = errors.iter().filter(|error| error.place.is_some()).peekable();
    let is_lint = |code: &str| code.starts_with(|first: char| first.is_ascii_lowercase());
    placed.peek().is_some() && placed.all(|error| error.code.as_deref().is_some_and(is_lint))
}

/// What to leave out when a crate is compiled once more: each element is an
/// attempt. Empty where nothing of ours was applied.
pub fn attempts(plan: &Plan, errors: &[CompileError]) -> Vec<Facades> {
    let server = Facades::from([Facade::Server]);
    if plan.applied.contains(&Facade::Server) && errors.iter().any(is_of_linker) {
        return vec![server];
    }
    let all = &plan.applied - &server;
    let facades: Vec<Facade> = all.iter().copied().collect();
    match facades.as_slice() {
        [] => Vec::new(),
        // tokio's tasks are worth more than the lock of `watch`.
        [Facade::Tokio, Facade::StdInTokio] => vec![Facades::from([Facade::StdInTokio]), all],
        [_] => vec![all],
        // What stays is worth the attempts; most of all the facade for std.
        _ => facades.iter().rev().map(|one| Facades::from([*one])).chain([all]).collect(),
    }
}

/// Whose an error is, as far as it and its twin in the attempt without the facades tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The user's: it is there without the facades, and has nothing to do with them.
    Users,
    /// It is there without the facades, about types that std has, too: used in a wrong way,
    /// or crossing from another crate.
    Either,
    /// It takes a facade: in this crate, or in another.
    Facades,
}

fn judge(error: &CompileError, without: &[CompileError]) -> Verdict {
    let Some(twin) = without.iter().find(|other| is_same(error, other)) else {
        return Verdict::Facades;
    };
    if error.code.as_deref().is_some_and(|code| UNRESOLVED.contains(&code)) {
        Verdict::Users
    } else if is_about_sizes(error) || crosses(twin) {
        Verdict::Facades
    } else if [error, twin].iter().any(|it| mentions(it, &OURS) || mentions(it, &OF_FACADES)) {
        Verdict::Either
    } else {
        Verdict::Users
    }
}

/// Whether it is about a size: that of a type is another with a facade.
fn is_about_sizes(error: &CompileError) -> bool {
    error.code.as_deref().is_some_and(|code| COMPUTED.contains(&code)) || mentions(error, &[ARRAY])
}

/// Whether an error of the attempt without the facades comes from what other crates have
/// of them.
fn crosses(error: &CompileError) -> bool {
    is_about_sizes(error) || mentions(error, &OURS)
}

/// Whether the error is the user's own, given what the compiler said of a crate with
/// the facades that apply to it and without them.
pub fn is_users(with: &[CompileError], without: &[CompileError]) -> bool {
    let has_place = |error: &&CompileError| error.place.is_some() || is_of_linker(error);
    let verdicts: Vec<Verdict> =
        with.iter().filter(has_place).map(|error| judge(error, without)).collect();
    verdicts.contains(&Verdict::Users)
        || (!verdicts.contains(&Verdict::Facades) && !without.iter().any(crosses))
}

/// The facades that others have to do without, too. Empty where that is nothing.
pub fn suspects(
    plan: &Plan,
    state: &State,
    with: &[CompileError],
    without: &[CompileError],
) -> Facades {
    let of_use = |facades: &[Facade]| -> Facades {
        facades.iter().copied().filter(|facade| state.uses(*facade)).collect()
    };
    let of_tokio = [Facade::Tokio, Facade::StdInTokio];
    if of_tokio.iter().any(|facade| plan.applied.contains(facade)) {
        return of_use(&of_tokio);
    }
    let names_locks = with.iter().chain(without).any(|error| mentions(error, &LOCKS));
    let of_locks = of_use(&[Facade::ParkingLot, Facade::LockApi]);
    if names_locks && !of_locks.is_empty() { of_locks } else { of_use(&[Facade::Std]) }
}

/// The crate's own package alone.
pub fn itself(plan: &Plan, facades: &Facades) -> Vec<Without> {
    let name = plan.title.split(' ').next().unwrap_or_default().to_owned();
    let reason = "does not compile with it".to_owned();
    vec![Without { root: plan.root.clone(), name, facades: facades.clone(), reason }]
}

/// The packages between which types of these facades cross, the crate's own among them,
/// given the errors of the attempt without. Empty where none can be named that has the
/// facade still, so that the build has to do without as a whole.
pub fn between(
    plan: &Plan,
    state: &State,
    facades: &Facades,
    errors: &[CompileError],
) -> Vec<Without> {
    // tokio is one crate, whose types many have in their interface.
    if facades.contains(&Facade::Tokio) {
        return Vec::new();
    }
    let has_facade = |(root, _): &(Utf8PathBuf, String)| {
        *root != plan.root
            && !root.starts_with(&state.sources)
            && state.without_in(root).is_none_or(|it| !it.facades.is_superset(facades))
    };
    let pointed_at = errors.iter().flat_map(|error| &error.files).filter_map(|file| {
        let folder = std::env::current_dir().ok()?;
        package_of(&Utf8PathBuf::from_path_buf(folder).ok()?.join(file))
    });
    let mut others: Vec<_> = pointed_at.filter(has_facade).collect();
    if others.is_empty() {
        let dependencies = dependencies(plan);
        let is_named = |name: &str| {
            let path = format!("{name}::");
            errors.iter().any(|error| error.rendered.contains(&path))
        };
        let named = dependencies.iter().filter(|(name, _)| is_named(name));
        others = named.map(|(_, package)| package.clone()).filter(has_facade).collect();
        if others.is_empty() {
            others =
                dependencies.into_iter().map(|(_, package)| package).filter(has_facade).collect();
        }
    }
    if others.is_empty() {
        return Vec::new();
    }
    let reason = format!("has types in its interface that {} uses, and that", plan.title);
    let others = others.into_iter().map(|(root, name)| {
        let reason = format!("{reason} does not compile with them");
        Without { root, name, facades: facades.clone(), reason }
    });
    let mut packages: Vec<Without> = others.chain(itself(plan, facades)).collect();
    packages.sort();
    packages.dedup();
    packages
}

/// The package that a file belongs to: the folder of its manifest, and its name. Those of
/// std and of the probe are not where they were compiled.
fn package_of(file: &Utf8Path) -> Option<(Utf8PathBuf, String)> {
    if !file.is_file() {
        return None;
    }
    file.ancestors().skip(1).find_map(|folder| {
        let manifest: toml::Table =
            fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
        let name = manifest.get("package")?.get("name")?.as_str()?;
        Some((folder.to_owned(), name.to_owned()))
    })
}

/// The crates that this one names, with their packages.
fn dependencies(plan: &Plan) -> Vec<(String, (Utf8PathBuf, String))> {
    let of = |value: &str| {
        let library = Utf8Path::new(extern_path(value)?);
        let stem = library.file_stem()?;
        let stem = stem.strip_prefix("lib").unwrap_or(stem);
        // Cargo has rustc write beside each library what it was made from.
        let list = fs::read_to_string(library.with_file_name(format!("{stem}.d"))).ok()?;
        let (_, sources) = list.lines().next()?.split_once(": ")?;
        let sources = sources.replace("\\ ", "\0");
        let source = sources.split(' ').next()?.replace('\0', " ");
        let folder = Utf8PathBuf::from_path_buf(std::env::current_dir().ok()?).ok()?;
        Some((extern_name(value).to_owned(), package_of(&folder.join(source))?))
    };
    each(&plan.args)
        .filter_map(|(argument, _)| match argument {
            Argument::Extern(value) => of(value),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{
        super::{
            plan::{Package, plan},
            state::tests::state,
        },
        *,
    };

    fn plan_of(name: &str, version: &str, more: &str) -> Plan {
        let args = format!(
            "--crate-name {name} --crate-type lib {more} --json=artifacts \
             --out-dir /p/target/concaudit/k/x/debug/deps --target x86_64-unknown-linux-gnu"
        );
        let args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        let package = Package {
            name: name.into(),
            version: version.into(),
            root: "/p".into(),
            out_dir: None,
        };
        plan(&args, &package, &state(), &Facades::new(), &|_| false).unwrap()
    }

    fn error(code: &str, line: u64, rendered: &str) -> CompileError {
        CompileError {
            message: "it does not compile".into(),
            code: Some(code.into()),
            place: Some(("src/lib.rs".into(), line, 1)),
            files: Vec::new(),
            line: Vec::new(),
            rendered: rendered.into(),
        }
    }

    fn of_linker() -> CompileError {
        CompileError {
            message: "linking with `cc` failed: exit status: 1".into(),
            code: None,
            place: None,
            files: Vec::new(),
            line: Vec::new(),
            rendered: "cc /cache/deps/libconcaudit_core-1.rlib".into(),
        }
    }

    #[test]
    fn the_same_error_without_the_facades_is_the_users() {
        let with = [error("E0308", 1, "expected `String`, found `concaudit_std::sync::Mutex`")];
        assert!(is_users(&with, &[error("E0308", 1, "found `Mutex`")]));
        let said = [error("E0308", 1, "expected `u8`, found `&str`")];
        assert!(is_users(&said, &said));
        assert!(is_users(&[of_linker()], &[of_linker()]));
    }

    #[test]
    fn an_error_of_the_users_is_theirs_though_types_cross_beside_it() {
        let nope = error("E0425", 1, "cannot find function `nope`: nope(Mutex::new(1))");
        let crossing = error("E0308", 2, "found `concaudit_std::sync::Mutex`");
        assert!(is_users(std::slice::from_ref(&nope), &[nope.clone(), crossing]));
    }

    #[test]
    fn other_errors_and_sizes_make_the_facade_suspicious() {
        assert!(!is_users(&[error("E0308", 1, "")], &[error("E0308", 2, "")]));
        let ours = [error("E0308", 1, "found `concaudit_std::sync::Mutex`")];
        assert!(!is_users(&ours, &ours));
        let size = error("E0308", 1, "expected an array with a size of 24, found one of 16");
        let crossing = error("E0308", 2, "found `concaudit_std::sync::Mutex`");
        assert!(!is_users(std::slice::from_ref(&size), &[size.clone(), crossing]));
        let theirs = plan_of("a", "0.1.0", "--cap-lints allow");
        assert_eq!(suspects(&theirs, &state(), &ours, &ours), Facades::from([Facade::Std]));
        // It was left out in vain: nothing remains to do without.
        assert!(suspects(&theirs, &state().without(&[Facade::Std]), &ours, &ours).is_empty());
    }

    #[test]
    fn the_types_that_an_error_names_tell_which_facade_it_is() {
        let mine = plan_of("a", "0.1.0", "");
        let said = [error("E0308", 1, "expected `lock_api::Mutex<Tracked<_>, _>`")];
        let locks = [Facade::ParkingLot, Facade::LockApi];
        assert_eq!(suspects(&mine, &state(), &said, &said), Facades::from(locks));
        let without = state().without(&locks);
        assert_eq!(suspects(&mine, &without, &said, &said), Facades::from([Facade::Std]));
        let tokio = plan_of("tokio", "1.54.1", "--cap-lints allow");
        let of_tokio = Facades::from([Facade::Tokio, Facade::StdInTokio]);
        assert_eq!(suspects(&tokio, &state(), &said, &said), of_tokio);
    }

    #[test]
    fn tokio_keeps_its_tasks_where_the_facade_for_std_alone_is_at_fault() {
        let of = |plan: &Plan| -> Vec<Vec<Facade>> {
            attempts(plan, &[]).into_iter().map(|it| it.into_iter().collect()).collect()
        };
        assert_eq!(
            of(&plan_of("tokio", "1.54.1", "")),
            [vec![Facade::StdInTokio], vec![Facade::Tokio, Facade::StdInTokio]]
        );
        assert_eq!(of(&plan_of("a", "1.0.0", "")), [vec![Facade::Std]]);
        let mut both = plan_of("a", "1.0.0", "");
        both.applied.insert(Facade::LockApi);
        let (std, lock_api) = (Facade::Std, Facade::LockApi);
        assert_eq!(of(&both), [vec![lock_api], vec![std], vec![std, lock_api]]);
        assert!(of(&plan_of("parking_lot", "0.12.0", "")).is_empty());
    }

    #[test]
    fn lints_are_told_from_errors() {
        let lint = || error("unused_extern_crates", 1, "");
        let count = || CompileError { code: None, place: None, ..error("", 1, "") };
        assert!(are_lints(&[lint(), count()]));
        assert!(!are_lints(&[lint(), error("E0308", 2, "")]));
        assert!(!are_lints(&[count()]) && !are_lints(&[of_linker()]));
    }

    #[test]
    fn what_does_not_link_is_tried_without_the_server_alone() {
        let program = plan_of("a", "1.0.0", "--test");
        assert_eq!(attempts(&program, &[of_linker()]), [Facades::from([Facade::Server])]);
        assert_eq!(attempts(&program, &[]), [Facades::from([Facade::Std])]);
    }

    #[test]
    fn the_package_of_a_file_is_the_nearest_manifest_that_names_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().join("a")).unwrap();
        fs::create_dir_all(root.join("src")).unwrap();
        fs::write(root.join("Cargo.toml"), "[package]\nname = \"a\"\n").unwrap();
        fs::write(root.join("src/Cargo.toml"), "[workspace]\n").unwrap();
        fs::write(root.join("src/lib.rs"), "").unwrap();
        assert_eq!(package_of(&root.join("src/gone.rs")), None);
        let package = package_of(&root.join("src/lib.rs"));
        assert_eq!(package, Some((root, "a".into())));
    }
}
