//! The processes that descend from a test, wherever they have gone.
//!
//! A process that leaves its group and its parent still has the environment that it was
//! started with, and in it the variables that make it announce itself.

use std::{
    ffi::OsStr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    time::Duration,
};

use fs_err as fs;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, getpgid, getpid},
};

/// A process that descends from a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descendant {
    /// Of the operating system.
    pub pid: Pid,
    /// Its process group.
    pub group: Pid,
    /// What it runs, as the system names it; may be empty.
    pub command: String,
}

/// Those of this user that live and have all of these variables, in the order of their
/// ids. With `since`, those that were started after that process.
pub fn descendants(variables: &[(&OsStr, &OsStr)], since: Option<Pid>) -> Vec<Descendant> {
    let wanted: Vec<Vec<u8>> = variables
        .iter()
        .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
        .collect();
    let since = since.filter(|since| !has_wrapped(*since));
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<Descendant> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| *pid != getpid() && since.is_none_or(|since| *pid > since))
        .filter(|pid| {
            let environment = environment_of(*pid);
            let has =
                |wanted: &Vec<u8>| environment.split(|byte| *byte == 0).any(|it| it == wanted);
            !environment.is_empty() && wanted.iter().all(has)
        })
        .filter_map(|pid| {
            let group = getpgid(Some(pid)).ok()?;
            Some(Descendant { pid, group, command: command_of(pid) })
        })
        .collect();
    found.sort_by_key(|found| found.pid);
    found
}

/// The environment that a process was started with. A zombie and a thread of the kernel have
/// none, nor for a moment has a process that begins to run another program.
fn environment_of(pid: Pid) -> Vec<u8> {
    const LOOKS: u32 = 5;
    for _ in 0..LOOKS {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { break };
        if !environment.is_empty() || !runs_a_program(pid) {
            return environment;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Vec::new()
}

fn runs_a_program(pid: Pid) -> bool {
    const OF_KERNEL: u64 = 0x0020_0000;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything.
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let mut fields = fields.split_whitespace();
    let is_zombie = fields.next().is_none_or(|state| state == "Z" || state == "X");
    let flags = fields.nth(5).and_then(|flags| flags.parse::<u64>().ok());
    !is_zombie && flags.is_some_and(|flags| flags & OF_KERNEL == 0)
}

/// Ends a process, and the group that it leads.
pub fn end(descendant: &Descendant) {
    let _ = kill(descendant.pid, Signal::SIGKILL);
    if descendant.group == descendant.pid {
        let _ = killpg(descendant.group, Signal::SIGKILL);
    }
}

/// Whether the system has begun to give out ids from the start again.
fn has_wrapped(since: Pid) -> bool {
    let newest = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let newest = newest.split_whitespace().next_back().and_then(|pid| pid.parse::<i32>().ok());
    newest.is_none_or(|newest| newest < since.as_raw())
}

fn command_of(pid: Pid) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    if !words.is_empty() {
        return words.join(" ");
    }
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    std::ffi::OsString::from_vec(name).to_string_lossy().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    const NAME: &str = "CONCAUDIT_TEST_OF_DESCENDANTS";

    fn sleeping(value: &str) -> Child {
        Command::new("sleep").arg("1000").env(NAME, value).spawn().unwrap()
    }

    /// It has the environment of this process until it runs what it is to run.
    fn found(value: &str, since: Option<Pid>) -> Vec<Descendant> {
        let look = || descendants(&[(NAME.as_ref(), value.as_ref())], since);
        for _ in 0..200 {
            let found = look();
            if !found.is_empty() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        look()
    }

    #[test]
    fn a_process_is_known_by_what_it_was_started_with() {
        let value = format!("one-{}", getpid());
        let (mut ours, mut other) = (sleeping(&value), sleeping("another"));
        let seen = found(&value, Some(getpid()));
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].pid.as_raw(), ours.id().cast_signed());
        assert_eq!(seen[0].command, "sleep 1000");
        end(&seen[0]);
        assert!(!ours.wait().unwrap().success());
        assert!(descendants(&[(NAME.as_ref(), value.as_ref())], None).is_empty());
        assert!(other.try_wait().unwrap().is_none(), "it is another run's");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
