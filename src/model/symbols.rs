//! Symbolises runtime addresses from the debug info of the binary that they
//! lie in.
//!
//! One [`Symboliser`] serves a whole run: hundreds of processes share a few
//! binaries of up to hundreds of megabytes, so that a binary is opened once and
//! each distinct address in it is looked up once. It may be used from several
//! threads at a time.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use addr2line::Loader;
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use object::{Object, ObjectSymbol, SymbolKind};
use rustc_hash::FxHashMap;

use super::{Frame, Owner, Stack, owner};
use crate::project::Project;

/// An executable or shared object as it was mapped into a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Where it lies on disk.
    pub path: Utf8PathBuf,
    /// Runtime address minus address in the file.
    pub base: u64,
    /// First runtime address.
    pub start: u64,
    /// First runtime address beyond it.
    pub end: u64,
}

/// The symbols of every binary of a run, looked up once.
pub struct Symboliser {
    project: Arc<Project>,
    binaries: Mutex<FxHashMap<Utf8PathBuf, Arc<Binary>>>,
    paths: Mutex<FxHashMap<String, Utf8PathBuf>>,
}

impl fmt::Debug for Symboliser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symboliser").finish_non_exhaustive()
    }
}

impl Symboliser {
    /// A symboliser that tells the code of `project` from everybody else's.
    pub fn new(project: Arc<Project>) -> Self {
        Self { project, binaries: Mutex::default(), paths: Mutex::default() }
    }

    /// Whose code is whose.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The stack that consists of the given return addresses, innermost first.
    /// An address outside every module, or in one without symbols, becomes a
    /// frame named by its address.
    pub fn stack(&self, modules: &[Module], addresses: &[u64]) -> Stack {
        let mut frames = Vec::with_capacity(addresses.len());
        for &address in addresses {
            // A return address is that of the instruction after the call, which
            // may belong to another line or even to another function.
            let call = address.saturating_sub(1);
            match modules.iter().find(|module| (module.start..module.end).contains(&call)) {
                Some(module) => {
                    let binary = self.binary(&module.path);
                    frames.extend_from_slice(&self.frames(&binary, call.wrapping_sub(module.base)));
                }
                None => frames.push(unknown_frame(address)),
            }
        }
        Stack { frames }
    }

    /// The static that contains a runtime address, by the symbol table:
    /// `my_crate::LOCK`.
    pub fn symbol_of_data(&self, module: &Module, address: u64) -> Option<String> {
        if !(module.start..module.end).contains(&address) {
            return None;
        }
        let binary = self.binary(&module.path);
        let statics = binary.statics.get_or_init(|| read_statics(&module.path));
        let address = address.wrapping_sub(module.base);
        let index = statics.partition_point(|symbol| symbol.start <= address).checked_sub(1)?;
        let symbol = &statics[index];
        (address - symbol.start < symbol.size.max(1)).then(|| tidy(&demangle(&symbol.name)))
    }

    /// A file as it is on disk; unchanged where it is nowhere.
    pub fn resolve_file(&self, recorded: &str) -> Utf8PathBuf {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = paths.get(recorded) {
            return path.clone();
        }
        let path = Utf8Path::new(recorded);
        let absolute = if path.is_absolute() {
            path.to_owned()
        } else {
            // Cargo compiles members with paths relative to the workspace root.
            let joined = self.project.workspace_root.join(path);
            if joined.exists() { joined } else { path.to_owned() }
        };
        let resolved = if absolute.is_absolute() {
            absolute.canonicalize_utf8().unwrap_or_else(|_| normalise(&absolute))
        } else {
            absolute
        };
        paths.insert(recorded.to_owned(), resolved.clone());
        resolved
    }

    fn binary(&self, path: &Utf8Path) -> Arc<Binary> {
        let mut binaries = self.binaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(binary) = binaries.get(path) {
            return Arc::clone(binary);
        }
        let binary = Arc::new(Binary::default());
        binaries.insert(path.to_owned(), Arc::clone(&binary));
        drop(binaries);
        let mut lookup = binary.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        if !lookup.opened {
            lookup.opened = true;
            // A binary that is gone or stripped leaves frames without names;
            // the stack is worth showing all the same.
            lookup.loader = Loader::new(path).ok();
        }
        drop(lookup);
        binary
    }

