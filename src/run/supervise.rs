//! One test process, from its start until nothing of it is left.
//!
//! The process leads a group of its own. Its exit is observed without reaping
//! it: as long as the leader is a zombie, its id is taken, so a signal to the
//! group cannot hit a group of somebody else's.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt, unix::process::ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    sync::{oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::output::OutputBuffer;
use crate::model::Outcome;

/// How long output may come after the process has exited: another process
/// holds the pipe.
const OUTPUT_GRACE: Duration = Duration::from_millis(200);
/// A process that survives SIGKILL for so long is stuck in the kernel.
const UNKILLABLE: Duration = Duration::from_secs(10);

/// How much time a process gets.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// After this, the process is ended; `None`: never.
    pub time_limit: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// After it, and whenever twice the time has passed, the process is reported as slow.
    pub slow_after: Duration,
}

/// What is wanted of running processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Go on.
    #[default]
    No,
    /// End, with the grace period.
    Terminate,
    /// End at once.
    Kill,
}

/// What is heard from a process while it runs.
#[derive(Debug)]
pub struct Telemetry<Hopeless, Overdue, LastWords> {
    /// Resolves when the process can never go on.
    pub hopeless: Hopeless,
    /// Polled when the process is over its time limit; resolves when it is to be ended for
    /// that.
    pub overdue: Overdue,
    /// Polled before we end the process.
    pub last_words: LastWords,
}

/// A process that is no more.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// Where it exited by itself.
    pub exit_code: Option<i32>,
    /// Wall time from its start until it was gone.
    pub duration: Duration,
    /// Both streams, interleaved; the middle is cut out where it is too long.
    pub output: Vec<u8>,
    /// `None` where it could not be started.
    pub pid: Option<u32>,
}

/// Starts a process and stays with it until it has ended and its group is
/// gone. The output is captured, or else goes where ours goes.
pub async fn supervise(
    mut command: Command,
    program: &str,
    capture: bool,
    limits: Limits,
    mut stop: watch::Receiver<Stop>,
    mut on_slow: impl FnMut(Duration),
    telemetry: Telemetry<
        impl Future<Output = Outcome>,
        impl Future<Output = Outcome>,
        impl Future<Output = ()>,
    >,
) -> Ended {
    let started = Instant::now();
    let could_not = |what: &str, error: &io::Error| Ended {
        outcome: Outcome::SpawnFailed,
        exit_code: None,
        duration: started.elapsed(),
        output: format!("failed to {what} `{program}`: {error}\n").into_bytes(),
        pid: None,
    };
    command.stdin(Stdio::null()).process_group(0);
    let reader = match capture.then(|| capture_output(&mut command)).transpose() {
        Ok(reader) => reader,
        Err(error) => return could_not("capture the output of", &error),
    };
    let spawned = command.spawn();
    // Our copies of the pipe's write end must go, or it never ends.
    drop(command);
    let mut leader = match spawned {
        Ok(child) => Leader { child, reaped: false },
        Err(error) => return could_not("start", &error),
    };
    let group = leader.group();

    let output = Arc::new(Mutex::new(OutputBuffer::default()));
    let mut reading = reader.map(|reader| tokio::spawn(read_output(reader, Arc::clone(&output))));
    let exited = match observe_exit(group) {
        Ok(exited) => exited,
        Err(error) => {
            signal_group(group, Signal::SIGKILL);
            leader.reap();
            return could_not("supervise", &error);
        }
    };

    let ended_by_us = OnceLock::new();
    let end = async {
        let Telemetry { hopeless, overdue, last_words } = telemetry;
        let time_limit = async {
            match limits.time_limit {
                Some(limit) => sleep_until(started + limit).await,
                None => std::future::pending().await,
            }
            overdue.await
        };
        tokio::pin!(time_limit, hopeless);
        let slow_after = limits.slow_after.max(Duration::from_millis(1));
        let mut next_slow = slow_after;
        let outcome = loop {
            tokio::select! {
                () = reached(&mut stop, Stop::Terminate) => break Outcome::Interrupted,
                outcome = &mut hopeless => break outcome,
                outcome = &mut time_limit => break outcome,
                () = sleep_until(started + next_slow) => {
                    on_slow(started.elapsed());
                    // At growing distances: an hour is told in ten lines.
                    next_slow = next_slow.saturating_mul(2);
                }
            }
        };
        // Whoever asks once more does not want to wait for them.
        let hurry = if outcome == Outcome::Interrupted { Stop::Kill } else { Stop::Terminate };
        tokio::select! {
            () = reached(&mut stop, hurry) => {}
            () = last_words => {}
        }
        let _ = ended_by_us.set(outcome);
        signal_group(group, Signal::SIGTERM);
        tokio::select! {
            () = reached(&mut stop, Stop::Kill) => {}
            () = sleep(limits.grace) => {}
        }
        signal_group(group, Signal::SIGKILL);
        sleep(UNKILLABLE).await;
    };
    let is_gone = tokio::select! {
        biased;
        _ = exited => true,
        () = end => false,
    };
    let duration = started.elapsed();

    // What the process itself wrote is in the pipe by now; what others of its
    // group have to say gets a moment. Then they are ended.
    let all_read = match &mut reading {
        Some(reading) => timeout(OUTPUT_GRACE, reading).await.is_ok(),
        None => true,
    };
    signal_group(group, Signal::SIGKILL);
    if let Some(reading) = reading.as_mut().filter(|_| !all_read) {
        // Ended as soon as the last one is dead, unless one left the group.
        let _ = timeout(OUTPUT_GRACE, &mut *reading).await;
        reading.abort();
    }
    let status = if is_gone { leader.reap() } else { None };
    let output = std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
    let (outcome, exit_code) = match (ended_by_us.get(), status) {
        (Some(outcome), _) => (*outcome, None),
        (None, Some(status)) => (outcome_of(status), status.code()),
        (None, None) => (Outcome::Failed, None),
    };
    Ended {
        outcome,
        exit_code,
        duration,
        output: output.into_bytes(),
        pid: Some(leader.child.id()),
    }
}

