//! Which arguments a crate gets, and which facades apply to it.

use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    arguments::{Argument, Change, each, extern_name, extern_path, rewrite},
    notes, second,
    state::State,
};
use crate::instrument::locks::{Facade, Facades};

/// Debug info with lines and the full names of functions.
const LIMITED: &str = "limited";

/// The oldest minor version of tokio 1 that tells of tasks and locks.
const OLDEST_TOKIO: u64 = 20;

/// From this minor version of tokio 1 on, the feature `parking_lot` decides which
/// locks tokio uses, and nothing else; before it, `const_new` and its like exist
/// with the feature only.
const TOKIO_PARKING_LOT_IS_INTERNAL_SINCE: u64 = 30;

/// What the facades are made from, and those of their own kind: they see the
/// real `std`.
const UNDERNEATH: [&str; 3] = ["parking_lot", "parking_lot_core", "lock_api"];

/// The package that is compiled, as cargo names it in the environment.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The folder of its manifest.
    pub root: Utf8PathBuf,
    /// Where its build script writes, if it has one.
    pub out_dir: Option<Utf8PathBuf>,
}

/// How a crate of the target is compiled.
#[derive(Debug)]
pub struct Plan {
    /// What rustc gets.
    pub args: Vec<OsString>,
    /// Its file name without `lib` and extension: `tokio-0123456789abcdef`.
    pub stem: String,
    /// For people: `tokio 1.54.1`.
    pub title: String,
    /// The package's.
    pub version: String,
    /// Where its files go.
    pub out_dir: Utf8PathBuf,
    /// The folder of its package.
    pub root: Utf8PathBuf,
    /// What of ours it is compiled against.
    pub applied: Facades,
    /// What else is compiled.
    pub role: Role,
}

impl Plan {
    /// Whether the crate has locks of its own, that are seen.
    pub fn shows_locks(&self) -> bool {
        self.role == Role::ParkingLot
            || self.applied.contains(&Facade::Tokio)
            || self.applied.contains(&Facade::LockApi)
    }
}

/// What is compiled besides the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Ordinary,
    /// It goes to the side; in its place comes a facade.
    ParkingLot,
    /// A facade, to the side.
    LockApi,
}

/// The last value of each argument that matters here.
#[derive(Debug, Default)]
struct Given<'a> {
    target: Option<&'a str>,
    out_dir: Option<&'a str>,
    crate_name: Option<&'a str>,
    extra_filename: &'a str,
    debuginfo: &'a str,
    is_dependency: bool,
    has_std: bool,
    has_parking_lot: bool,
    is_test: bool,
    announces_artifacts: bool,
    crate_types: Vec<&'a str>,
}

impl<'a> Given<'a> {
    /// Whether the result can be started. Where cargo names no type, as for tests without
    /// a harness, rustc makes a program.
    fn is_program(&self) -> bool {
        self.is_test || self.crate_types.is_empty() || self.crate_types.contains(&"bin")
    }

    /// The level of debug info to compile with, where it is not the one that was given.
    ///
    /// Stacks need lines, and waits, time limits and branches are known by the names of
    /// functions, of which those that were inlined have a path from `limited` on. What `full`
    /// adds are variables and types: nobody asks for those of a dependency, and without them
    /// it is compiled and linked so much faster as to pay for what is added.
    fn debuginfo_instead(&self) -> Option<&'static str> {
        match self.debuginfo {
            "2" | "full" => self.is_dependency.then_some(LIMITED),
            "1" | "limited" => None,
            _ => Some(LIMITED),
        }
    }

    /// `None` for a question to rustc.
    fn read(args: &'a [OsString]) -> Option<Self> {
        let mut given = Self::default();
        for (argument, _) in each(args) {
            match argument {
                Argument::Codegen(option) => match option.split_once('=').unwrap_or((option, "")) {
                    ("extra-filename", value) => given.extra_filename = value,
                    ("debuginfo", value) => given.debuginfo = value,
                    _ => {}
                },
                Argument::Extern(value) => match extern_name(value) {
                    "std" => given.has_std = true,
                    "parking_lot" => given.has_parking_lot = true,
                    _ => {}
                },
                Argument::Target(value) => given.target = Some(value),
                Argument::OutDir(value) => given.out_dir = Some(value),
                Argument::CrateName(value) => given.crate_name = Some(value),
                Argument::CrateType(value) => given.crate_types.push(value),
                // Cargo caps the lints of all that is not a member or a path.
                Argument::CapLints => given.is_dependency = true,
                Argument::Test => given.is_test = true,
                Argument::Debuginfo => given.debuginfo = "2",
                Argument::Json(kinds) => {
                    given.announces_artifacts |= kinds.split(',').any(|kind| kind == "artifacts");
                }
                Argument::Question => return None,
                Argument::Cfg(_)
                | Argument::Edition
                | Argument::Emit
                | Argument::Source
                | Argument::Other => {}
            }
        }
        Some(given)
    }
}

