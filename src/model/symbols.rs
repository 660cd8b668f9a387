//! Symbolises runtime addresses from the debug info of the binary that they
//! lie in.
//!
//! One [`Symboliser`] serves a whole run: hundreds of processes share a few
//! binaries of up to hundreds of megabytes, so that a binary is opened once and
//! each distinct address in it is looked up once: all processes share the frames,
//! and stacks that are the same. It may be used from several threads at a time.

use std::{
    fmt,
    fs::Metadata,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use addr2line::Loader;
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use object::{Object, ObjectSymbol, SymbolKind};
use rustc_hash::FxHashMap;

use super::{
    Frame, FrameData, Owner, Site, Stack,
    items::{self, Items},
    names::{demangle, in_item, is_mangled, is_short, tidy, with_module},
    owner,
};
use crate::project::Project;

/// An executable or shared object as it was mapped into a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Where it lay on disk.
    pub path: Utf8PathBuf,
    /// Runtime address minus address in the file.
    pub base: u64,
    /// First runtime address.
    pub start: u64,
    /// First runtime address beyond it.
    pub end: u64,
    /// Which file it is; `None` where the process could not tell.
    pub file: Option<FileId>,
}

/// Tells a file from another that has taken its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Of the file system.
    pub device: u64,
    /// In it.
    pub inode: u64,
    /// In bytes: a file may be written anew in its place.
    pub size: u64,
}

impl From<Metadata> for FileId {
    fn from(metadata: Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino(), size: metadata.len() }
    }
}

/// Which file, and where it lay.
type FileKey = (Utf8PathBuf, Option<FileId>);

/// Addresses, each in the binary of a number; 0: in none.
type Addresses = Vec<(usize, u64)>;

/// The symbols of every binary of a run, looked up once.
pub struct Symboliser {
    project: Arc<Project>,
    /// Files that are kept open, since they may be replaced or removed during the run.
    kept: Mutex<FxHashMap<FileId, fs_err::File>>,
    binaries: Mutex<FxHashMap<FileKey, Arc<Binary>>>,
    paths: Mutex<FxHashMap<String, Utf8PathBuf>>,
    stacks: Mutex<FxHashMap<Addresses, Arc<Stack>>>,
    /// What the project's files hold.
    items: Mutex<FxHashMap<Utf8PathBuf, Arc<Items>>>,
}

impl fmt::Debug for Symboliser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symboliser").finish_non_exhaustive()
    }
}

impl Symboliser {
    /// A symboliser that tells the code of `project` from everybody else's.
    pub fn new(project: Arc<Project>) -> Self {
        Self {
            project,
            kept: Mutex::default(),
            binaries: Mutex::default(),
            paths: Mutex::default(),
            stacks: Mutex::default(),
            items: Mutex::default(),
        }
    }

    /// Whose code is whose.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Keeps a file open, so that its symbols can be read when it is gone.
    pub fn keep(&self, path: &Utf8Path) {
        let Ok(file) = fs_err::File::open(path) else { return };
        let Ok(metadata) = file.metadata() else { return };
        lock(&self.kept).insert(metadata.into(), file);
    }

    /// Lets go of what was read of the binaries, which may be much, and of which stacks
    /// are known, which those of another binary are not like. Frames stay.
    pub fn close(&self) {
        lock(&self.stacks).clear();
        let binaries: Vec<Arc<Binary>> = lock(&self.binaries).values().cloned().collect();
        for binary in binaries {
            let mut lookup = lock(&binary.lookup);
            (lookup.is_open, lookup.loader, lookup.statics) = (false, None, None);
        }
    }

    /// The files that were gone, or others, when their symbols were asked for.
    pub fn missing(&self) -> Vec<Utf8PathBuf> {
        let binaries = lock(&self.binaries);
        let gone = binaries.iter().filter(|(_, binary)| lock(&binary.lookup).is_missing);
        let mut missing: Vec<Utf8PathBuf> = gone.map(|((path, _), _)| path.clone()).collect();
        missing.sort();
        missing.dedup();
        missing
    }

