//! Stacks, their frames, and whose code these are.

use std::sync::Arc;

use camino::Utf8PathBuf;

/// Whose code a frame is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A first-party package, by name.
    Workspace(String),
    /// `std`, `core` or `alloc`.
    Std,
    /// tokio itself.
    Tokio,
    /// The probe, its facades, or the test harness.
    Probe,
    /// Any other dependency, by crate name.
    Dependency(String),
    /// No debug info.
    Unknown,
}

/// One frame, inlined ones included. Shared by all stacks of a run that pass through
/// it: hundreds of processes of a few binaries have the same ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame(Arc<FrameData>);

impl From<FrameData> for Frame {
    fn from(data: FrameData) -> Self {
        Self(Arc::new(data))
    }
}

impl std::ops::Deref for Frame {
    type Target = FrameData;

    fn deref(&self) -> &FrameData {
        &self.0
    }
}

/// What is known of a [`Frame`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrameData {
    /// Demangled, without hash.
    pub function: String,
    /// Absolute, or as the compiler recorded it where it is nowhere on disk.
    pub file: Option<Utf8PathBuf>,
    /// 1-based, 0 where unknown.
    pub line: u32,
    /// 1-based, 0 where unknown.
    pub column: u32,
    /// Whose code it is.
    pub owner: Owner,
    /// Of the project's own code, the function that the line lies in, by the source:
    /// `my_crate::pool::Pool::start`. The same in every build, which `function` is not,
    /// since debug info has short names for what was inlined.
    pub item: Option<String>,
    /// Inlined into the next frame.
    pub inlined: bool,
    /// The call's address in its file, 0 where unknown: tells the instances of
    /// one generic function apart, and the branches of one `join!`.
    pub address: u64,
}

/// A symbolised stack, innermost frame first. Shared: two equal stacks of one
/// process are one `Arc`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Innermost first; empty where none was taken.
    pub frames: Vec<Frame>,
}

/// A source position that the compiler recorded (`#[track_caller]`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// Absolute where it could be resolved.
    pub file: Utf8PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based.
    pub column: u32,
}
