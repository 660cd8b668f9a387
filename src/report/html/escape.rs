//! Text out of the audited program, made fit for HTML: every name, message, type and path
//! comes through here.

use crate::report::paint::sanitize;

/// Text for an element's content or a quoted attribute. Control characters, and those that
/// turn the direction of text, are shown and not obeyed.
pub fn text(raw: &str) -> String {
    let clean = sanitize(raw);
    let mut escaped = String::with_capacity(clean.len() + clean.len() / 8);
    for letter in clean.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The same of a sentence, with what is between backticks as code.
pub fn prose(raw: &str) -> String {
    let parts: Vec<&str> = raw.split('`').collect();
    let mut escaped = String::new();
    for (index, part) in parts.iter().enumerate() {
        // The last backtick of an odd number opens nothing.
        let is_code = index % 2 == 1 && index + 1 < parts.len();
        if is_code {
            escaped.push_str("<code>");
        } else if index % 2 == 1 {
            escaped.push('`');
        }
        escaped.push_str(&text(part));
        if is_code {
            escaped.push_str("</code>");
        }
    }
    escaped
}

/// A name for an `id`: letters, digits and dashes.
pub fn id(raw: &str) -> String {
    raw.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' })
        .collect()
}

/// JSON for a script element: nothing in it can end the element, or open a comment in it.
pub fn json(value: &serde_json::Value) -> String {
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
