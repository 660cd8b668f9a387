//! How the text is to look.

/// How the text is to look.
#[derive(Debug, Clone, Copy)]
pub struct HumanOptions {
    /// ANSI colours.
    pub color: bool,
    /// Notes and suppressed findings too, whole stacks, all tests.
    pub verbose: bool,
    /// Columns; longer source lines are cut.
    pub width: usize,
}