/// Whether cargo compiles a crate of this build into a folder: `<triple>/<profile>/deps`
/// below the target directory, or `<triple>/<profile>/build/<package>/<hash>/out`. Build
/// scripts compile below such a folder, too, by hand or by a cargo of their own: what they
/// are told of is `own_output`, their `OUT_DIR`.
fn is_cargos(out_dir: &Utf8Path, target_dir: &Utf8Path, own_output: Option<&Utf8Path>) -> bool {
    let Ok(relative) = out_dir.strip_prefix(target_dir) else { return false };
    let parts: Vec<&str> = relative.components().map(|part| part.as_str()).collect();
    let is_of_layout =
        matches!(parts.as_slice(), [_, _, "deps" | "examples"] | [_, _, "build", _, _, "out"]);
    is_of_layout && own_output != Some(out_dir)
}

/// How a crate of the target is compiled, with the state's facades but some; `None` for
/// everything that is not one: what build scripts ask the compiler, above all, must have
/// the answers of a plain build. `exists` says which files there are.
pub fn plan(
    args: &[OsString],
    package: &Package,
    state: &State,
    without: &Facades,
    exists: &dyn Fn(&Utf8Path) -> bool,
) -> Option<Plan> {
    let given = Given::read(args)?;
    let out_dir = Utf8PathBuf::from(given.out_dir?);
    // Nobody else asks to hear of artifacts.
    if given.target? != state.target || !given.announces_artifacts {
        return None;
    }
    if !is_cargos(&out_dir, &state.target_dir, package.out_dir.as_deref()) {
        return None;
    }
    let crate_name = given.crate_name?;
    let uses = |facade: Facade| state.uses(facade) && !without.contains(&facade);
    // Its tests are other crates, which use it as anyone does.
    let is_itself = |name: &str| package.name == name && crate_name == name;
    let is_tokio = is_itself("tokio");
    let is_telling_tokio = is_tokio && can_be_instrumented(&package.version);
    let is_underneath = UNDERNEATH.iter().any(|name| is_itself(name));
    // The tests of lock_api hand it raw locks that are made by hand: what they are about is
    // what the facade is made from.
    let is_built_on_lock_api = uses(Facade::LockApi)
        && !given.has_parking_lot
        && !is_underneath
        && package.name != "lock_api";

    let mut applied = Facades::new();
    let std = if given.has_std || is_underneath || (is_tokio && !is_telling_tokio) {
        None
    } else if is_tokio {
        Some((Facade::StdInTokio, &state.libraries.std_in_tokio))
    } else {
        Some((Facade::Std, &state.libraries.std))
    };
    let std = std.filter(|(facade, _)| uses(*facade));
    applied.extend(std.map(|(facade, _)| facade));
    let is_telling = is_telling_tokio && uses(Facade::Tokio);
    if is_telling {
        applied.insert(Facade::Tokio);
    }
    let is_without_parking_lot = is_telling_tokio
        && uses(Facade::StdInTokio)
        && minor_of(&package.version).is_some_and(|it| it >= TOKIO_PARKING_LOT_IS_INTERNAL_SINCE);
    let side = state.side();
    let replaced = |value: &str, suffix: &str| -> Option<Change> {
        let file = second::side_library(&side, Utf8Path::new(extern_path(value)?), suffix)?;
        let name = value.split_once('=').map_or(value, |(name, _)| name);
        exists(&file).then(|| Change::Replace(vec!["--extern".into(), format!("{name}={file}")]))
    };

    let mut planned = rewrite(args, |argument| match argument {
        Argument::Codegen(option) if is_dropped(option) => Change::Drop,
        Argument::Cfg(cfg) if is_without_parking_lot && cfg == "feature=\"parking_lot\"" => {
            Change::Drop
        }
        Argument::Extern(value) => match extern_name(value) {
            "tracing" if is_telling => Change::Drop,
            "parking_lot" => match replaced(value, second::REAL) {
                // Its own use of it is nobody's affair.
                Some(change) if is_tokio || !uses(Facade::ParkingLot) => change,
                Some(_) => {
                    applied.insert(Facade::ParkingLot);
                    Change::Keep
                }
                None => Change::Keep,
            },
            "lock_api" if is_built_on_lock_api => match replaced(value, second::FACADE) {
                Some(change) => {
                    applied.insert(Facade::LockApi);
                    change
                }
                None => Change::Keep,
            },
            _ => Change::Keep,
        },
        _ => Change::Keep,
    });

    let mut push = |parts: &[&str]| planned.extend(parts.iter().map(OsString::from));
    push(&["-L", &format!("dependency={}", state.dependencies)]);
    push(&["-L", &format!("dependency={side}")]);
    push(&["-C", "force-frame-pointers=yes"]);
    if let Some(level) = given.debuginfo_instead() {
        push(&["-C", &format!("debuginfo={level}")]);
    }
    if let Some((_, library)) = std {
        push(&["--extern", &format!("std={library}")]);
    }
    // Where nothing of the graph can be seen, the server would say that it was.
    let is_seen = state.uses(Facade::Std) || exists(&notes::instrumented(state));
    if given.is_program() && is_seen && uses(Facade::Server) {
        applied.insert(Facade::Server);
        push(&["-L", &format!("native={}", state.dependencies)]);
        for file in &state.libraries.linked {
            push(&["-l", &format!("static:+verbatim={file}")]);
        }
    }
    if is_telling {
        push(&["--cfg", "tokio_unstable", "--cfg", "feature=\"tracing\""]);
        push(&["--extern", &format!("tracing={}", state.libraries.tracing)]);
    }
    let role = if given.is_test {
        Role::Ordinary
    } else if is_itself("parking_lot")
        && uses(Facade::ParkingLot)
        && second::parking_lot_is_supported(&package.version)
    {
        Role::ParkingLot
    } else if is_itself("lock_api")
        && uses(Facade::LockApi)
        && second::lock_api_is_supported(&package.version)
    {
        Role::LockApi
    } else {
        Role::Ordinary
    };
    Some(Plan {
        args: planned,
        stem: format!("{crate_name}{}", given.extra_filename),
        title: format!("{} {}", package.name, package.version),
        version: package.version.clone(),
        out_dir,
        root: package.root.clone(),
        applied,
        role,
    })
}