    /// The stack that consists of the given return addresses, innermost first.
    /// An address outside every module, or in one without symbols, becomes a
    /// frame named by its address.
    pub fn stack(&self, modules: &[Module], addresses: &[u64]) -> Arc<Stack> {
        // A return address is that of the instruction after the call, which
        // may belong to another line or even to another function.
        let calls = addresses.iter().map(|address| address.saturating_sub(1));
        let places: Vec<(Option<Arc<Binary>>, u64)> = calls
            .map(|call| {
                let module =
                    modules.iter().find(|module| (module.start..module.end).contains(&call));
                match module {
                    Some(module) => (Some(self.binary(module)), call.wrapping_sub(module.base)),
                    None => (None, call + 1),
                }
            })
            .collect();
        let key: Addresses = places
            .iter()
            .map(|(binary, at)| (binary.as_ref().map_or(0, |binary| binary.number), *at))
            .collect();
        if let Some(known) = lock(&self.stacks).get(&key) {
            return Arc::clone(known);
        }
        let mut frames = Vec::with_capacity(addresses.len());
        for (binary, address) in places {
            match binary {
                Some(binary) => frames.extend_from_slice(&self.frames(&binary, address)),
                None => frames.push(unknown_frame("", address)),
            }
        }
        frames.shrink_to_fit();
        let stack = Arc::new(Stack { frames });
        Arc::clone(lock(&self.stacks).entry(key).or_insert(stack))
    }

    /// The static that contains a runtime address, by the symbol table:
    /// `my_crate::LOCK`.
    pub fn symbol_of_data(&self, module: &Module, address: u64) -> Option<String> {
        if !(module.start..module.end).contains(&address) {
            return None;
        }
        let binary = self.binary(module);
        let mut lookup = lock(&binary.lookup);
        let Lookup { source, statics, .. } = &mut *lookup;
        let source = source.as_ref()?;
        let statics = statics.get_or_insert_with(|| read_statics(source));
        let address = address.wrapping_sub(module.base);
        let index = statics.partition_point(|symbol| symbol.start <= address).checked_sub(1)?;
        let symbol = &statics[index];
        (address - symbol.start < symbol.size.max(1)).then(|| tidy(&demangle(&symbol.name)))
    }

