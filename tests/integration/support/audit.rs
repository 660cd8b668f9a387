//! One audit per fixture workspace, shared by all tests of this process.

use std::{fmt, sync::OnceLock};

use super::{
    report::Report,
    tool::{Finished, Tool, fixture, scratch},
    tree::Tree,
};

/// A fixture workspace that is audited as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workspace {
    /// `fixtures/` itself: everything that passes.
    Rules,
    /// `fixtures/old-tokio`
    OldTokio,
    /// `fixtures/behaviour`
    Behaviour,
    /// `fixtures/std-only`
    StdOnly,
    /// `fixtures/stuck`: tests that hang.
    Stuck,
    /// `fixtures/deadlock`: tests that hang, and some that do not.
    Deadlock,
    /// `fixtures/futurelock`: the same.
    Futurelock,
    /// `fixtures/hung`: the same.
    Hung,
    /// `fixtures/precision`
    Precision,
}

/// What came of auditing a workspace.
pub struct Audit {
    pub finished: Finished,
    pub report: Report,
    /// The project's files before and after.
    pub trees: [Tree; 2],
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("finished", &self.finished).finish_non_exhaustive()
    }
}

impl Workspace {
    /// Below `fixtures/`.
    pub fn project(self) -> &'static str {
        match self {
            Self::Rules => "",
            Self::OldTokio => "old-tokio",
            Self::Behaviour => "behaviour",
            Self::StdOnly => "std-only",
            Self::Stuck => "stuck",
            Self::Deadlock => "deadlock",
            Self::Futurelock => "futurelock",
            Self::Hung => "hung",
            Self::Precision => "precision",
        }
    }

    /// Whether tests of it fail or hang, on purpose.
    pub fn has_failing_tests(self) -> bool {
        matches!(
            self,
            Self::Behaviour | Self::Stuck | Self::Deadlock | Self::Futurelock | Self::Hung
        )
    }

    /// Audits it, the first time.
    ///
    /// # Panics
    /// With what the tool said, if there is no report.
    #[track_caller]
    pub fn audit(self) -> &'static Audit {
        static AUDITS: [OnceLock<Result<Audit, String>>; 9] = [const { OnceLock::new() }; 9];
        match AUDITS[self as usize].get_or_init(|| self.run()) {
            Ok(audit) => audit,
            Err(reason) => panic!("no report of {self:?}\n{reason}"),
        }
    }

    fn run(self) -> Result<Audit, String> {
        let folder = fixture(self.project());
        let file = scratch().join(format!("{self:?}.json"));
        fs_err::create_dir_all(scratch()).map_err(|error| error.to_string())?;
        // An old report must not stand in for one that was not written.
        if file.exists() {
            fs_err::remove_file(&file).map_err(|error| error.to_string())?;
        }
        let before = Tree::of(&folder);
        let limit = match self {
            // Its other tests are to have time enough.
            Self::Hung => "5s",
            _ if self.has_failing_tests() => "4s",
            _ => "60s",
        };
        let tool = Tool::new(self.project())
            .args(&["--format", "json", "--time-limit", limit, "--output"])
            .arg(&file);
        // Most of them wait, and need no core for that.
        let tool = if self == Self::Hung { tool.args(&["--test-threads", "6"]) } else { tool };
        let finished = tool.run();
        let text = fs_err::read_to_string(&file).map_err(|error| format!("{error}\n{finished}"))?;
        let report = serde_json::from_str(&text).map_err(|error| format!("{error}\n{text}"))?;
        Ok(Audit { finished, report, trees: [before, Tree::of(&folder)] })
    }
}
