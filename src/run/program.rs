//! Runs a program instead of tests: one process, with the streams, the folder and the
//! process group that it would have plainly, until it ends.
//!
//! It shares our process group, so that it is where the terminal's input and signals go.
//! A signal that the terminal sends has reached it already; one that was sent to us alone is
//! passed on. Which of these it was, the kernel tells beside the signal.

use std::{
    ffi::OsString,
    io,
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{Child, ExitStatus},
    sync::Arc,
    thread,
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, poll},
    sys::{
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::Pid,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{
    command::{command, program},
    interrupts::{ignored_signals, is_ignored},
    supervise::observe_exit,
    types::{TestCase, TestRun},
};
use crate::{
    instrument::TestBinary,
    model::Outcome,
    telemetry::{ProbeOptions, Recording, Registry},
};

/// What asks a program to end.
const STOPS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
/// `si_code` of a signal that the kernel sends of itself, as a terminal has it do.
const SI_KERNEL: i32 = 0x80;

/// How a program is run.
#[derive(Debug, Clone)]
pub struct ProgramOptions {
    /// After this it is sent SIGINT, as Ctrl-C would; `None`: it ends when it ends.
    pub limit: Option<Duration>,
    /// Between that and SIGKILL.
    pub grace: Duration,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What the probe in it is told.
    pub probe: ProbeOptions,
}

/// What happens while a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramEvent {
    /// Its time is over, and it was sent SIGINT.
    TimeIsOver,
    /// Some of it can never go on.
    Deadlocked,
    /// It did not end when it was asked to by us, and was killed.
    Killed,
}

/// The signals that are not to end us while a program runs, blocked in this thread and those
/// that it starts. Must exist before the runtime does.
#[derive(Debug)]
pub struct BlockedSignals {
    set: SigSet,
    before: SigSet,
}

impl BlockedSignals {
    /// Blocks them.
    pub fn block() -> io::Result<Self> {
        let before = SigSet::thread_get_mask()?;
        let set: SigSet = STOPS.into_iter().collect();
        set.thread_block()?;
        Ok(Self { set, before })
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// A signal that has come.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    signal: Signal,
    /// The terminal sent it, to the whole process group.
    is_of_terminal: bool,
}

/// Runs the program to its end; `token` is of `registry`. Must be called within a Tokio
/// runtime that was started under `blocked`.
pub async fn run_program(
    binary: &Arc<TestBinary>,
    registry: &Arc<Registry>,
    options: &ProgramOptions,
    blocked: &BlockedSignals,
    on_event: &mut dyn FnMut(ProgramEvent),
) -> io::Result<TestRun> {
    let token = registry.new_token();
    let mut command = command(binary);
    command.args(&options.arguments);
    command.envs(registry.environment(token, &options.probe));
    let (sender, mut arrived) = mpsc::unbounded_channel();
    listen(blocked, &sender)?;
    let started = Instant::now();
    // It is to have the mask that it would have plainly. What arrives meanwhile goes to the
    // handlers that `listen` has installed.
    blocked.before.thread_set_mask()?;
    let spawned = command.spawn();
    blocked.set.thread_block()?;
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let output = format!("failed to start `{}`: {error}\n", program(binary)).into_bytes();
            return Ok(TestRun {
                output,
                outcome: Outcome::SpawnFailed,
                ..run_of(binary, started.elapsed())
            });
        }
    };
    let pid = Pid::from_raw(child.id().cast_signed());
    let ended =
        wait(&mut child, pid, started, options, registry.knotted(token), &mut arrived, on_event)
            .await?;
    let duration = started.elapsed();
    let recordings = registry.finish(token, Some(pid.as_raw().cast_unsigned())).await;
    Ok(TestRun {
        outcome: ended.outcome(),
        exit_code: ended.status.code(),
        recordings: recordings.into_iter().map(Recording::pack).collect(),
        ..run_of(binary, duration)
    })
}

fn run_of(binary: &Arc<TestBinary>, duration: Duration) -> TestRun {
    TestRun {
        case: TestCase { binary: Arc::clone(binary), path: None, ignored: false },
        outcome: Outcome::Passed,
        exit_code: None,
        duration,
        output: Vec::new(),
        recordings: Vec::new(),
        left: Vec::new(),
        failed_attempts: Vec::new(),
        seed: None,
    }
}

/// A program that has ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    status: ExitStatus,
    /// Somebody asked it to, by this signal.
    asked_by: Option<Signal>,
    /// It did not, and was killed.
    is_killed: bool,
}

impl Ended {
    /// A program that is asked to end and does so has not failed, whether it handles the
    /// signal (and exits with 0, or with 128 and the signal's number as a shell would) or
    /// dies of it.
    fn outcome(self) -> Outcome {
        let Self { status, asked_by, is_killed } = self;
        let asked_by = asked_by.map(|signal| signal as i32);
        match status.signal() {
            _ if is_killed => Outcome::Failed,
            Some(signal) if Some(signal) == asked_by => Outcome::Passed,
            Some(signal) => Outcome::Signalled(signal),
            None if status.success() => Outcome::Passed,
            None if asked_by.is_some_and(|signal| status.code() == Some(128 + signal)) => {
                Outcome::Passed
            }
            None => Outcome::Failed,
        }
    }
}

