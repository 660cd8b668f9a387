//! The phase in which cargo calls us in place of rustc, once per crate.
//!
//! Who comes in: cargo, as `RUSTC_WRAPPER`, with [`STATE_ENV`] set by
//! [`super::build()`]. Its questions (`-vV`, `--print`) and its host crates
//! (build scripts, procedural macros) pass through untouched; a crate for the
//! target gets the probe. Then rustc takes over, or the wrapper that the user
//! had before us; we stay to read what it says.
//!
//! ```text
//! phase ─ plan       which arguments the crate gets, and which facades apply to it
//!       ├ compile    one call of rustc, its messages passed on as they come
//!       ├ second     a facade that is compiled from the crate's own arguments
//!       ├ blame      after a failure: was it a facade?
//!       └ notes      what the build is told, in files
//! ```

mod arguments;
mod blame;
mod compile;
mod notes;
mod phase;
mod plan;
mod second;
mod state;

pub use notes::*;
pub use phase::*;
pub use plan::can_be_instrumented;
pub use second::parking_lot_is_supported;
pub use state::*;

/// Changes whenever the wrapper does: cargo's fingerprints know nothing of it.
pub const SOURCES: &str = concat!(
    include_str!("arguments.rs"),
    include_str!("blame.rs"),
    include_str!("compile.rs"),
    include_str!("notes.rs"),
    include_str!("phase.rs"),
    include_str!("plan.rs"),
    include_str!("second.rs"),
    include_str!("state.rs"),
);
