//! What makes two occurrences the same: parts of identities, which survive edits.

use camino::Utf8Path;

use super::type_name;
use crate::{
    finding::group::Spot,
    model::{Frame, Owner, Resource, plain, site_frame},
    project::Project,
};

/// The function of a frame as an identity that survives edits and is the same in every
/// build; of no frame, "".
pub fn identity(frame: Option<&Frame>) -> String {
    let of_frame = |frame: &Frame| frame.item.clone().unwrap_or_else(|| plain(&frame.function));
    frame.map_or_else(String::new, of_frame)
}

/// A text without its numbers, by which texts of one making are alike: names of threads
/// of a pool, messages of panics.
pub fn without_digits(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// Where a frame is; of no frame, nowhere.
pub fn spot(project: &Project, frame: Option<&Frame>) -> Spot {
    let file = frame.and_then(|frame| frame.file.as_deref());
    let file = file.map_or_else(String::new, |file| project.display_path(file));
    (file, frame.map_or(0, |frame| frame.line))
}

/// The class of a lock as an identity that survives edits: its kind, and the
/// static that it is or the function that creates it (or is first to use it);
/// without that, the file that creates it. Locks that one function creates are not
/// told apart, since only their lines could.
pub fn class_identity(project: &Project, lock: &Resource) -> String {
    let kind = type_name(lock);
    if let Some(name) = &lock.static_name {
        return format!("{kind} {}", plain(name));
    }
    if let Some(frame) = site_frame(&lock.created_stack) {
        return format!("{kind} {}", identity(Some(frame)));
    }
    match &lock.created_at {
        Some(site) => format!("{kind} {}", lasting_path(project, &site.file, &lock.creator)),
        None => format!("{kind} "),
    }
}

/// The path of a file, without what differs between machines and versions.
fn lasting_path(project: &Project, file: &Utf8Path, owner: &Owner) -> String {
    let path = project.display_path(file);
    match owner {
        Owner::Dependency(name) => {
            let inside = path.rsplit_once("/src/").map_or("", |(_, inside)| inside);
            format!("{name} {inside}")
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Owner, testing::*};

    #[test]
    fn a_class_is_known_by_its_static_its_creator_or_its_file_and_never_by_a_line() {
        let run = run(process([], []));
        let identity = |lock: &Resource| class_identity(&run.project, lock);
        let std = |line| Resource { created_stack: stack([]), ..std_mutex(1, line) };
        assert_eq!(identity(&std(3)), "std Mutex src/lib.rs");
        assert_eq!(identity(&std(3)), identity(&std(4)));
        assert_eq!(identity(&parking_lot_mutex(1, 3)), "parking_lot Mutex app::State::new");
        let named = Resource { static_name: Some("app::LOCK".to_owned()), ..std(3) };
        assert_eq!(identity(&named), "std Mutex app::LOCK");
        let mut of_dependency = std(3);
        of_dependency.creator = Owner::Dependency("moka".to_owned());
        of_dependency.created_at.as_mut().unwrap().file =
            "/home/me/registry/src/index/moka-0.12.1/src/cache/base.rs".into();
        assert_eq!(identity(&of_dependency), "std Mutex moka cache/base.rs");
    }

    #[test]
    fn the_locks_of_logging_are_internal() {
        let mut lock = std_mutex(1, 3);
        assert!(!lock.is_internal());
        lock.creator = Owner::Dependency("tracing-subscriber".to_owned());
        assert!(lock.is_internal());
    }
}
