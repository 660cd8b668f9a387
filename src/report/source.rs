//! Source text for excerpts, and what of a line is meant.

use std::ops::Range;

use crate::finding::Location;

/// Where source text comes from, so that no renderer reads files.
pub trait SourceProvider {
    /// The text of a file at its absolute path, or at one from the workspace root;
    /// `None` where there is none to be had.
    fn source(&self, file: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> SourceProvider for F {
    fn source(&self, file: &str) -> Option<String> {
        self(file)
    }
}

/// The text of the file in which these are.
pub fn source_of(sources: &dyn SourceProvider, locations: &[&Location]) -> Option<String> {
    let place = locations.first()?;
    sources.source(place.absolute_path.as_deref().unwrap_or(&place.file))
}

/// The bytes of `line` to underline: the path or name at `column`, with its
/// arguments where they end on the same line; all of the line's text where
/// there is no such column.
pub fn span_of(line: &str, column: Option<u32>) -> Range<usize> {
    let whole = line.len() - line.trim_start().len()..line.trim_end().len();
    // rustc counts characters in `Location` and bytes in debug info; they differ
    // only behind characters beyond ASCII, where being off a little is harmless.
    let Some(start) = column
        .and_then(|column| (column as usize).checked_sub(1))
        .and_then(|skipped| line.char_indices().nth(skipped))
        .map(|(at, _)| at)
        .filter(|at| whole.contains(at))
    else {
        return whole;
    };
    let is_path = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':' | '!');
    let rest = &line[start..whole.end];
    let name = rest.find(|letter| !is_path(letter)).unwrap_or(rest.len());
    if name == 0 {
        let letter = rest.chars().next().map_or(1, char::len_utf8);
        return start..start + letter;
    }
    let mut end = start + name;
    if rest[name..].starts_with('(') {
        let mut depth = 0_usize;
        for (at, letter) in rest[name..].char_indices() {
            match letter {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = start + name + at + 1;
                break;
            }
        }
    }
    start..end
}