/// Stays with the program until it has ended.
async fn wait(
    child: &mut Child,
    pid: Pid,
    started: Instant,
    options: &ProgramOptions,
    knotted: impl Future<Output = ()>,
    arrived: &mut mpsc::UnboundedReceiver<Arrived>,
    on_event: &mut dyn FnMut(ProgramEvent),
) -> io::Result<Ended> {
    let mut exited = observe_exit(pid)?;
    let mut asked_by = None;
    let mut is_killed = false;
    let mut is_knotted = false;
    let stops = async {
        match options.limit {
            Some(limit) => sleep_until(started + limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(stops, knotted);
    // From when on it is not waited for any longer.
    let grace = sleep(Duration::MAX);
    tokio::pin!(grace);
    let mut is_stopped = false;
    loop {
        tokio::select! {
            biased;
            _ = &mut exited => break,
            Some(Arrived { signal, is_of_terminal }) = arrived.recv() => {
                asked_by = Some(signal);
                if !is_of_terminal {
                    // It is not reaped yet, so the id is its own.
                    let _ = kill(pid, signal);
                }
            }
            () = &mut knotted, if !is_knotted => {
                is_knotted = true;
                on_event(ProgramEvent::Deadlocked);
            }
            () = &mut stops, if !is_stopped => {
                is_stopped = true;
                asked_by = Some(Signal::SIGINT);
                let _ = kill(pid, Signal::SIGINT);
                grace.as_mut().reset(Instant::now() + options.grace);
                on_event(ProgramEvent::TimeIsOver);
            }
            () = &mut grace, if is_stopped && !is_killed => {
                is_killed = true;
                let _ = kill(pid, Signal::SIGKILL);
                on_event(ProgramEvent::Killed);
            }
        }
    }
    // What came with its end.
    while let Ok(Arrived { signal, .. }) = arrived.try_recv() {
        asked_by = Some(signal);
    }
    Ok(Ended { status: child.wait()?, asked_by, is_killed })
}

/// Hears signals, those that are blocked and those that come while they are not.
fn listen(blocked: &BlockedSignals, sender: &mpsc::UnboundedSender<Arrived>) -> io::Result<()> {
    let status = ignored_signals();
    for stop in STOPS {
        let kind = SignalKind::from_raw(stop as i32);
        // A handler would not be inherited as an ignored signal is.
        if is_ignored(&status, kind) {
            continue;
        }
        let mut signals = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let arrived = Arrived { signal: stop, is_of_terminal: false };
                if sender.send(arrived).is_err() {
                    break;
                }
            }
        });
    }
    let signals = SignalFd::with_flags(&blocked.set, SfdFlags::SFD_CLOEXEC)?;
    let sender = sender.clone();
    thread::Builder::new()
        .name("concaudit-signals".to_owned())
        .stack_size(64 * 1024)
        .spawn(move || hear(&signals, &sender))?;
    Ok(())
}

/// Reads blocked signals until nobody wants to hear of them.
fn hear(signals: &SignalFd, sender: &mpsc::UnboundedSender<Arrived>) {
    /// How often it is looked whether anybody listens still.
    const PERIOD: u16 = 100;
    while !sender.is_closed() {
        let mut descriptors = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut descriptors, PERIOD), Ok(1..)) {
            continue;
        }
        let Ok(Some(info)) = signals.read_signal() else { continue };
        let Ok(signal) = Signal::try_from(info.ssi_signo.cast_signed()) else { continue };
        let is_of_terminal = info.ssi_code == SI_KERNEL;
        let _ = sender.send(Arrived { signal, is_of_terminal });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ends_as_asked_has_not_failed() {
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        let died = |signal: Signal| ExitStatus::from_raw(signal as i32);
        let int = Some(Signal::SIGINT);
        for (status, asked_by, is_killed, outcome) in [
            (exited(0), None, false, Outcome::Passed),
            (exited(3), None, false, Outcome::Failed),
            (exited(130), None, false, Outcome::Failed),
            (died(Signal::SIGINT), None, false, Outcome::Signalled(2)),
            (exited(0), int, false, Outcome::Passed),
            (exited(130), int, false, Outcome::Passed),
            (exited(101), int, false, Outcome::Failed),
            (died(Signal::SIGINT), int, false, Outcome::Passed),
            (died(Signal::SIGABRT), int, false, Outcome::Signalled(6)),
            (died(Signal::SIGKILL), int, true, Outcome::Failed),
        ] {
            let ended = Ended { status, asked_by, is_killed };
            assert_eq!(ended.outcome(), outcome, "{ended:?}");
        }
    }
}
