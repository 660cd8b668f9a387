//! After a failure: whose fault is it?
//!
//! A crate that does not compile with the facades is compiled once more without
//! them. Where that succeeds, its own locks are not seen, and that is all. Where
//! it does not, the error is the user's, unless the two attempts complain of
//! different things: then the crate meets types of the facades that another
//! crate has in its interface, and only a build without the facade will do.

use super::{compile::CompileError, plan::Plan, state::State};
use crate::instrument::locks::Facade;

/// What errors name where types of the facades are involved.
const OURS: [&str; 2] = ["concaudit_", "Labelled<"];
/// What they name where those of `parking_lot` and `lock_api` may be.
const LOCKS: [&str; 3] = ["lock_api", "parking_lot", "Labelled<"];

/// What to leave out when a crate is compiled once more: each element is an
/// attempt. Empty where nothing of ours was applied.
pub fn attempts(plan: &Plan) -> Vec<Vec<Facade>> {
    let all: Vec<Facade> = plan.applied.iter().copied().collect();
    match all.as_slice() {
        [] => Vec::new(),
        // tokio's tasks are worth more than the lock of `watch`.
        [Facade::Tokio, Facade::StdInTokio] => vec![vec![Facade::StdInTokio], all],
        [_] => vec![all],
        // What stays is worth the attempts; most of all the facade for std.
        _ => all.iter().rev().map(|one| vec![*one]).chain([all.clone()]).collect(),
    }
}

/// The facades to do without in the whole build, given what the compiler said
/// of a crate with the facades that apply to it and without them. Empty where
/// the error is the user's own.
pub fn suspects(
    plan: &Plan,
    state: &State,
    with: &[CompileError],
    without: &[CompileError],
) -> Vec<Facade> {
    let is_in = |error: &CompileError, errors: &[CompileError]| {
        // Types are called differently with a facade.
        errors.iter().any(|other| (&error.code, &error.place) == (&other.code, &other.place))
    };
    let is_the_same = !with.is_empty() && with.iter().all(|error| is_in(error, without));
    let mentions = |errors: &[CompileError], name: &str| {
        errors.iter().any(|error| error.rendered.contains(name))
    };
    // Types that we have a hand in, in a crate that we had no hand in.
    let names_ours = OURS.iter().any(|name| mentions(without, name));
    if is_the_same && !plan.is_foreign && !names_ours {
        return Vec::new();
    }
    let of_use = |facades: &[Facade]| -> Vec<Facade> {
        facades.iter().copied().filter(|facade| state.uses(*facade)).collect()
    };
    let of_tokio = [Facade::Tokio, Facade::StdInTokio];
    if of_tokio.iter().any(|facade| plan.applied.contains(facade)) {
        return of_use(&of_tokio);
    }
    let names_locks = LOCKS.iter().any(|name| mentions(with, name) || mentions(without, name));
    let of_locks = of_use(&[Facade::ParkingLot, Facade::LockApi]);
    if names_locks && !of_locks.is_empty() { of_locks } else { of_use(&[Facade::Std]) }
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
            "--crate-name {name} {more} --out-dir /p/target/concaudit/k/x/debug/deps \
             --target x86_64-unknown-linux-gnu --json=artifacts"
        );
        let args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        let package = Package { name: name.into(), version: version.into(), out_dir: None };
        plan(&args, &package, &state(), &|_| false).unwrap()
    }

    fn error(line: u64, rendered: &str) -> CompileError {
        CompileError {
            message: "mismatched types".into(),
            code: Some("E0308".into()),
            place: Some(("src/lib.rs".into(), line, 1)),
            rendered: rendered.into(),
        }
    }

    #[test]
    fn the_same_error_without_the_facades_is_the_users() {
        let mine = plan_of("a", "0.1.0", "");
        let with = [error(1, "expected `String`, found `concaudit_std::sync::Mutex`")];
        assert!(suspects(&mine, &state(), &with, &[error(1, "found `Mutex`")]).is_empty());
    }

    #[test]
    fn another_error_or_a_crate_of_others_makes_the_facade_suspicious() {
        let mine = plan_of("a", "0.1.0", "");
        assert_eq!(suspects(&mine, &state(), &[error(1, "")], &[error(2, "")]), [Facade::Std]);
        let ours = [error(1, "found `concaudit_std::sync::Mutex`")];
        assert_eq!(suspects(&mine, &state(), &ours, &ours), [Facade::Std]);
        let theirs = plan_of("a", "0.1.0", "--cap-lints allow");
        let said = [error(1, "")];
        assert_eq!(suspects(&theirs, &state(), &said, &said), [Facade::Std]);
        // It was left out in vain: nothing remains to do without.
        assert!(suspects(&theirs, &state().without(&[Facade::Std]), &said, &said).is_empty());
    }

    #[test]
    fn the_types_that_an_error_names_tell_which_facade_it_is() {
        let mine = plan_of("a", "0.1.0", "");
        let said = [error(1, "expected `lock_api::Mutex<Labelled<_>, _>`")];
        let locks = [Facade::ParkingLot, Facade::LockApi];
        assert_eq!(suspects(&mine, &state(), &said, &said), locks);
        assert_eq!(suspects(&mine, &state().without(&locks), &said, &said), [Facade::Std]);
        let tokio = plan_of("tokio", "1.54.1", "--cap-lints allow");
        let of_tokio = [Facade::Tokio, Facade::StdInTokio];
        assert_eq!(suspects(&tokio, &state(), &said, &said), of_tokio);
    }

    #[test]
    fn tokio_keeps_its_tasks_where_the_facade_for_std_alone_is_at_fault() {
        assert_eq!(
            attempts(&plan_of("tokio", "1.54.1", "")),
            [vec![Facade::StdInTokio], vec![Facade::Tokio, Facade::StdInTokio]]
        );
        assert_eq!(attempts(&plan_of("a", "1.0.0", "")), [vec![Facade::Std]]);
        let mut both = plan_of("a", "1.0.0", "");
        both.applied.insert(Facade::LockApi);
        let (std, lock_api) = (Facade::Std, Facade::LockApi);
        assert_eq!(attempts(&both), [vec![lock_api], vec![std], vec![std, lock_api]]);
        assert!(attempts(&plan_of("parking_lot", "0.12.0", "")).is_empty());
    }
}
