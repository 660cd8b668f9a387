//! What more than one rule needs to know beyond the model.

use crate::model::{Resource, ResourceKind, site_frame};

/// Whether a resource of this kind is a lock: something held by one actor at a
/// time, or by several readers. Permits of a semaphore are not.
pub fn is_lock(kind: ResourceKind) -> bool {
    match kind {
        ResourceKind::TokioMutex
        | ResourceKind::TokioRwLock
        | ResourceKind::StdMutex
        | ResourceKind::StdRwLock
        | ResourceKind::ParkingLotMutex
        | ResourceKind::ParkingLotRwLock
        | ResourceKind::LockApiMutex
        | ResourceKind::LockApiRwLock
        | ResourceKind::TokioWatch => true,
        ResourceKind::TokioSemaphore
        | ResourceKind::TokioSleep
        | ResourceKind::TokioInterval
        | ResourceKind::TokioOneshot
        | ResourceKind::TokioBarrier
        | ResourceKind::Other => false,
    }
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
