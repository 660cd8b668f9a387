//! Whose code a frame is: by its file first, by its function's path where the
//! file says nothing.

use camino::Utf8Path;

use super::{Owner, crate_of};
use crate::project::Project;

/// The owner of a function that was compiled from `file`.
///
/// The file decides: a workspace closure that a dependency's generic function
/// calls is still the workspace's.
pub fn owner_of(project: &Project, file: Option<&Utf8Path>, function: &str) -> Owner {
    if is_probe_function(function) || file.is_some_and(is_probe_file) {
        return Owner::Probe;
    }
    file.and_then(|file| by_file(project, file)).unwrap_or_else(|| by_function(project, function))
}

fn by_file(project: &Project, file: &Utf8Path) -> Option<Owner> {
    let path = file.as_str();
    if is_std_path(path) {
        return Some(if path.contains("/library/test/") { Owner::Probe } else { Owner::Std });
    }
    if let Some(owner) = generated(project, file) {
        return Some(owner);
    }
    // `--first-party` packages have their roots where dependencies are kept.
    if let Some(package) = project.package_of(file) {
        let inside = file.strip_prefix(&package.root).unwrap_or(file);
        return Some(
            vendored(inside).map_or_else(|| Owner::Workspace(package.name.clone()), dependency),
        );
    }
    if let Some(name) = after(path, "/registry/src/").and_then(|rest| rest.split('/').nth(1)) {
        return Some(dependency(without_version(name)));
    }
    if let Some(rest) = after(path, "/git/checkouts/") {
        // `name-<hash>/<commit>/[member/]src/..`: the folder that has `src` is
        // the crate, the repository's name where that is its root.
        let parts: Vec<&str> = rest.split('/').collect();
        let source = parts.iter().position(|part| *part == "src").unwrap_or(2);
        let name = match source {
            0..=2 => without_hash(parts.first().copied().unwrap_or_default()),
            _ => parts[source - 1],
        };
        return Some(dependency(name));
    }
    if let Some(name) = vendored(file) {
        return Some(dependency(name));
    }
    None
}

fn by_function(project: &Project, function: &str) -> Owner {
    let name = crate_of(function);
    match name {
        "" => Owner::Unknown,
        "std" | "core" | "alloc" | "rustc_demangle" | "hashbrown" | "panic_unwind" => Owner::Std,
        "tokio" => Owner::Tokio,
        _ => {
            if let Some(package) =
                project.packages.iter().find(|package| package.name.replace('-', "_") == name)
            {
                Owner::Workspace(package.name.clone())
            } else if function.contains("::") {
                Owner::Dependency(name.to_owned())
            } else {
                Owner::Unknown
            }
        }
    }
}

fn is_probe_function(function: &str) -> bool {
    let name = crate_of(function);
    name.starts_with("concaudit_") || name == "test"
}

/// In the probe's cache, `<cache>/probe/<key>/src/<member>/src/..`, or in its
/// sources: facades are compiled under the names of what they stand in for.
fn is_probe_file(file: &Utf8Path) -> bool {
    const MEMBERS: &[&str] = &["core", "server", "tracing", "std", "parking_lot", "lock_api"];
    let parts: Vec<&str> = file.components().map(|part| part.as_str()).collect();
    // The std facade names its own modules so.
    parts.contains(&"__concaudit")
        || parts.windows(5).any(|window| {
            let [probe, key, src, member, inside] = window else { return false };
            *probe == "probe"
                && is_hash(key)
                && *src == "src"
                && *inside == "src"
                && MEMBERS.iter().any(|name| member.starts_with(name))
        })
        || parts
            .windows(3)
            .any(|window| matches!(window, ["probe", "parking_lot" | "lock_api", "src"]))
}

fn is_std_path(path: &str) -> bool {
    (path.starts_with("/rustc/") && path.contains("/library/"))
        || path.contains("/lib/rustlib/src/rust/library/")
        || path.starts_with("/rust/deps/")
}

fn dependency(name: &str) -> Owner {
    if name == "tokio" { Owner::Tokio } else { Owner::Dependency(name.to_owned()) }
}

