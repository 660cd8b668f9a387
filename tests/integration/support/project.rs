//! Small projects that a test writes itself.

use std::path::Path;

use super::{Finding, Finished, Report, Tool};

/// Two threads that nobody stops. One of them is to go on, as its line says.
pub const LIB: &str = "\
//! Threads.

/// Goes on for as long as the process does.
pub fn watch() {
    // concaudit: allow(leaked-thread) it watches for as long as the process lives
    std::thread::spawn(rest);
}

/// Nobody stops it.
pub fn poll() {
    std::thread::spawn(rest);
}

fn rest() {
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both() {
        super::watch();
        super::poll();
    }
}
";

/// Where the first thread of [`LIB`] is spawned.
pub const WATCH: u32 = 6;
/// Where the second one is.
pub const POLL: u32 = 11;

/// A package of its own in a temporary folder.
pub struct Project(tempfile::TempDir);

impl Project {
    /// With this library, which depends on nothing.
    pub fn with_lib(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let project = Self(folder);
        project.write(
            "Cargo.toml",
            "[package]\nname = \"threads\"\nversion = \"0.0.0\"\nedition = \"2024\"\n",
        );
        project.write("src/lib.rs", text);
        project
    }

    /// With [`LIB`].
    pub fn of_threads() -> Self {
        Self::with_lib(LIB)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let file = self.path().join(name);
        fs_err::create_dir_all(file.parent().expect("it is in the folder")).expect("it is ours");
        fs_err::write(file, text).expect("it is ours");
    }

    pub fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path().join(name)).expect("it is there")
    }

    pub fn tool(&self) -> Tool {
        Tool::bare(self.path())
    }

    /// Audits it.
    pub fn run(&self, arguments: &[&str]) -> (Finished, Report) {
        let finished = self.tool().args(&["--format", "json"]).args(arguments).run();
        let report = Report::parse(&finished.stdout);
        (finished, report)
    }
}

impl Report {
    /// The finding of a rule at a line of a file.
    pub fn at(&self, rule: &str, file: &str, line: u32) -> &Finding {
        let is_it = |finding: &&Finding| {
            finding.rule == rule
                && finding.primary().is_some_and(|place| (&*place.file, place.line) == (file, line))
        };
        self.findings.iter().find(is_it).unwrap_or_else(|| panic!("{:#?}", self.findings))
    }
}