/// Whether an option for code generation must not reach the compiler.
fn is_dropped(option: &str) -> bool {
    let name = option.split_once('=').map_or(option, |(name, _)| name);
    // What is stripped cannot be symbolised. Optimisation at link time would make symbols
    // of the probe's core local, which the server refers to.
    matches!(name, "strip" | "lto" | "linker-plugin-lto")
}

/// The `20` of `1.20.6`; `None` for tokio 0 and what comes after tokio 1.
fn minor_of(tokio_version: &str) -> Option<u64> {
    let version = cargo_metadata::semver::Version::parse(tokio_version).ok()?;
    (version.major == 1).then_some(version.minor)
}

/// Whether this version of tokio can speak to the probe.
pub fn can_be_instrumented(tokio_version: &str) -> bool {
    minor_of(tokio_version).is_some_and(|minor| minor >= OLDEST_TOKIO)
}

#[cfg(test)]
mod tests {
    use super::{super::state::tests::state, *};

    fn plan_of(package: (&str, &str), args: &str, state: &State, files: &[&str]) -> Option<Plan> {
        let args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        let package = Package {
            name: package.0.into(),
            version: package.1.into(),
            root: "/p".into(),
            out_dir: None,
        };
        plan(&args, &package, state, &Facades::new(), &|file| files.contains(&file.as_str()))
    }

