//! Where to point at.

use crate::{
    finding::{LabelledStack, Location, Origin, Role, StackFrame},
    model::{Frame, Owner, Site, Stack, pointed_frame, short, user_frames},
    project::Project,
};

/// A place for a frame that has a line.
pub fn at_frame(project: &Project, frame: &Frame, label: impl Into<String>) -> Option<Location> {
    let file = frame.file.as_deref()?;
    (frame.line > 0).then(|| Location {
        file: project.display_path(file),
        absolute_path: project.absolute_path(file),
        line: frame.line,
        column: (frame.column > 0).then_some(frame.column),
        function: frame.function.clone(),
        label: label.into(),
        role: Role::Secondary,
    })
}

/// A place for a position that the compiler recorded.
pub fn at_site(project: &Project, site: &Site, label: impl Into<String>) -> Location {
    Location {
        file: project.display_path(&site.file),
        absolute_path: project.absolute_path(&site.file),
        line: site.line,
        column: (site.column > 0).then_some(site.column),
        function: String::new(),
        label: label.into(),
        role: Role::Secondary,
    }
}

/// A place for a stack: its blame frame, or the nearest thing to it.
pub fn at_stack(project: &Project, stack: &Stack, label: impl Into<String>) -> Option<Location> {
    at_frame(project, pointed_frame(stack)?, label)
}

/// A place for a stack or, where that leads nowhere, for what the compiler recorded.
pub fn at_stack_or_site(
    project: &Project,
    stack: &Stack,
    site: Option<&Site>,
    label: impl Into<String>,
) -> Option<Location> {
    let label = label.into();
    at_stack(project, stack, label.clone()).or_else(|| Some(at_site(project, site?, label)))
}

/// " spawned by `Pool::start`", " spawned by the test": who has `done` it, by its stack;
/// nothing where that leads nowhere.
pub fn by(done: &str, stack: &Stack, origin: Origin) -> String {
    by_frame(done, pointed_frame(stack), origin)
}

/// The same, of a frame that is known.
pub fn by_frame(done: &str, frame: Option<&Frame>, origin: Origin) -> String {
    match (frame, origin) {
        (Some(_), Origin::Test) => format!(" {done} by the test"),
        (Some(frame), _) => format!(" {done} by `{}`", short(&frame.function)),
        (None, _) => String::new(),
    }
}

/// Makes the first place the primary one, and drops repetitions. `None` where
/// there is nowhere to point at.
pub fn places(places: impl IntoIterator<Item = Option<Location>>) -> Option<Vec<Location>> {
    let mut kept: Vec<Location> = Vec::new();
    for place in places.into_iter().flatten() {
        let seen = |other: &Location| {
            (&other.file, other.line, &other.label) == (&place.file, place.line, &place.label)
        };
        if !kept.iter().any(seen) {
            kept.push(place);
        }
    }
    kept.first_mut()?.role = Role::Primary;
    Some(kept)
}

/// A stack to be shown, unless nothing of it is worth showing.
pub fn labelled(
    project: &Project,
    stack: &Stack,
    label: impl Into<String>,
) -> Option<LabelledStack> {
    let frames: Vec<StackFrame> =
        user_frames(stack).into_iter().map(|frame| stack_frame(project, frame)).collect();
    (!frames.is_empty()).then(|| LabelledStack { label: label.into(), frames })
}

/// A frame as it is reported.
pub fn stack_frame(project: &Project, frame: &Frame) -> StackFrame {
    let file = frame.file.as_deref();
    StackFrame {
        function: frame.function.clone(),
        file: file.map(|file| project.display_path(file)),
        absolute_path: file.and_then(|file| project.absolute_path(file)),
        line: (frame.line > 0).then_some(frame.line),
        first_party: matches!(frame.owner, Owner::Workspace(_)),
    }
}

/// `src/lib.rs:7:9`
pub fn site(project: &Project, site: &Site) -> String {
    format!("{}:{}:{}", project.display_path(&site.file), site.line, site.column)
}
