//! The modules of the tool, and those of the probe's core, lie in floors: each imports only
//! from those below it, and no two of them import each other. Nor do the modules within a floor
//! of the probe, but for its records.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use syn::{
    ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

/// The folders of `src/`, the lowest first.
const TOOL: &[&str] = &[
    "project",
    "config",
    "telemetry",
    "finding",
    "suppress",
    "baseline",
    "model",
    "instrument",
    "run",
    "describe",
    "lock_order",
    "deadlock",
    "hang",
    "rules",
    "report",
    "cli",
];

/// The folders of `probe/core/src/`, the lowest first.
const PROBE: &[&str] = &["platform", "record", "context", "detect", "outbox", "lifecycle"];

/// A module by its path.
type Module = Vec<String>;

/// The modules of a crate, each with those that it imports from.
struct Crate {
    imports: BTreeMap<Module, BTreeSet<Module>>,
}

impl Crate {
    fn read(root: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
        let mut files = Vec::new();
        rust_files(&root, &mut files);
        let modules: BTreeMap<Module, PathBuf> =
            files.into_iter().map(|file| (module_of(&root, &file), file)).collect();
        let known: BTreeSet<Module> = modules.keys().cloned().collect();
        let imports = modules
            .into_iter()
            .map(|(module, file)| {
                let text = fs_err::read_to_string(&file).expect("it is there");
                let tree = syn::parse_file(&text).unwrap_or_else(|error| {
                    panic!("{} is no Rust: {error}", file.display());
                });
                let mut paths = Paths { module: &module, found: Vec::new() };
                paths.visit_file(&tree);
                let found = paths.found.into_iter().filter_map(|path| nearest(&known, path));
                let others = found.filter(|other| *other != module).collect();
                (module, others)
            })
            .collect();
        Self { imports }
    }

    /// Those whose every module imports from its own floor or from lower ones are fine.
    fn assert_floors(&self, floors: &[&str]) {
        let floor_of = |module: &Module| {
            let name = module.first()?;
            let floor = floors.iter().position(|floor| floor == name);
            Some(floor.unwrap_or_else(|| panic!("`{name}` has no floor: add it to the list")))
        };
        let mut wrong = Vec::new();
        for (module, others) in &self.imports {
            let Some(own) = floor_of(module) else { continue };
            let above = others.iter().filter(|other| floor_of(other).is_some_and(|it| it > own));
            wrong.extend(
                above.map(|other| format!("{} -> {}", module.join("::"), other.join("::"))),
            );
        }
        assert!(wrong.is_empty(), "imports from above: {wrong:#?}");
    }

    /// Modules at this depth, those below them included, that import from each other.
    fn circles(&self, depth: usize) -> Vec<String> {
        let unit = |module: &Module| module[..module.len().min(depth)].join("::");
        let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, others) in &self.imports {
            let others = others.iter().map(unit).filter(|other| *other != unit(module));
            imports.entry(unit(module)).or_default().extend(others);
        }
        let reaches = |from: &String, to: &String| {
            let mut seen = BTreeSet::new();
            let mut next: Vec<&String> = imports.get(from).into_iter().flatten().collect();
            while let Some(at) = next.pop() {
                if seen.insert(at) {
                    next.extend(imports.get(at).into_iter().flatten());
                }
            }
            seen.contains(to)
        };
        imports.keys().filter(|module| reaches(module, module)).cloned().collect()
    }
}

/// The paths that a file imports or names, from the root of the crate; those of its unit
/// tests aside.
struct Paths<'a> {
    module: &'a Module,
    found: Vec<Module>,
}

impl Paths<'_> {
    /// Adds a path, where it begins in this crate.
    fn add(&mut self, path: &[String]) {
        let mut rest = path;
        let mut base = match rest.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        while let Some(first @ ("crate" | "self" | "super")) = rest.first().map(String::as_str) {
            if first == "super" {
                base.pop();
            }
            rest = &rest[1..];
        }
        base.extend_from_slice(rest);
        self.found.push(base);
    }

    fn add_tree(&mut self, path: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.add_tree(path, &part.tree);
                path.pop();
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.add(path);
                path.pop();
            }
            UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                self.add(path);
                path.pop();
            }
            UseTree::Glob(_) => self.add(path),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(path, tree);
                }
            }
        }
    }
}

impl Visit<'_> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        // Those that are written within the file are unit tests, or see what it sees.
        let is_tests = item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !is_tests {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.add_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.first().is_some_and(|first| first == "crate") {
            self.add(&parts);
        }
        visit::visit_path(self, path);
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module_of(root: &Path, file: &Path) -> Module {
    let inside = file.strip_prefix(root).expect("it is below").with_extension("");
    let mut module: Module =
        inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

/// The innermost module that a path leads through.
fn nearest(known: &BTreeSet<Module>, mut path: Module) -> Option<Module> {
    while !path.is_empty() {
        if known.contains(&path) {
            return Some(path);
        }
        path.pop();
    }
    None
}

#[test]
fn the_tool_imports_from_below() {
    let tool = Crate::read("src");
    tool.assert_floors(TOOL);
    assert_eq!(tool.circles(1), [""; 0]);
}

#[test]
fn a_rule_imports_from_no_other_rule() {
    const SHARED: [&str; 3] = ["config", "explained", "registry"];
    let tool = Crate::read("src");
    let is_rule = |module: &Module| {
        module.first().is_some_and(|first| first == "rules")
            && module.get(1).is_some_and(|second| !SHARED.contains(&second.as_str()))
    };
    for (module, others) in tool.imports.iter().filter(|(module, _)| is_rule(module)) {
        let others = others.iter().filter(|other| is_rule(other) && other[1] != module[1]);
        assert_eq!(others.collect::<Vec<_>>(), [] as [&Module; 0], "{}", module.join("::"));
    }
}

#[test]
fn the_probe_imports_from_below_and_in_no_circle() {
    let core = Crate::read("probe/core/src");
    core.assert_floors(PROBE);
    // Tasks and locks refer to each other, as they do in the program.
    let circles = core.circles(2).into_iter().filter(|module| !module.starts_with("record::"));
    assert_eq!(circles.collect::<Vec<_>>(), [""; 0]);
}
