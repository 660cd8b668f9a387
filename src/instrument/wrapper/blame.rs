//! After a failure: whose fault is it?
//!
//! A crate that does not compile with the facades is compiled once more without
//! them. Where that succeeds, its own locks are not seen, and that is all. Where
//! it does not, the error is the user's, unless the two attempts complain of
//! different things: then the crate meets types of the facades that another
//! crate has in its interface, and only a build without the facade will do.

use super::{compile::CompileError, plan::Plan, state::State};
use crate::instrument::locks::Facade;

/// What to leave out when a crate is compiled once more: each element is an
/// attempt. Empty where nothing of ours was applied.
pub fn attempts(plan: &Plan) -> Vec<Vec<Facade>> {
    let all: Vec<Facade> = plan.applied.iter().copied().collect();
    match all.as_slice() {
        [] => Vec::new(),
        // tokio's tasks are worth more than the lock of `watch`.
        [Facade::Tokio, Facade::StdInTokio] => vec![vec![Facade::StdInTokio], all],
        _ => vec![all],
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
    let mentions =
        |name: &str| with.iter().chain(without).any(|error| error.rendered.contains(name));
    let names_locks = mentions("lock_api") || mentions("parking_lot");
    // A crate that others compile every day, or types that we have a hand in.
    if is_the_same && !plan.is_foreign && !names_locks && !mentions("concaudit") {
        return Vec::new();
    }
    let groups = [&[Facade::ParkingLot, Facade::LockApi][..], &[Facade::Std, Facade::StdInTokio]];
    let chosen = if names_locks && groups[0].iter().any(|facade| state.uses(*facade)) {
        groups[0]
    } else {
        groups[1]
    };
    chosen.iter().copied().filter(|facade| state.uses(*facade)).collect()
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
            "--crate-name {name} {more} --out-dir /p/target/concaudit/k/x \
             --target x86_64-unknown-linux-gnu"
        );
        let args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        let package = Package { name: name.into(), version: version.into() };
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
        assert!(suspects(&mine, &state(), &[error(1, "x")], &[error(1, "y")]).is_empty());
    }

    #[test]
    fn another_error_or_a_crate_of_others_makes_the_facades_suspicious() {
        let std = [Facade::Std, Facade::StdInTokio];
        let mine = plan_of("a", "0.1.0", "");
        assert_eq!(suspects(&mine, &state(), &[error(1, "")], &[error(2, "")]), std);
        let theirs = plan_of("a", "0.1.0", "--cap-lints allow");
        assert_eq!(suspects(&theirs, &state(), &[error(1, "")], &[error(1, "")]), std);
        // They were in use in vain: nothing is left to do without.
        let without = state().without(&std);
        assert!(suspects(&theirs, &without, &[error(1, "")], &[error(1, "")]).is_empty());
    }

    #[test]
    fn the_types_that_an_error_names_tell_which_facade_it_is() {
        let mine = plan_of("a", "0.1.0", "");
        let said = [error(1, "expected `lock_api::Mutex<_, _>`")];
        let locks = [Facade::ParkingLot, Facade::LockApi];
        assert_eq!(suspects(&mine, &state(), &said, &said), locks);
        let without = state().without(&locks);
        assert_eq!(suspects(&mine, &without, &said, &said), [Facade::Std, Facade::StdInTokio]);
    }

    #[test]
    fn tokio_keeps_its_tasks_where_the_facade_for_std_alone_is_at_fault() {
        assert_eq!(
            attempts(&plan_of("tokio", "1.54.1", "")),
            [vec![Facade::StdInTokio], vec![Facade::Tokio, Facade::StdInTokio]]
        );
        assert_eq!(attempts(&plan_of("a", "1.0.0", "")), [vec![Facade::Std]]);
        assert!(attempts(&plan_of("parking_lot", "0.12.0", "")).is_empty());
    }
}
