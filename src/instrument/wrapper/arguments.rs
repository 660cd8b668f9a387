//! rustc's arguments, as far as they say what we must know or change.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    path::Path,
};

use fs_err as fs;

/// One argument of rustc, with its value where it has one.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// `-C name=value`
    Codegen(&'a str),
    /// `--extern [options:]name[=path]`
    Extern(&'a str),
    /// `--cfg name[="value"]`
    Cfg(&'a str),
    /// `--target triple`
    Target(&'a str),
    /// `--out-dir folder`
    OutDir(&'a str),
    /// `--crate-name name`
    CrateName(&'a str),
    /// `--crate-type kind`
    CrateType(&'a str),
    /// `--edition year`
    Edition,
    /// `--cap-lints level`: what cargo gives to crates that are not the user's.
    CapLints,
    /// `--emit kinds`
    Emit,
    /// `--test`
    Test,
    /// `--print`, `-vV`, `-`: a question, or a source that comes over standard input.
    Question,
    /// `--json kinds`
    Json(&'a str),
    /// `-g`
    Debuginfo,
    /// The crate's root file.
    Source,
    /// Anything else.
    Other,
}

/// How many arguments the one at the front takes up, and what it is.
fn read(args: &[OsString]) -> (Argument<'_>, usize) {
    let Some(first) = args[0].to_str() else { return (Argument::Other, 1) };
    let next = args.get(1).and_then(|next| next.to_str());
    let named = |name: &str| -> Option<(&str, usize)> {
        let rest = first.strip_prefix(name)?;
        match rest.strip_prefix('=') {
            Some(value) => Some((value, 1)),
            None if rest.is_empty() => Some((next?, 2)),
            None => None,
        }
    };
    if let Some((value, width)) = named("-C").or_else(|| named("--codegen")) {
        (Argument::Codegen(value), width)
    } else if let Some(option) = first.strip_prefix("-C") {
        (Argument::Codegen(option), 1)
    } else if let Some((value, width)) = named("--extern") {
        (Argument::Extern(value), width)
    } else if let Some((value, width)) = named("--cfg") {
        (Argument::Cfg(value), width)
    } else if let Some((value, width)) = named("--target") {
        (Argument::Target(value), width)
    } else if let Some((value, width)) = named("--out-dir") {
        (Argument::OutDir(value), width)
    } else if let Some((value, width)) = named("--crate-name") {
        (Argument::CrateName(value), width)
    } else if let Some((value, width)) = named("--crate-type") {
        (Argument::CrateType(value), width)
    } else if let Some((_, width)) = named("--edition") {
        (Argument::Edition, width)
    } else if let Some((_, width)) = named("--cap-lints") {
        (Argument::CapLints, width)
    } else if let Some((_, width)) = named("--emit") {
        (Argument::Emit, width)
    } else if let Some((_, width)) = named("--print") {
        (Argument::Question, width)
    } else if let Some((value, width)) = named("--json") {
        (Argument::Json(value), width)
    } else if let Some((_, width)) = named("--check-cfg").or_else(|| named("-L")) {
        (Argument::Other, width)
    } else if matches!(first, "-vV" | "-V" | "--version" | "-") {
        (Argument::Question, 1)
    } else if first == "--test" {
        (Argument::Test, 1)
    } else if first == "-g" {
        (Argument::Debuginfo, 1)
    } else if !first.starts_with('-') && Path::new(first).extension() == Some(OsStr::new("rs")) {
        (Argument::Source, 1)
    } else {
        (Argument::Other, 1)
    }
}

/// The arguments one by one, each with the words that it is made of.
pub fn each(args: &[OsString]) -> impl Iterator<Item = (Argument<'_>, &[OsString])> {
    let mut rest = args;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (argument, width) = read(rest);
        let (words, tail) = rest.split_at(width);
        rest = tail;
        Some((argument, words))
    })
}

/// What becomes of an argument.
#[derive(Debug)]
pub enum Change {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
    /// These words take its place.
    Replace(Vec<String>),
}

/// The arguments, each changed as `change` says.
pub fn rewrite(args: &[OsString], mut change: impl FnMut(Argument<'_>) -> Change) -> Vec<OsString> {
    let mut rewritten = Vec::with_capacity(args.len() + 24);
    for (argument, words) in each(args) {
        match change(argument) {
            Change::Keep => rewritten.extend_from_slice(words),
            Change::Drop => {}
            Change::Replace(words) => rewritten.extend(words.into_iter().map(OsString::from)),
        }
    }
    rewritten
}

/// The crate's name in `noprelude,priv:name=path`.
pub fn extern_name(value: &str) -> &str {
    let name = value.split_once('=').map_or(value, |(name, _)| name);
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// The path in `noprelude,priv:name=path`.
pub fn extern_path(value: &str) -> Option<&str> {
    value.split_once('=').map(|(_, path)| path)
}

/// The arguments with those from `@file` in place; `None` where there are none.
pub fn expand(args: &[OsString]) -> io::Result<Option<Vec<OsString>>> {
    let file_of = |arg: &OsString| Some(arg.to_str()?.strip_prefix('@')?.to_owned());
    if !args.iter().any(|arg| file_of(arg).is_some()) {
        return Ok(None);
    }
    let mut expanded = Vec::new();
    for arg in args {
        match file_of(arg) {
            Some(file) => expanded.extend(fs::read_to_string(file)?.lines().map(OsString::from)),
            None => expanded.push(arg.clone()),
        }
    }
    Ok(Some(expanded))
}

/// The arguments in a file, for rustc to read.
pub fn write(args: &[OsString]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    for arg in args {
        writeln!(file, "{}", arg.to_string_lossy())?;
    }
    file.flush()?;
    Ok(file)
}