    fn text(plan: &Plan) -> String {
        let args: Vec<_> = plan.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        args.join(" ")
    }

    /// With all facades, and these files.
    fn planned(package: (&str, &str), args: &str, files: &[&str]) -> (String, Plan) {
        let plan = plan_of(package, args, &state(), files).unwrap();
        (text(&plan), plan)
    }

    const TARGET: &str = "--json=diagnostic-rendered-ansi,artifacts \
        --target x86_64-unknown-linux-gnu --out-dir /p/target/concaudit/k/x/debug/deps";
    const SIDE: &str = "/p/target/concaudit/k/beside";

    #[test]
    fn a_crate_of_the_target_finds_the_probe_and_keeps_its_frames_and_lines() {
        let args = format!(
            "--crate-name a --crate-type lib src/lib.rs -C strip=debuginfo -Cdebuginfo=0 {TARGET}"
        );
        let (args, plan) = planned(("a", "0.1.0"), &args, &[]);
        assert_eq!((plan.role, plan.shows_locks()), (Role::Ordinary, false));
        assert!(!args.contains("strip"), "{args}");
        assert!(args.ends_with(&format!(
            "-L dependency=/cache/deps -L dependency={SIDE} -C force-frame-pointers=yes \
             -C debuginfo=limited --extern std=/cache/deps/libconcaudit_std-1.rlib"
        )));
    }

    #[test]
    fn programs_are_linked_with_the_server_and_libraries_are_not() {
        let linked = "-L native=/cache/deps -l static:+verbatim=concaudit_server.o \
                      -l static:+verbatim=libconcaudit_core-1.rlib";
        for (kind, is_program) in
            [("--test", true), ("--crate-type bin", true), ("", true), ("--crate-type lib", false)]
        {
            let (args, _) =
                planned(("a", "0.1.0"), &format!("--crate-name a {kind} {TARGET}"), &[]);
            assert_eq!(args.contains(linked), is_program, "{args}");
        }
    }

    #[test]
    fn nothing_is_optimised_at_link_time() {
        let flags = "-C lto -Clto=thin -C linker-plugin-lto -C opt-level=3";
        let (args, _) = planned(("a", "0.1.0"), &format!("--crate-name a {flags} {TARGET}"), &[]);
        assert!(!args.contains("lto") && args.contains("opt-level=3"), "{args}");
    }

    #[test]
    fn debuginfo_is_left_as_it_is_but_for_variables_and_types_of_dependencies() {
        for flag in ["-g", "-C debuginfo=2", "-Cdebuginfo=1", "--codegen=debuginfo=full"] {
            let args = format!("--crate-name a {flag} {TARGET}");
            let (args, _) = planned(("a", "0.1.0"), &args, &[]);
            assert!(!args.contains("limited"), "{args}");
            let args = format!("--cap-lints allow {args}");
            let (of_dependency, _) = planned(("a", "0.1.0"), &args, &[]);
            let is_less = of_dependency.contains("-C debuginfo=limited");
            assert_eq!(is_less, !flag.ends_with('1'), "{of_dependency}");
        }
    }

    #[test]
    fn every_crate_gets_the_facade_for_std_but_those_underneath_and_those_with_their_own() {
        let applied = |package, crate_name: &str, more: &str| {
            let args = format!("--crate-name {crate_name} {more} {TARGET}");
            let (args, plan) = planned(package, &args, &[]);
            let has_facade = args.contains("std=/cache/deps/libconcaudit_std-1.rlib");
            assert_eq!(plan.applied.contains(&Facade::Std), has_facade, "{args}");
            has_facade
        };
        assert!(applied(("serde", "1.0.0"), "serde", "--test"));
        assert!(applied(("parking_lot", "0.12.1"), "issue_203", "--test"));
        for name in UNDERNEATH {
            assert!(!applied((name, "0.12.1"), name, ""), "{name}");
        }
        assert!(!applied(("a", "1.0.0"), "a", "--extern noprelude:std=/t/libstd.rmeta"));
        assert!(!applied(("tokio", "0.2.25"), "tokio", ""));
        assert!(!applied(("tokio", "1.54.1"), "tokio", ""), "it gets another");
        let without = state().without(&[Facade::Std]);
        let plan = plan_of(("a", "0.1.0"), &format!("--crate-name a {TARGET}"), &without, &[]);
        let args = text(&plan.unwrap());
        assert!(!args.contains("std=") && !args.contains("concaudit_server"), "{args}");
    }

