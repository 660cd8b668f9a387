//! What more than one rule needs to know beyond the model.

use crate::model::{Frame, Resource, ResourceKind, Stack, blame_frame, site_frame};

/// Whether a resource of this kind is a lock: something held by one actor at a
/// time, or by several readers. Permits of a semaphore are not.
pub fn is_lock(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::TokioMutex | ResourceKind::TokioRwLock)
}

/// The frame that a finding points at and is grouped by: the blame frame, or
/// where the workspace takes no part, the site's.
pub fn pointed_frame(stack: &Stack) -> Option<&Frame> {
    blame_frame(stack).or_else(|| site_frame(stack))
}

/// The class of a lock as an identity that survives edits: its kind, and the
/// static that it is or the function that creates it. Locks that one function
/// creates are not told apart, since only their lines could.
pub fn class_identity(lock: &Resource) -> String {
    let kind = super::text::type_name(lock);
    match &lock.static_name {
        Some(name) => format!("{kind} {}", super::text::plain(name)),
        None => format!("{kind} {}", super::text::identity(site_frame(&lock.created_stack))),
    }
}