/// `<target>/.../build/<pkg>-<hash>/out/..`: code that a build script wrote.
fn generated(project: &Project, file: &Utf8Path) -> Option<Owner> {
    let parts: Vec<&str> = file.components().map(|part| part.as_str()).collect();
    let at = parts.windows(3).position(|window| {
        window[0] == "build"
            && window[2] == "out"
            && window[1].rsplit_once('-').is_some_and(|(_, hash)| is_hash(hash))
    })?;
    let name = without_hash(parts[at + 1]);
    Some(match project.packages.iter().find(|package| package.name == name) {
        Some(package) => Owner::Workspace(package.name.clone()),
        None => dependency(name),
    })
}

/// The name of the vendored crate that a file belongs to.
fn vendored(file: &Utf8Path) -> Option<&str> {
    let mut parts = file.components().map(|part| part.as_str());
    parts.by_ref().find(|part| *part == "vendor")?;
    let name = parts.next()?;
    // A file directly in `vendor/` is no crate.
    parts.next()?;
    Some(without_version(name))
}

fn after<'a>(path: &'a str, marker: &str) -> Option<&'a str> {
    path.find(marker).map(|at| &path[at + marker.len()..])
}

fn is_hash(text: &str) -> bool {
    text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn without_hash(name: &str) -> &str {
    name.rsplit_once('-').filter(|(_, hash)| is_hash(hash)).map_or(name, |(name, _)| name)
}

/// `tokio-1.38.2`, `foo-0.1.0-alpha.1` and `foo` as the name alone.
fn without_version(name: &str) -> &str {
    name.match_indices('-')
        .find(|(at, _)| {
            let rest = &name[at + 1..];
            rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.')
        })
        .map_or(name, |(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Package;

    #[test]
    fn the_file_decides_whose_code_it_is() {
        let package = Package { name: "my-app".into(), root: "/w".into() };
        let project =
            Project { workspace_root: "/w".into(), packages: vec![package], ..Project::default() };
        let ours = Owner::Workspace("my-app".into());
        let dep = |name: &str| Owner::Dependency(name.into());
        let ours2 = || Owner::Workspace("my-app".into());
        let table = [
            ("/w/src/lib.rs", "tower::map::{{closure}}", ours.clone()),
            ("/w/target/x/debug/build/my-app-0123456789abcdef/out/g.rs", "g", ours.clone()),
            ("/w/target/x/debug/build/other-0123456789abcdef/out/g.rs", "g", dep("other")),
            ("/w/vendor/bytes/src/lib.rs", "bytes::f", dep("bytes")),
            ("/c/registry/src/i-1/tokio-1.38.2/src/lib.rs", "x", Owner::Tokio),
            ("/c/registry/src/i-1/tokio-util-0.7.1/src/lib.rs", "x", dep("tokio-util")),
            ("/c/git/checkouts/h2-0123456789abcdef/abc/src/lib.rs", "x", dep("h2")),
            ("/rustc/abc/library/core/src/lib.rs", "x", Owner::Std),
            ("/rustc/abc/library/test/src/lib.rs", "test::run", Owner::Probe),
            ("/elsewhere/x.rs", "<my_app::A as core::fmt::Debug>::fmt", ours),
            ("/elsewhere/x.rs", "concaudit_tracing::f", Owner::Probe),
            ("/elsewhere/x.rs", "main", Owner::Unknown),
            (
                "/c/cargo-concaudit/probe/0123456789abcdef/src/parking_lot/src/mutex.rs",
                "parking_lot::raw_mutex::RawMutex::lock",
                Owner::Probe,
            ),
            ("/c/registry/src/i-1/lock_api-0.4.1/src/mutex.rs", "x", dep("lock_api")),
            ("/elsewhere/x.rs", "<concaudit_std::sync::Mutex<app::A>>::lock", Owner::Probe),
            ("/w/parking_lot/src/mutex.rs", "parking_lot::raw_mutex::f", ours2()),
        ];
        for (file, function, owner) in table {
            assert_eq!(owner_of(&project, Some(file.into()), function), owner, "{file}");
        }
    }
}
