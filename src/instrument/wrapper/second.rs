//! Facades that are compiled for each project, from the arguments of the crate
//! that they stand in for.
//!
//! `parking_lot` itself goes to the side, and its facade comes in its place, so
//! that whoever uses it finds the facade. `lock_api` stays where it is, for
//! `parking_lot` is built on it; its facade goes to the side, for crates with
//! raw locks of their own.

use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    arguments::{Argument, Change, rewrite},
    plan::Plan,
    state::State,
};

/// What the name of a real crate on the side ends in.
pub const REAL: &str = "-real";
/// What the name of a facade on the side ends in.
pub const FACADE: &str = "-facade";

/// In which edition the facades are written.
const EDITION: &str = "2024";

/// Whether there is a facade for this version of `parking_lot`.
pub fn parking_lot_is_supported(version: &str) -> bool {
    matches!(triple(version), Some((0, 11..=13, _)))
}

/// Whether there is a facade for this version of `lock_api`.
pub fn lock_api_is_supported(version: &str) -> bool {
    matches!(triple(version), Some((0, 4, 6..) | (0, 5, _)))
}

fn triple(version: &str) -> Option<(u64, u64, u64)> {
    let version = cargo_metadata::semver::Version::parse(version).ok()?;
    Some((version.major, version.minor, version.patch))
}

/// The library on the side that belongs to one of cargo's.
pub fn side_library(side: &Utf8Path, library: &Utf8Path, suffix: &str) -> Option<Utf8PathBuf> {
    Some(side.join(format!("{}{suffix}.rlib", library.file_stem()?)))
}

/// The library of a crate that `plan` compiles.
fn library(plan: &Plan, extension: &str) -> Utf8PathBuf {
    plan.out_dir.join(format!("lib{}.{extension}", plan.stem))
}

/// The arguments for the real `parking_lot`, on the side.
pub fn real_parking_lot(plan: &Plan, state: &State) -> Vec<OsString> {
    aside(&plan.args, state, REAL)
}

/// The arguments for the facade in place of `parking_lot`.
pub fn parking_lot_facade(plan: &Plan, state: &State) -> Option<Vec<OsString>> {
    let real = side_library(&state.side(), &library(plan, "rlib"), REAL)?;
    Some(facade(plan, &plan.args, state, "parking_lot", &real))
}

/// The arguments for the facade beside `lock_api`.
pub fn lock_api_facade(plan: &Plan, state: &State) -> Vec<OsString> {
    let args = aside(&plan.args, state, FACADE);
    facade(plan, &args, state, "lock_api", &library(plan, "rmeta"))
}

/// The same crate under another identity, in another folder.
fn aside(args: &[OsString], state: &State, suffix: &str) -> Vec<OsString> {
    let mut args = rewrite(args, |argument| match argument {
        Argument::OutDir(_) => {
            Change::Replace(vec!["--out-dir".into(), state.side().into_string()])
        }
        Argument::Codegen(option) => match option.split_once('=') {
            Some(("extra-filename", name)) => {
                Change::Replace(vec!["-C".into(), format!("extra-filename={name}{suffix}")])
            }
            Some(("incremental", _)) => Change::Drop,
            _ => Change::Keep,
        },
        _ => Change::Keep,
    });
    // It is mixed with cargo's.
    args.extend(["-C".into(), format!("metadata=concaudit{suffix}").into()]);
    args
}

/// Our source instead of the crate's. It is told the crate's minor version.
fn facade(
    plan: &Plan,
    args: &[OsString],
    state: &State,
    name: &str,
    real: &Utf8Path,
) -> Vec<OsString> {
    let source = state.sources.join("probe").join(name).join("src/lib.rs");
    let mut args = rewrite(args, |argument| match argument {
        Argument::Source => Change::Replace(vec![source.to_string()]),
        Argument::Edition => Change::Replace(vec![format!("--edition={EDITION}")]),
        Argument::CapLints => Change::Drop,
        _ => Change::Keep,
    });
    args.extend(["--cap-lints", "allow"].map(OsString::from));
    if let Some((major, minor, _)) = triple(&plan.version) {
        args.extend(["--cfg".into(), format!("concaudit_{name}=\"{major}.{minor}\"").into()]);
    }
    for (name, library) in [("real", real), ("concaudit_core", &state.libraries.core)] {
        args.extend(["--extern".into(), format!("{name}={library}").into()]);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            plan::{Package, plan},
            state::tests::state,
        },
        *,
    };
    use crate::instrument::locks::Facades;

    fn plan_of(name: &str, version: &str) -> Plan {
        let args = format!(
            "--crate-name {name} --edition=2021 /registry/src/lib.rs --cap-lints allow -C metadata=1 \
             -C extra-filename=-ab12 --extern dep=/t/libdep.rmeta --cfg feature=\"f\" \
             --out-dir /p/target/concaudit/k/x/debug/deps --target x86_64-unknown-linux-gnu \
             --json=artifacts"
        );
        let args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        let package = Package {
            name: name.into(),
            version: version.into(),
            root: "/registry".into(),
            out_dir: None,
        };
        plan(&args, &package, &state(), &Facades::new(), &|_| false).unwrap()
    }

    fn assert_has(args: &[OsString], wanted: &[&str], unwanted: &[&str]) {
        let args: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
        let args = format!("{} ", args.join(" "));
        for part in wanted {
            assert!(args.contains(&format!("{part} ")), "{part} in {args}");
        }
        for part in unwanted {
            assert!(!args.contains(part), "{part} in {args}");
        }
    }

    #[test]
    fn the_real_parking_lot_goes_to_the_side_under_another_identity() {
        assert_has(
            &real_parking_lot(&plan_of("parking_lot", "0.12.3"), &state()),
            &[
                "/registry/src/lib.rs",
                "-C metadata=1",
                "-C metadata=concaudit-real",
                "-C extra-filename=-ab12-real",
                "--out-dir /p/target/concaudit/k/beside",
                "--cfg feature=\"f\"",
            ],
            &["std=", "/debug/deps"],
        );
    }

    #[test]
    fn the_facade_takes_the_place_and_the_identity_of_parking_lot() {
        assert_has(
            &parking_lot_facade(&plan_of("parking_lot", "0.12.3"), &state()).unwrap(),
            &[
                "--crate-name parking_lot",
                "/cache/src/probe/parking_lot/src/lib.rs",
                "--edition=2024",
                "-C extra-filename=-ab12",
                "--out-dir /p/target/concaudit/k/x/debug/deps",
                "--extern real=/p/target/concaudit/k/beside/libparking_lot-ab12-real.rlib",
                "--extern concaudit_core=/cache/deps/libconcaudit_core-1.rlib",
                "--extern dep=/t/libdep.rmeta",
                "--cfg feature=\"f\"",
                "--cfg concaudit_parking_lot=\"0.12\"",
            ],
            &["/registry", "metadata=concaudit", "2021"],
        );
    }

    #[test]
    fn the_facade_for_lock_api_lies_on_the_side_and_has_the_real_one_from_its_place() {
        assert_has(
            &lock_api_facade(&plan_of("lock_api", "0.4.14"), &state()),
            &[
                "/cache/src/probe/lock_api/src/lib.rs",
                "-C metadata=concaudit-facade",
                "--cfg concaudit_lock_api=\"0.4\"",
                "-C extra-filename=-ab12-facade",
                "--out-dir /p/target/concaudit/k/beside",
                "--extern real=/p/target/concaudit/k/x/debug/deps/liblock_api-ab12.rmeta",
            ],
            &["/registry"],
        );
    }
}
