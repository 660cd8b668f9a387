//! Colour for text that is returned, not printed: whether there is any is an
//! argument here, where `colored` would ask the process.

use annotate_snippets::normalize_untrusted_str;

/// Puts colour on text, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// Whether there is colour.
    pub enabled: bool,
}

impl Paint {
    fn sgr(self, code: &str, text: &str) -> String {
        if self.enabled && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// For names.
    pub fn bold(self, text: &str) -> String {
        self.sgr("1", text)
    }

    /// For what is not the project's own.
    pub fn dim(self, text: &str) -> String {
        self.sgr("2", text)
    }

    /// For errors.
    pub fn red(self, text: &str) -> String {
        self.sgr("1;91", text)
    }

    /// For warnings.
    pub fn yellow(self, text: &str) -> String {
        self.sgr("1;33", text)
    }

    /// For all's well.
    pub fn green(self, text: &str) -> String {
        self.sgr("1;32", text)
    }

    /// For places of the project's own.
    pub fn cyan(self, text: &str) -> String {
        self.sgr("36", text)
    }
}

/// Text out of the audited program, fit for a terminal: its escape sequences
/// are shown, not obeyed.
pub fn sanitize(text: &str) -> String {
    normalize_untrusted_str(text)
}