    /// A file as it is on disk; unchanged where it is nowhere.
    pub fn resolve_file(&self, recorded: &str) -> Utf8PathBuf {
        let mut paths = lock(&self.paths);
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

    /// The function of the project's sources that a line lies in, with its crate and
    /// modules; `None` of the code of others.
    fn item(&self, file: &Utf8Path, line: u32) -> Option<String> {
        let module = items::module_of(&self.project, file)?;
        let known = lock(&self.items).get(file).cloned();
        let of_file = known.unwrap_or_else(|| {
            let read = Arc::new(Items::of_file(file));
            lock(&self.items).insert(file.to_owned(), Arc::clone(&read));
            read
        });
        Some(format!("{module}::{}", of_file.function_at(line)?))
    }

    /// The frame of the function that a position lies in; `None` of the code of others, and
    /// where the function is not known.
    pub fn frame_at(&self, site: &Site) -> Option<Frame> {
        let package = self.project.package_of(&site.file)?;
        let item = self.item(&site.file, site.line)?;
        let frame = FrameData {
            function: item.clone(),
            file: Some(site.file.clone()),
            line: site.line,
            column: site.column,
            owner: Owner::Workspace(package.name.clone()),
            item: Some(item),
            inlined: false,
            address: 0,
        };
        Some(frame.into())
    }

    fn binary(&self, module: &Module) -> Arc<Binary> {
        let mut binaries = lock(&self.binaries);
        let number = binaries.len() + 1;
        let binary = binaries
            .entry((module.path.clone(), module.file))
            .or_insert_with(|| Arc::new(Binary::new(number, &module.path)));
        let binary = Arc::clone(binary);
        drop(binaries);
        let mut lookup = lock(&binary.lookup);
        if !lookup.is_open {
            lookup.is_open = true;
            lookup.source = self.source(module);
            // A binary that is gone or stripped leaves frames without names;
            // the stack is worth showing all the same.
            lookup.loader = lookup.source.as_ref().and_then(|source| Loader::new(source).ok());
            // What never was a file (the vDSO) is not missed.
            lookup.is_missing = lookup.source.is_none() && module.file.is_some();
        }
        drop(lookup);
        binary
    }

    /// Where the very file can be read that was mapped.
    fn source(&self, module: &Module) -> Option<Utf8PathBuf> {
        let there = fs_err::metadata(&module.path).ok().map(FileId::from);
        let Some(wanted) = module.file else {
            return there.map(|_| module.path.clone());
        };
        if there == Some(wanted) {
            return Some(module.path.clone());
        }
        let kept = lock(&self.kept);
        let descriptor = kept.get(&wanted)?.file().as_raw_fd();
        Some(format!("/proc/self/fd/{descriptor}").into())
    }

    fn frames(&self, binary: &Binary, address: u64) -> Arc<[Frame]> {
        let mut lookup = lock(&binary.lookup);
        if let Some(frames) = lookup.frames.get(&address) {
            return Arc::clone(frames);
        }
        let frames: Arc<[Frame]> = lookup
            .loader
            .as_ref()
            .map(|loader| self.look_up(loader, address))
            .filter(|frames| !frames.is_empty())
            .unwrap_or_else(|| vec![unknown_frame(&binary.name, address)])
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
                let item = file.as_deref().and_then(|file| self.item(file, line));
                let function = name.map_or_else(
                    || format!("<unknown at {address:#x}>"),
                    |name| {
                        let name = tidy(&demangle(&name));
                        match &item {
                            Some(item) if is_short(&name) => in_item(item, &name),
                            _ => with_module(name, file.as_deref(), &self.project),
                        }
                    },
                );
                let owner = owner::owner_of(&self.project, file.as_deref(), &function);
                let item = item.filter(|_| matches!(owner, Owner::Workspace(_)));
                let inlined = index < last;
                FrameData { function, file, line, column, owner, item, inlined, address }.into()
            })
            .collect()
    }
}

struct Binary {
    /// From 1, in the order in which they were met.
    number: usize,
    /// Its file's, without the folder.
    name: String,
    lookup: Mutex<Lookup>,
}

impl Binary {
    fn new(number: usize, path: &Utf8Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_owned();
        Self { number, name, lookup: Mutex::default() }
    }
}

#[derive(Default)]
struct Lookup {
    is_open: bool,
    /// Its file is gone.
    is_missing: bool,
    /// Where it is read; `None` where that cannot be.
    source: Option<Utf8PathBuf>,
    loader: Option<Loader>,
    /// In the order of their addresses, once they were asked for.
    statics: Option<Vec<Static>>,
    /// By address in the file.
    frames: FxHashMap<u64, Arc<[Frame]>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Static {
    start: u64,
    size: u64,
    name: String,
}

/// `module` is empty where there is none.
fn unknown_frame(module: &str, address: u64) -> Frame {
    let at = if module.is_empty() { String::new() } else { format!("{module}+") };
    Frame::from(FrameData {
        function: format!("<unknown at {at}{address:#x}>"),
        file: None,
        line: 0,
        column: 0,
        owner: Owner::Unknown,
        item: None,
        inlined: false,
        address,
    })
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
            ..Project::default()
        }));
        let base = 0x5000_0000;
        let module = Module { path, base, start: base, end: base + (1 << 30), file: None };
        let stack = symbols
            .stack(std::slice::from_ref(&module), &[base + address("tiny::inner::work") + 2]);
        let frame = stack.frames.last().unwrap();
        assert_eq!(frame.function, "tiny::inner::work");
        assert_eq!((frame.file.clone(), frame.line), (Some(root.join("tiny.rs")), 2));
        let found = symbols.symbol_of_data(&module, base + address("tiny::LOCK") + 1);
        assert_eq!(found.as_deref(), Some("tiny::LOCK"));
    }
}