    #[test]
    fn tokio_gets_its_facades_for_every_form_of_its_tracing() {
        for tracing in ["tracing=/t/libtracing-1.rlib", "noprelude:tracing=/t/l.rlib", "tracing"] {
            let args = format!(
                "--crate-name tokio src/lib.rs -C extra-filename=-ab12 --extern {tracing} \
                 --extern bytes=/t/libbytes.rmeta {TARGET}"
            );
            let (args, plan) = planned(("tokio", "1.54.1"), &args, &[]);
            assert_eq!((&*plan.stem, &*plan.title), ("tokio-ab12", "tokio 1.54.1"));
            assert!(plan.shows_locks());
            assert_eq!(args.matches("tracing=").count(), 1, "{args}");
            assert!(args.contains("--extern tracing=/cache/deps/libconcaudit_tracing-1.rlib"));
            assert!(args.contains("--extern std=/cache/deps/libconcaudit_std_tokio-1.rlib"));
            assert!(args.contains("--cfg tokio_unstable --cfg feature=\"tracing\""));
            assert!(args.contains("--extern bytes=/t/libbytes.rmeta"));
        }
    }

    #[test]
    fn tokio_does_without_parking_lot_where_that_changes_no_interface() {
        let args_of = |version, state: &State| {
            let args = format!("--crate-name tokio --cfg feature=\"parking_lot\" {TARGET}");
            text(&plan_of(("tokio", version), &args, state, &[]).unwrap())
        };
        assert!(!args_of("1.30.0", &state()).contains("parking_lot"));
        assert!(args_of("1.29.1", &state()).contains("parking_lot"));
        assert!(args_of("1.54.1", &state().without(&[Facade::StdInTokio])).contains("parking_lot"));
    }

    #[test]
    fn tokio_is_optimised_as_the_profile_says_and_its_functions_have_names() {
        let args_of = |flags: &str| {
            planned(("tokio", "1.54.1"), &format!("--crate-name tokio {flags} {TARGET}"), &[]).0
        };
        for debuginfo in ["", "-C debuginfo=line-tables-only", "--cap-lints allow -g"] {
            let args = args_of(debuginfo);
            assert!(args.contains("-C debuginfo=limited") && !args.contains("opt-level"), "{args}");
        }
        for kept in ["-C debuginfo=2", "--cap-lints allow -C debuginfo=1"] {
            assert!(!args_of(kept).contains("debuginfo=limited"), "{kept}");
        }
    }

    #[test]
    fn a_tokio_that_cannot_speak_is_compiled_as_it_is() {
        for version in ["0.2.25", "1.19.2", "2.0.0"] {
            let args =
                format!("--crate-name tokio --crate-type lib --extern tracing=/t/l.rlib {TARGET}");
            let (args, plan) = planned(("tokio", version), &args, &[]);
            assert!(plan.applied.is_empty() && !plan.shows_locks());
            assert!(args.contains("--extern tracing=/t/l.rlib") && !args.contains("std="));
        }
    }

    #[test]
    fn parking_lot_and_lock_api_bring_a_facade_unless_their_own_tests_are_compiled() {
        let role = |package, more: &str| {
            let (name, _) = package;
            planned(package, &format!("--crate-name {name} {more} {TARGET}"), &[]).1.role
        };
        assert_eq!(role(("parking_lot", "0.12.1"), ""), Role::ParkingLot);
        assert_eq!(role(("parking_lot", "0.12.1"), "--test"), Role::Ordinary);
        assert_eq!(role(("parking_lot", "0.10.2"), ""), Role::Ordinary);
        assert_eq!(role(("parking_lot", "0.14.0"), ""), Role::Ordinary);
        assert_eq!(role(("lock_api", "0.4.9"), ""), Role::LockApi);
        assert_eq!(role(("lock_api", "0.4.1"), ""), Role::Ordinary);
        assert_eq!(role(("parking_lot_core", "0.9.9"), ""), Role::Ordinary);
    }

