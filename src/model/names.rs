//! Names of functions as debug info has them, made readable and alike in every build.

use camino::Utf8Path;

use super::{Owner, owner};
use crate::project::Project;

pub fn is_mangled(name: &str) -> bool {
    rustc_demangle::try_demangle(name).is_ok()
}

pub fn demangle(name: &str) -> String {
    // Debug info keeps the suffix that LLVM appends to copies (`.llvm.123`).
    rustc_demangle::try_demangle(name)
        .map_or_else(|_| name.to_owned(), |demangled| format!("{demangled:#}"))
}

/// Whether a name has no path, as that of an inlined function: `lock<a::B>`.
pub fn is_short(function: &str) -> bool {
    !function.starts_with('<') && !function.split('<').next().is_some_and(|it| it.contains("::"))
}

/// An inlined function by the item that its line lies in, and what it is within it: one
/// of its closures, where its short name says so.
pub fn in_item(item: &str, name: &str) -> String {
    if name.starts_with("{{") { format!("{item}::{{{{closure}}}}") } else { item.to_owned() }
}

/// Line tables give an inlined function a short name (`lock<T>`); its file tells
/// the crate and the module, all but the type: `tokio::sync::mutex::lock`.
pub fn with_module(function: String, file: Option<&Utf8Path>, project: &Project) -> String {
    let Some(file) = file else { return function };
    if !is_short(&function) || function.starts_with("__") {
        return function;
    }
    let krate = match owner::owner_of(project, Some(file), "") {
        Owner::Workspace(name) | Owner::Dependency(name) => name.replace('-', "_"),
        Owner::Tokio => "tokio".to_owned(),
        Owner::Std => {
            let mut parts = file.components().map(|part| part.as_str());
            let Some(_) = parts.find(|part| *part == "library") else { return function };
            parts.next().unwrap_or("std").to_owned()
        }
        Owner::Probe | Owner::Unknown => return function,
    };
    let parts: Vec<&str> = file.components().map(|part| part.as_str()).collect();
    let Some(source) = parts.iter().rposition(|part| *part == "src") else { return function };
    let mut path = krate;
    for part in &parts[source + 1..] {
        let module = part.strip_suffix(".rs").unwrap_or(part);
        if !matches!(module, "lib" | "main" | "mod") {
            path.push_str("::");
            path.push_str(module);
        }
    }
    let name = function.split('<').next().unwrap_or(&function);
    format!("{path}::{name}")
}

/// Type arguments longer than this say nothing to a person.
const MAX_ARGUMENTS: usize = 40;

/// A demangled path as a person reads it: without turbofish, with short type
/// arguments only, `<a::B>::c` as `a::B::c`, and one spelling of closures.
pub fn tidy(name: &str) -> String {
    let name = one_closure_form(name);
    let name = tidy_arguments(&name);
    unwrap_inherent(&name)
}

/// `{closure#0}`, `{async_block#0}`, `{async_fn_env#0}`, ... as `{{closure}}`,
/// what the two manglings and the debug info call the same thing.
fn one_closure_form(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let tail = &rest[open..];
        if let Some(after) = tail.strip_prefix("{{") {
            let end = after.find("}}").map_or(tail.len(), |end| end + 4);
            out.push_str(&tail[..end]);
            rest = &tail[end..];
            continue;
        }
        let end = tail.find('}').map_or(tail.len(), |end| end + 1);
        let inner = tail[..end].trim_start_matches('{').trim_end_matches('}');
        let kind = inner.split('#').next().unwrap_or(inner).trim_end_matches("_env");
        let kind = kind.split(':').next().unwrap_or(kind);
        if kind == "impl" {
            out.push_str(&tail[..end]);
        } else if matches!(
            kind,
            "closure"
                | "async_block"
                | "async_fn"
                | "async_closure"
                | "coroutine"
                | "async_gen_block"
                | "gen_block"
        ) {
            out.push_str("{{closure}}");
        } else {
            out.push_str("{{");
            out.push_str(kind);
            out.push_str("}}");
        }
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

/// Drops `::<..>` and shortens long `Type<..>` lists; a leading `<` (of
/// `<T as Trait>`) is grouping, not an argument list, and is kept.
fn tidy_arguments(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = String::with_capacity(name.len());
    let mut i = 0;
    while i < name.len() {
        let char = name[i..].chars().next().unwrap_or_default();
        if char == '<' {
            let end = matching(bytes, i);
            let inner = &name[i + 1..end.min(name.len())];
            let close = (end + 1).min(name.len());
            // `::<impl T for U>::method` is how the legacy mangling writes it.
            let grouping = i == 0
                || (out.ends_with("::") && inner.starts_with("impl "))
                || !(out.ends_with("::")
                    || out.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '}'));
            if grouping {
                out.push('<');
                out.push_str(&tidy_arguments(inner));
                out.push('>');
            } else if out.ends_with("::") {
                out.truncate(out.len() - 2);
            } else {
                let arguments = tidy_arguments(inner);
                out.push('<');
                out.push_str(if arguments.len() > MAX_ARGUMENTS { ".." } else { &arguments });
                out.push('>');
            }
            i = close;
        } else {
            out.push(char);
            i += char.len_utf8();
        }
    }
    out
}

/// Where the `<` at `open` is closed; `->` closes nothing.
fn matching(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0usize;
    for i in open..bytes.len() {
        match bytes[i] {
            b'<' => depth += 1,
            b'>' if i > 0 && bytes[i - 1] == b'-' => {}
            b'>' => {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

/// `<a::B>::c` as `a::B::c`; `<T as Trait>::c` stays.
fn unwrap_inherent(name: &str) -> String {
    if !name.starts_with('<') {
        return name.to_owned();
    }
    let end = matching(name.as_bytes(), 0);
    let inner = &name[1..end.min(name.len())];
    let plain = inner.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !inner.starts_with("dyn ")
        && !inner.starts_with("impl ")
        && !has_top_level_as(inner);
    if plain && end < name.len() { format!("{inner}{}", &name[end + 1..]) } else { name.to_owned() }
}

fn has_top_level_as(inner: &str) -> bool {
    let mut depth = 0i32;
    let bytes = inner.as_bytes();
    for i in 0..bytes.len() {
        match bytes[i] {
            b'<' => depth += 1,
            b'>' if i > 0 && bytes[i - 1] != b'-' => depth -= 1,
            b' ' if depth == 0 && inner[i..].starts_with(" as ") => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_manglings_read_alike() {
        assert_eq!(
            tidy("<a::B<u8>>::go::<alloc::vec::Vec<u8>>::{closure#0}"),
            "a::B<u8>::go::{{closure}}"
        );
        assert_eq!(tidy("a::B<T>::go::{{closure}}"), "a::B<T>::go::{{closure}}");
        assert_eq!(tidy("<a::B as a::C>::go"), "<a::B as a::C>::go");
    }
}
