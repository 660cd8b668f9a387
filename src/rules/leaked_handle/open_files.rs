//! Files and sockets that were opened by the project's own code and were open at the
//! exit: notes of `leaked-handle`.
//!
//! Whoever is still there may use them, which is told already; and what lives in a
//! static is meant to stay.

use crate::{
    describe,
    finding::{
        Confidence, Details, Origin, Severity,
        group::{Draft, Groups, Rank},
    },
    model::{
        FileKind, OpenFile, Process, Task, TaskEnd, TaskKind, Test, blame_frame, in_initialiser,
        is_worker, origin,
    },
    project::Project,
};

/// Adds those of a process.
pub fn add(project: &Project, test: &Test, process: &Process, groups: &mut Groups) {
    // The functions that called `exit`, and those around them, were not left.
    if blame_frame(&process.exit_stack).is_some() {
        return;
    }
    for file in &process.open_files {
        let Some(blamed) = blame_frame(&file.stack) else { continue };
        if in_initialiser(&file.stack) || is_in_use(process, file) {
            continue;
        }
        let origin = origin(project, &file.stack, &test.identity);
        let identity = vec![what(file.kind).to_owned(), describe::identity(Some(blamed))];
        let spot = describe::spot(project, Some(blamed));
        let rank = Rank {
            severity: Severity::Note,
            confidence: Confidence::Observed,
            weight: process.ended_ns.saturating_sub(file.opened_ns),
        };
        groups.add(identity, spot, rank, [test.name.clone()], || {
            tell(project, process, file, origin)
        });
    }
}

/// Whether a task or thread that is still there may have it: it opened it, or came
/// after it was opened.
fn is_in_use(process: &Process, file: &OpenFile) -> bool {
    process
        .tasks
        .values()
        .filter(|task| is_there(task))
        .any(|task| file.opener == Some(task.id) || task.created_ns >= file.opened_ns)
}

fn is_there(task: &Task) -> bool {
    task.end == TaskEnd::Alive && task.kind != TaskKind::BlockOn && !is_worker(task)
}

fn what(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Directory => "folder",
        FileKind::Fifo => "named pipe",
        FileKind::TcpListener => "TCP listener",
        FileKind::TcpStream => "TCP socket",
        FileKind::Udp => "UDP socket",
        FileKind::Unix => "Unix socket",
        FileKind::Socket => "socket",
    }
}

fn tell(project: &Project, process: &Process, file: &OpenFile, origin: Origin) -> Option<Draft> {
    let what = what(file.kind);
    let opener = describe::by("opened", &file.stack, origin);
    let lived = process.ended_ns.saturating_sub(file.opened_ns);
    let place = describe::at_stack(project, &file.stack, format!("{what} opened here"));
    let stack = describe::labelled(project, &file.stack, format!("where the {what} was opened"));
    Some(Draft {
        origin,
        message: format!("{what}{opener} was still open when the process exited"),
        locations: describe::places([place])?,
        stacks: stack.into_iter().collect(),
        notes: file.name.iter().map(|name| format!("it is {name}")).collect(),
        minor_notes: vec![format!("opened {} before the exit", describe::duration(lived))],
        help: "whatever owns it was never dropped: look for a `mem::forget`, a `Box::leak`, or a \
               cycle of `Arc`s"
            .to_owned(),
        details: Details::LeakedHandle {
            command: None,
            state: "open".to_owned(),
            file_kind: Some(what.to_owned()),
            file_name: file.name.clone(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Finding,
        model::testing::*,
        rules::{config::Config, leaked_handle::LeakedHandle},
    };

    fn file() -> OpenFile {
        OpenFile {
            kind: FileKind::TcpListener,
            name: Some("127.0.0.1:80".to_owned()),
            stack: stack([std("std::net::TcpListener::bind"), lib("app::Server::bind", 12)]),
            opened_ns: 1_000 * MS,
            opener: Some(4),
        }
    }

    fn left(file: OpenFile, tasks: impl IntoIterator<Item = Task>) -> Process {
        Process { open_files: vec![file], ..process(tasks, []) }
    }

    fn check(process: Process) -> Vec<Finding> {
        crate::rules::check(&LeakedHandle, &run(process), &Config::default())
    }

    #[test]
    fn what_is_open_at_the_exit_is_a_note_with_the_place_where_it_was_opened() {
        let findings = check(left(file(), []));
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Note);
        assert_eq!(
            finding.message,
            "TCP listener opened by `Server::bind` was still open when the process exited"
        );
        assert_eq!(finding.locations[0].line, 12);
        assert!(finding.notes.contains(&"it is 127.0.0.1:80".to_owned()));
    }

    #[test]
    fn what_a_dependency_a_static_or_the_caller_of_exit_has_is_silent() {
        let opened_in = |frames: Vec<crate::model::Frame>| {
            check(left(OpenFile { stack: stack(frames), ..file() }, []))
        };
        assert!(opened_in(vec![dependency("dep::open")]).is_empty());
        let initialiser = std("std::sync::once_lock::OnceLock<T>::get_or_init");
        assert!(opened_in(vec![lib("app::log", 3), initialiser]).is_empty());
        let exits = Process {
            exit_stack: stack([std("std::process::exit"), lib("app::main", 3)]),
            ..left(file(), [])
        };
        assert!(check(exits).is_empty());
    }

    #[test]
    fn who_is_still_there_may_have_it() {
        let alive = |id, created_ns| Task {
            end: TaskEnd::Alive,
            ended_ns: 0,
            created_ns: created_ns * MS,
            ..task(id)
        };
        assert!(check(left(file(), [alive(7, 1_500)])).is_empty(), "it came later");
        assert!(check(left(file(), [alive(4, 500)])).is_empty(), "it opened it");
        assert_eq!(check(left(file(), [alive(7, 500)])).len(), 1, "it was there before");
        assert_eq!(check(left(file(), [task(7)])).len(), 1, "it is gone");
    }
}
