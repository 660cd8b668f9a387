//! Which program of a project is meant, as `cargo run` would take it.

use std::fmt::Write as _;

use cargo_metadata::{Metadata, Package, PackageId, Target};

use super::{
    artifacts::{TargetKind, kind_of},
    options::BuildArgs,
};

/// Most names that an error lists.
const MAX_NAMES: usize = 12;

/// What the user says of the program; nothing, where there is but one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramChoice {
    /// `--bin`
    pub bin: Option<String>,
    /// `--example`
    pub example: Option<String>,
}

/// Why it is not known which program is meant.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The packages have libraries only.
    #[error(
        "failed to find a program to run: {packages} no binary; name an example with \
         `--example NAME`, or another package with `--package NAME`"
    )]
    None { packages: String },
    /// Any of these could be meant.
    #[error(
        "failed to tell which program to run: there are {names}; name one with `--bin NAME` (or \
         set `default-run` in Cargo.toml)"
    )]
    Several { names: String },
    /// `--bin` or `--example` names what is not there.
    #[error("failed to find {kind} `{name}`{hint}")]
    Unknown { kind: &'static str, name: String, hint: String },
    /// Several packages have one of that name.
    #[error(
        "failed to tell which {kind} `{name}` is meant: the packages {packages} have one each; \
         choose with `--package NAME`"
    )]
    Ambiguous { kind: &'static str, name: String, packages: String },
}

/// The program to build and run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Whose it is.
    pub package: PackageId,
    /// The same, as `--package` takes it.
    pub spec: String,
    /// A binary or an example.
    pub kind: TargetKind,
    /// The target's name.
    pub name: String,
}

impl Program {
    /// The arguments of a build of it, made of those that chose it.
    pub fn build_args(&self, args: &BuildArgs) -> BuildArgs {
        let mut args = args.clone();
        args.packages = vec![self.spec.clone()];
        args.workspace = false;
        args.exclude.clear();
        match self.kind {
            TargetKind::Example => args.example = vec![self.name.clone()],
            _ => args.bin = vec![self.name.clone()],
        }
        args
    }

    /// For messages.
    pub fn description(&self) -> String {
        let kind = if self.kind == TargetKind::Example { "example" } else { "binary" };
        format!("{kind} `{}`", self.name)
    }
}

/// Chooses as `cargo run` does: what is named; else the `default-run` of the only package
/// that has one; else the only binary there is.
pub fn choose(
    choice: &ProgramChoice,
    args: &BuildArgs,
    metadata: &Metadata,
) -> Result<Program, ProgramError> {
    let packages = packages(args, metadata);
    let of_kind = |kind: TargetKind| -> Vec<(&Package, &Target)> {
        packages
            .iter()
            .flat_map(|package| package.targets.iter().map(|target| (*package, target)))
            .filter(|(_, target)| kind_of(target) == kind)
            .collect()
    };
    let program = |package: &Package, target: &Target| Program {
        package: package.id.clone(),
        spec: format!("{}@{}", package.name, package.version),
        kind: kind_of(target),
        name: target.name.clone(),
    };
    let (kind, word, name) = match (&choice.bin, &choice.example) {
        (Some(name), _) => (TargetKind::Bin, "the binary", Some(name)),
        (None, Some(name)) => (TargetKind::Example, "the example", Some(name)),
        (None, None) => (TargetKind::Bin, "the binary", None),
    };
    let candidates = of_kind(kind);
    let Some(name) = name else {
        let mut with_default = packages.iter().filter(|package| package.default_run.is_some());
        if let (Some(package), None) = (with_default.next(), with_default.next())
            && let Some((package, target)) = candidates.iter().find(|(owner, target)| {
                owner.id == package.id && Some(&target.name) == package.default_run.as_ref()
            })
        {
            return Ok(program(package, target));
        }
        return match *candidates {
            [] => {
                let names: Vec<&str> = packages.iter().map(|it| it.name.as_str()).collect();
                let packages = match *names {
                    [name] => format!("the package `{name}` has"),
                    _ => "the packages have".to_owned(),
                };
                Err(ProgramError::None { packages })
            }
            [(package, target)] => Ok(program(package, target)),
            _ => Err(ProgramError::Several { names: listed(&candidates) }),
        };
    };
    let named: Vec<_> = candidates.iter().filter(|(_, target)| target.name == *name).collect();
    match *named {
        [(package, target)] => Ok(program(package, target)),
        [] => {
            let nearest = candidates
                .iter()
                .map(|(_, target)| target.name.as_str())
                .filter(|known| strsim::damerau_levenshtein(name, known) <= name.len() / 3 + 1)
                .min_by_key(|known| strsim::damerau_levenshtein(name, known));
            let hint = match nearest {
                Some(nearest) => format!("; did you mean `{nearest}`?"),
                None if candidates.is_empty() => "; there is none".to_owned(),
                None => format!("; there are {}", listed(&candidates)),
            };
            Err(ProgramError::Unknown { kind: word, name: name.clone(), hint })
        }
        _ => {
            let packages: Vec<String> =
                named.iter().map(|(package, _)| package.name.to_string()).collect();
            let kind = word.trim_start_matches("the ");
            let packages = packages.join(", ");
            Err(ProgramError::Ambiguous { kind, name: name.clone(), packages })
        }
    }
}

/// The packages that cargo would look in.
fn packages<'a>(args: &BuildArgs, metadata: &'a Metadata) -> Vec<&'a Package> {
    let members = metadata.workspace_packages();
    if !args.packages.is_empty() {
        // `name@version` and URLs are cargo's; their last part has the name.
        let is_named = |package: &&Package| {
            args.packages.iter().any(|spec| {
                let last = spec.rsplit(['#', '/']).next().unwrap_or(spec);
                last.split(['@', ':']).next() == Some(package.name.as_str())
            })
        };
        return members.into_iter().filter(is_named).collect();
    }
    if metadata.workspace_default_members.is_available() {
        metadata.workspace_default_packages()
    } else {
        members
    }
}

fn listed(candidates: &[(&Package, &Target)]) -> String {
    let mut names: Vec<String> =
        candidates.iter().map(|(_, target)| format!("`{}`", target.name)).collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let mut text = names.join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}
