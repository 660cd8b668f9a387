//! Why a file of settings cannot be followed, with the place underlined.

use std::{fmt, ops::Range};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use camino::{Utf8Path, Utf8PathBuf};

/// A file that cannot be read, or a place in it that says nothing sensible.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself.
    #[error("failed to read the configuration {path}: {reason}")]
    Read {
        /// As it was looked for.
        path: Utf8PathBuf,
        /// And what to do next.
        reason: String,
    },
    /// A place in it.
    #[error("{0}")]
    Place(Box<Place>),
}

/// A place in a file, and what is wrong with it.
#[derive(Debug)]
pub struct Place {
    path: Utf8PathBuf,
    text: String,
    span: Range<usize>,
    title: String,
    label: String,
    help: String,
}

impl ConfigError {
    /// `title` says what is wrong, `label` stands under the place, and `help` says what would
    /// be right.
    pub fn at(
        (path, text): (&Utf8Path, &str),
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Place(Box::new(Place {
            path: path.to_owned(),
            text: text.to_owned(),
            span: span.start.min(text.len())..span.end.min(text.len()),
            title: title.into(),
            label: label.into(),
            help: help.into(),
        }))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let annotation = AnnotationKind::Primary.span(self.span.clone()).label(self.label.as_str());
        let snippet =
            Snippet::source(self.text.as_str()).path(self.path.as_str()).annotation(annotation);
        let mut group = Level::ERROR.primary_title(self.title.as_str()).element(snippet);
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(self.help.as_str()));
        }
        let text = Renderer::plain().render(&[group]);
        // The console says that it is an error.
        f.write_str(text.strip_prefix("error: ").unwrap_or(&text))
    }
}