    fn frames(&self, binary: &Binary, address: u64) -> Arc<[Frame]> {
        let mut lookup = binary.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frames) = lookup.frames.get(&address) {
            return Arc::clone(frames);
        }
        let frames: Arc<[Frame]> = lookup
            .loader
            .as_ref()
            .map(|loader| self.look_up(loader, address))
            .filter(|frames| !frames.is_empty())
            .unwrap_or_else(|| vec![unknown_frame(address)])
            .into();
        lookup.frames.insert(address, Arc::clone(&frames));
        frames
    }

    fn look_up(&self, loader: &Loader, address: u64) -> Vec<Frame> {
        let mut found = Vec::new();
        if let Ok(mut iter) = loader.find_frames(address) {
            while let Ok(Some(frame)) = iter.next() {
                let name = frame
                    .function
                    .as_ref()
                    .and_then(|name| name.raw_name().ok().map(std::borrow::Cow::into_owned));
                let location = frame.location.map(|location| {
                    (
                        location.file.map(|file| self.resolve_file(file)),
                        location.line.unwrap_or(0),
                        location.column.unwrap_or(0),
                    )
                });
                found.push((name, location.unwrap_or((None, 0, 0))));
            }
        }
        if found.is_empty() {
            found.push((None, (None, 0, 0)));
        }
        // Only the outermost function of an address has a symbol of its own.
        // The symbol table has full paths where DWARF may have short names.
        let symbol = loader.find_symbol(address);
        let last = found.len() - 1;
        if let Some(symbol) = symbol
            && found[last].0.as_deref().is_none_or(|name| !is_mangled(name))
        {
            found[last].0 = Some(symbol.to_owned());
        }
        if found[last].0.is_none() && found[last].1.0.is_none() {
            return Vec::new();
        }
        found
            .into_iter()
            .enumerate()
            .map(|(index, (name, (file, line, column)))| {
                let function = name.map_or_else(
                    || format!("<unknown at {address:#x}>"),
                    |name| with_module(tidy(&demangle(&name)), file.as_deref(), &self.project),
                );
                let owner = owner::owner_of(&self.project, file.as_deref(), &function);
                Frame { function, file, line, column, owner, inlined: index < last, address }
            })
            .collect()
    }
}

#[derive(Default)]
struct Binary {
    lookup: Mutex<Lookup>,
    statics: OnceLock<Vec<Static>>,
}

#[derive(Default)]
struct Lookup {
    opened: bool,
    loader: Option<Loader>,
    /// By address in the file.
    frames: FxHashMap<u64, Arc<[Frame]>>,
}

struct Static {
    start: u64,
    size: u64,
    name: String,
}

fn unknown_frame(address: u64) -> Frame {
    Frame {
        function: format!("<unknown at {address:#x}>"),
        file: None,
        line: 0,
        column: 0,
        owner: Owner::Unknown,
        inlined: false,
        address,
    }
}

fn read_statics(path: &Utf8Path) -> Vec<Static> {
    let Ok(file) = fs_err::File::open(path) else { return Vec::new() };
    // Reads the parts that are asked for: the file may be hundreds of megabytes.
    let cache = object::ReadCache::new(file);
    let Ok(object) = object::File::parse(&cache) else { return Vec::new() };
    let mut statics: Vec<Static> = object
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.is_definition())
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            (!name.is_empty()).then(|| Static {
                start: symbol.address(),
                size: symbol.size(),
                name: name.to_owned(),
            })
        })
        .collect();
    statics.sort_by_key(|symbol| symbol.start);
    statics
}

/// `path` without `.` and `..`, by its text alone.
fn normalise(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                out.pop();
            }
            other => out.push(other.as_str()),
        }
    }
    out
}

fn is_mangled(name: &str) -> bool {
    rustc_demangle::try_demangle(name).is_ok()
}

fn demangle(name: &str) -> String {
    // Debug info keeps the suffix that LLVM appends to copies (`.llvm.123`).
    rustc_demangle::try_demangle(name)
        .map_or_else(|_| name.to_owned(), |demangled| format!("{demangled:#}"))
}

/// Line tables give an inlined function a short name (`lock<T>`); its file tells
/// the crate and the module, all but the type: `tokio::sync::mutex::lock`.
fn with_module(function: String, file: Option<&Utf8Path>, project: &Project) -> String {
    let Some(file) = file else { return function };
    if function.contains("::") || function.starts_with("__") {
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
    fn a_real_binary_gives_functions_lines_and_statics() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        let source = "pub static LOCK: std::sync::Mutex<u32> = std::sync::Mutex::new(1);\n\
            mod inner { #[inline(never)] pub fn work() { *super::LOCK.lock().unwrap() += 1; } }\n\
            fn main() { inner::work(); }\n";
        fs_err::write(root.join("tiny.rs"), source).unwrap();
        let status = std::process::Command::new("rustc")
            .args(["-C", "debuginfo=line-tables-only", "--crate-name", "tiny", "tiny.rs"])
            .current_dir(&root)
            .status()
            .unwrap();
        assert!(status.success());
        let path = root.join("tiny");
        let data = fs_err::read(&path).unwrap();
        let object = object::File::parse(&*data).unwrap();
        let address = |part: &str| {
            let hit = |symbol: &object::Symbol| {
                symbol.name().is_ok_and(|name| tidy(&demangle(name)) == part)
            };
            object.symbols().find(hit).unwrap().address()
        };
        let symbols = Symboliser::new(Arc::new(Project {
            workspace_root: root.clone(),
            packages: Vec::new(),
        }));
        let base = 0x5000_0000;
        let module = Module { path, base, start: base, end: base + (1 << 30) };
        let stack = symbols
            .stack(std::slice::from_ref(&module), &[base + address("tiny::inner::work") + 2]);
        let frame = stack.frames.last().unwrap();
        assert_eq!(frame.function, "tiny::inner::work");
        assert_eq!((frame.file.clone(), frame.line), (Some(root.join("tiny.rs")), 2));
        let found = symbols.symbol_of_data(&module, base + address("tiny::LOCK") + 1);
        assert_eq!(found.as_deref(), Some("tiny::LOCK"));
    }

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