fn outcome_of(status: ExitStatus) -> Outcome {
    match status.signal() {
        Some(signal) => Outcome::Signalled(signal),
        None if status.success() => Outcome::Passed,
        None => Outcome::Failed,
    }
}

/// One pipe for both streams, so that their lines keep their order.
fn capture_output(command: &mut Command) -> io::Result<pipe::Receiver> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    pipe::Receiver::from_owned_fd(OwnedFd::from(reader))
}

async fn read_output(mut reader: pipe::Receiver, output: Arc<Mutex<OutputBuffer>>) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = reader.read(&mut chunk).await {
        output.lock().unwrap_or_else(PoisonError::into_inner).push(&chunk[..length]);
    }
}

/// Resolves when the process has exited, and leaves it to be reaped.
pub fn observe_exit(pid: Pid) -> io::Result<oneshot::Receiver<()>> {
    let (sender, receiver) = oneshot::channel();
    // Not a blocking task of the runtime: those would keep it from shutting
    // down while a process is stuck in the kernel.
    thread::Builder::new().name("concaudit-wait".to_owned()).stack_size(64 * 1024).spawn(
        move || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), flags) == Err(Errno::EINTR) {}
            let _ = sender.send(());
        },
    )?;
    Ok(receiver)
}

/// The process that leads the group. Dropped unreaped (the run was given up), it
/// takes the group with it.
#[derive(Debug)]
struct Leader {
    child: Child,
    reaped: bool,
}

impl Leader {
    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// From here on the group's id may be given to others.
    fn reap(&mut self) -> Option<ExitStatus> {
        self.reaped = true;
        self.child.wait().ok()
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.reaped {
            signal_group(self.group(), Signal::SIGKILL);
        }
    }
}

/// A group without members that could be signalled is what we want anyway.
fn signal_group(group: Pid, signal: Signal) {
    let _ = killpg(group, signal);
}

async fn reached(stop: &mut watch::Receiver<Stop>, level: Stop) {
    if stop.wait_for(|current| *current >= level).await.is_err() {
        std::future::pending::<()>().await;
    }
}