    #[test]
    fn a_crate_with_raw_locks_of_its_own_gets_the_facade_for_lock_api() {
        let args =
            format!("--crate-name dashmap --extern lock_api=/t/liblock_api-1.rmeta {TARGET}");
        let facade = format!("{SIDE}/liblock_api-1-facade.rlib");
        let (with, plan) = planned(("dashmap", "6.1.0"), &args, &[&facade]);
        assert!(with.contains(&format!("--extern lock_api={facade}")), "{with}");
        assert!(plan.applied.contains(&Facade::LockApi) && plan.shows_locks());
        let (own, _) = planned(("lock_api", "0.5.0"), &args, &[&facade]);
        assert!(own.contains("/t/liblock_api-1.rmeta"), "{own}");
        // Where it did not compile, nobody gets it.
        let (without, plan) = planned(("dashmap", "6.1.0"), &args, &[]);
        assert!(without.contains("/t/liblock_api-1.rmeta") && !plan.shows_locks());
        let both = format!("{args} --extern parking_lot=/t/libparking_lot-1.rmeta");
        let (both, plan) = planned(("a", "6.1.0"), &both, &[&facade]);
        assert!(both.contains("/t/liblock_api-1.rmeta") && !plan.shows_locks(), "{both}");
    }

    #[test]
    fn tokio_and_who_is_compiled_without_the_facade_get_the_real_parking_lot() {
        let real = format!("{SIDE}/libparking_lot-1-real.rlib");
        let args = |name| {
            format!("--crate-name {name} --extern parking_lot=/t/libparking_lot-1.rmeta {TARGET}")
        };
        let (of_tokio, _) = planned(("tokio", "1.28.0"), &args("tokio"), &[&real]);
        assert!(of_tokio.contains(&format!("parking_lot={real}")), "{of_tokio}");
        let (of_other, plan) = planned(("a", "1.0.0"), &args("a"), &[&real]);
        assert!(of_other.contains("/t/libparking_lot-1.rmeta"), "{of_other}");
        assert!(plan.applied.contains(&Facade::ParkingLot));
        let without = state().without(&[Facade::ParkingLot]);
        let plan = plan_of(("a", "1.0.0"), &args("a"), &without, &[&real]).unwrap();
        assert!(text(&plan).contains(&format!("parking_lot={real}")));
        assert!(!plan.applied.contains(&Facade::ParkingLot));
    }

    #[test]
    fn only_the_folders_that_cargo_compiles_into_are_its_own() {
        let target_dir = Utf8Path::new("/t");
        let output = Utf8Path::new("/t/x/debug/build/a-1/out");
        for folder in ["x/debug/deps", "x/ci/examples", "x/debug/build/a/0a1b/out"] {
            assert!(is_cargos(&target_dir.join(folder), target_dir, Some(output)), "{folder}");
        }
        let own = "x/debug/build/a/0a1b/out";
        assert!(!is_cargos(&target_dir.join(own), target_dir, Some(&target_dir.join(own))));
        for folder in [
            "",
            "x",
            "x/debug",
            "x/debug/build/a-1/out",
            "x/debug/build/a-1/out/target/x/debug/deps",
        ] {
            assert!(!is_cargos(&target_dir.join(folder), target_dir, Some(output)), "{folder}");
        }
        assert!(!is_cargos("/elsewhere/x/debug/deps".into(), target_dir, None));
    }

    #[test]
    fn questions_host_crates_and_foreign_builds_pass_untouched() {
        let foreign = "--crate-name a --target x86_64-unknown-linux-gnu --out-dir /elsewhere";
        let other = "--crate-name a --target wasm32-wasip1 --out-dir /p/target/concaudit/k/w/deps";
        let print = format!("--crate-name ___ --print=file-names {TARGET}");
        let input = format!("--crate-name probe0 --crate-type=lib - {TARGET}");
        let silent = TARGET.replace("artifacts", "future-incompat");
        let silent = format!("--crate-name a {silent}");
        let host = "--crate-name build_script_build --out-dir /p/target/concaudit/k/debug/build";
        for args in [host, foreign, other, &print, &input, &silent, "-vV"] {
            assert!(plan_of(("a", "0.1.0"), args, &state(), &[]).is_none(), "{args}");
        }
    }
}
