//! The phase from its start to its end.

use std::{
    env,
    ffi::OsString,
    io,
    process::{ExitCode, ExitStatus},
};

use camino::Utf8Path;
use fs_err as fs;

use super::{
    arguments, blame,
    compile::{CompileError, Compiler, Message, exit_code, forward},
    notes::{self, Failure, Loss},
    plan::{Package, Plan, Role, plan},
    second,
    state::{STATE_ENV, State, Without},
};
use crate::instrument::locks::{Facade, Facades};

/// Why the wrapper phase failed.
#[derive(Debug, thiserror::Error)]
pub enum WrapperError {
    /// Not written by us.
    #[error("failed to read {STATE_ENV}; it is set by `cargo concaudit` and by nobody else")]
    State(#[source] serde_json::Error),
    /// The compiler, or the user's wrapper, does not start.
    #[error("failed to run `{program}`")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    /// The target directory cannot be written.
    #[error("failed to take note of an instrumented crate")]
    Note(#[source] io::Error),
    /// The arguments are in a file that cannot be read or written.
    #[error("failed to hand on the compiler's arguments")]
    Arguments(#[source] io::Error),
}

/// Whether this process was started in place of rustc. The first argument is
/// rustc then, or the project's `RUSTC_WORKSPACE_WRAPPER`; as a subcommand of
/// cargo it is our own name.
pub fn is_wrapper_call() -> bool {
    env::var_os(STATE_ENV).is_some()
        && env::args_os()
            .nth(1)
            .is_some_and(|first| first != "concaudit" && !first.to_string_lossy().starts_with('-'))
}

/// Compiles one crate. On Unix it returns only where something failed, or where
/// the crate is one of the target.
pub fn run() -> Result<ExitCode, WrapperError> {
    let state = env::var(STATE_ENV).unwrap_or_default();
    let state: State = serde_json::from_str(&state).map_err(WrapperError::State)?;
    let mut args = env::args_os().skip(1);
    let program = args.next().unwrap_or_else(|| "rustc".into());
    let given: Vec<OsString> = args.collect();
    let expanded = arguments::expand(&given).map_err(WrapperError::Arguments)?;
    let through_file = expanded.is_some();
    let args = expanded.unwrap_or_else(|| given.clone());
    let package = Package {
        name: env::var("CARGO_PKG_NAME").unwrap_or_default(),
        version: env::var("CARGO_PKG_VERSION").unwrap_or_default(),
        root: env::var("CARGO_MANIFEST_DIR").unwrap_or_default().into(),
        out_dir: env::var("OUT_DIR").ok().map(Into::into),
    };
    let without = state.without_in(&package.root).map(|it| it.facades.clone()).unwrap_or_default();
    let planned = plan(&args, &package, &state, &without, &exists);
    let compiler =
        Compiler { program, state: &state, through_file: through_file && planned.is_some() };
    match planned {
        // As it was given.
        None => compiler.become_it(&given),
        Some(plan) => {
            Phase { compiler, state: &state, args: &args, package, without }.compile(&plan)
        }
    }
}

fn exists(file: &Utf8Path) -> bool {
    file.exists()
}

/// A crate of the target, and what is known of it.
struct Phase<'a> {
    compiler: Compiler<'a>,
    state: &'a State,
    /// As cargo gave them.
    args: &'a [OsString],
    package: Package,
    /// What its package does without, as an earlier attempt has shown.
    without: Facades,
}

/// What came of a compilation.
struct Attempt {
    status: ExitStatus,
    /// Has not been passed on.
    held: Vec<u8>,
    errors: Vec<CompileError>,
    /// Others may already be compiled against it.
    is_announced: bool,
}

impl Attempt {
    fn new() -> Self {
        Self {
            status: ExitStatus::default(),
            held: Vec::new(),
            errors: Vec::new(),
            is_announced: false,
        }
    }

    /// What is wrong, in a line.
    fn error(&self) -> String {
        match self.errors.first() {
            Some(error) => error.message.lines().next().unwrap_or_default().to_owned(),
            None => format!("the compiler ended with {}", self.status),
        }
    }

    /// Passes on what was held back; the end of the phase.
    fn end(self) -> ExitCode {
        forward(&self.held);
        exit_code(self.status)
    }

    /// Passes on some errors, and nothing else; the end of the phase.
    fn end_with(self, is_wanted: impl Fn(&CompileError) -> bool) -> ExitCode {
        for error in self.errors.iter().filter(|error| is_wanted(error)) {
            forward(&error.line);
        }
        exit_code(self.status)
    }
}

impl Phase<'_> {
    /// The plan for an attempt without some more facades.
    fn plan(&self, without: &Facades) -> Option<Plan> {
        plan(self.args, &self.package, self.state, &(&self.without | without), &exists)
    }

    fn compile(&self, plan: &Plan) -> Result<ExitCode, WrapperError> {
        notes::forget(self.state, &plan.stem);
        match plan.role {
            Role::ParkingLot => self.parking_lot(plan),
            Role::LockApi => self.lock_api(plan),
            Role::Ordinary => {
                if plan.shows_locks() {
                    self.note_instrumented(plan)?;
                }
                if let Some(known) = self.state.without_in(&plan.root) {
                    self.note_loss(plan, known.facades.clone(), known.reason.clone())?;
                }
                let attempt = self.attempt(&plan.args)?;
                let is_plain = plan.applied.is_empty() && self.without.is_empty();
                if attempt.status.success() || is_plain {
                    return Ok(attempt.end());
                }
                self.blame(plan, attempt)
            }
        }
    }

    /// Messages are passed on as they come, but for the first error and what
    /// follows: it may be none of the user's.
    fn attempt(&self, args: &[OsString]) -> Result<Attempt, WrapperError> {
        let mut attempt = Attempt::new();
        attempt.status = self.compiler.run(args, |line, message| {
            attempt.is_announced |= matches!(message, Message::Metadata);
            if let Message::Error(error) = message {
                attempt.errors.push(error);
            }
            if attempt.errors.is_empty() { forward(line) } else { attempt.held.extend(line) }
        })?;
        Ok(attempt)
    }

    /// Nothing is passed on.
    fn silent_attempt(&self, args: &[OsString]) -> Result<Attempt, WrapperError> {
        let mut attempt = Attempt::new();
        attempt.status = self.compiler.run(args, |line, message| {
            if let Message::Error(error) = message {
                attempt.errors.push(error);
            }
            attempt.held.extend(line);
        })?;
        Ok(attempt)
    }

    /// A crate does not compile with the facades: without, perhaps.
    fn blame(&self, plan: &Plan, failed: Attempt) -> Result<ExitCode, WrapperError> {
        if blame::are_lints(&failed.errors)
            && let Some(ended) = self.blame_lints(plan)?
        {
            return Ok(ended);
        }
        let mut last = None;
        for facades in blame::attempts(plan, &failed.errors) {
            let Some(reduced) = self.plan(&facades) else { break };
            let attempt = self.silent_attempt(&reduced.args)?;
            let has_succeeded = attempt.status.success();
            // Whoever is compiled against the first form of it has no use for another.
            if has_succeeded && failed.is_announced {
                let packages = blame::itself(&reduced, &facades);
                return self.fail(plan, &failed, facades, packages);
            }
            if has_succeeded {
                if !reduced.shows_locks() {
                    notes::forget(self.state, &plan.stem);
                }
                let facades = &self.without | &facades;
                let reason = notes::reason(&facades, &failed.error());
                self.note_loss(plan, facades, reason)?;
                return Ok(attempt.end());
            }
            last = Some(attempt);
        }
        let errors = &last.as_ref().unwrap_or(&failed).errors;
        if blame::is_users(&failed.errors, errors) {
            // What one attempt alone complains of comes from types that cross.
            return Ok(match last {
                Some(last) => {
                    last.end_with(|error| failed.errors.iter().any(|it| blame::is_same(it, error)))
                }
                None => failed.end(),
            });
        }
        let facades = blame::suspects(plan, self.state, &failed.errors, errors);
        if facades.is_empty() {
            return Ok(failed.end());
        }
        let packages = blame::between(plan, self.state, &facades, errors);
        self.fail(plan, &failed, facades, packages)
    }

    /// A crate compiles with the facades, but for lints that it denies. What is only broken
    /// with them, as by an `extern crate std` where std is named on the command line, is no
    /// reason to see less. `None` where that does not help.
    fn blame_lints(&self, plan: &Plan) -> Result<Option<ExitCode>, WrapperError> {
        let facades = &plan.applied - &Facades::from([Facade::Server]);
        let Some(reduced) = self.plan(&facades) else { return Ok(None) };
        let without = self.silent_attempt(&reduced.args)?;
        if !without.status.success() && blame::are_lints(&without.errors) {
            return Ok(Some(without.end()));
        }
        let mut args = plan.args.clone();
        args.extend(["--cap-lints", "warn"].map(OsString::from));
        let lenient = self.silent_attempt(&args)?;
        Ok(match (lenient.status.success(), without.status.success()) {
            (true, true) => Some(without.end()),
            // Types of the facades come from other crates as well.
            (true, false) => Some(lenient.end()),
            (false, _) => None,
        })
    }

    /// Has the build begin anew, with some packages without some facades.
    fn fail(
        &self,
        plan: &Plan,
        failed: &Attempt,
        facades: Facades,
        packages: Vec<Without>,
    ) -> Result<ExitCode, WrapperError> {
        let failure =
            Failure { title: plan.title.clone(), error: failed.error(), facades, packages };
        notes::note_failure(self.state, &plan.stem, &failure).map_err(WrapperError::Note)?;
        // As rustc would say it: cargo shows the whole command line otherwise.
        let text = format!("error: {failure}\n\n");
        let message = serde_json::json!({
            "$message_type": "diagnostic", "message": failure.to_string(), "code": null,
            "level": "error", "spans": [], "children": [], "rendered": text,
        });
        forward(format!("{message}\n").as_bytes());
        Ok(ExitCode::from(1))
    }

    /// The real one to the side, the facade in its place; or the real one in
    /// its place, if the facade is not to be had.
    fn parking_lot(&self, plan: &Plan) -> Result<ExitCode, WrapperError> {
        fs::create_dir_all(self.state.side()).map_err(WrapperError::Note)?;
        let mut real = Attempt::new();
        real.status =
            self.compiler.run(&second::real_parking_lot(plan, self.state), |line, message| {
                // Cargo knows nothing of it.
                if !matches!(message, Message::Metadata | Message::Artifact) {
                    real.held.extend(line);
                }
            })?;
        let Some(args) = second::parking_lot_facade(plan, self.state) else {
            return Ok(real.end());
        };
        if !real.status.success() {
            return Ok(real.end());
        }
        let facade = self.silent_attempt(&args)?;
        if facade.status.success() {
            self.note_instrumented(plan)?;
            forward(&real.held);
            // The facade's own sources are a matter of the folder's name.
            let dependencies =
                |folder: &Utf8Path, suffix| folder.join(format!("{}{suffix}.d", plan.stem));
            let real = dependencies(&self.state.side(), second::REAL);
            if real.exists() {
                fs::copy(real, dependencies(&plan.out_dir, "")).map_err(WrapperError::Note)?;
            }
            return Ok(facade.end());
        }
        self.note_lost_facade(plan, Facade::ParkingLot, &facade)?;
        Ok(self.attempt(&plan.args)?.end())
    }

    /// `lock_api` in its place, and before anybody hears of it the facade to the
    /// side.
    fn lock_api(&self, plan: &Plan) -> Result<ExitCode, WrapperError> {
        fs::create_dir_all(self.state.side()).map_err(WrapperError::Note)?;
        let mut facade = None;
        let compile_facade = || self.silent_attempt(&second::lock_api_facade(plan, self.state));
        let status = self.compiler.run(&plan.args, |line, message| {
            if matches!(message, Message::Metadata) && facade.is_none() {
                facade = Some(compile_facade());
            }
            forward(line);
        })?;
        if !status.success() {
            return Ok(exit_code(status));
        }
        let facade = match facade {
            Some(facade) => facade?,
            None => compile_facade()?,
        };
        if !facade.status.success() {
            self.note_lost_facade(plan, Facade::LockApi, &facade)?;
        }
        Ok(exit_code(status))
    }

    fn note_instrumented(&self, plan: &Plan) -> Result<(), WrapperError> {
        notes::note_instrumented(self.state, &plan.stem).map_err(WrapperError::Note)
    }

    fn note_lost_facade(
        &self,
        plan: &Plan,
        facade: Facade,
        failed: &Attempt,
    ) -> Result<(), WrapperError> {
        let facades = Facades::from([facade]);
        let reason = notes::reason(&facades, &failed.error());
        self.note_loss(plan, facades, reason)
    }

    fn note_loss(&self, plan: &Plan, facades: Facades, reason: String) -> Result<(), WrapperError> {
        let (title, root) = (plan.title.clone(), plan.root.clone());
        let loss = Loss { title, root, facades, reason };
        notes::note_loss(self.state, &plan.stem, &loss).map_err(WrapperError::Note)
    }
}
