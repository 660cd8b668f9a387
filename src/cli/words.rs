//! Words that are nearly ours: names of rules in another spelling, subcommands with a
//! slip of the pen.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser, StyledStr, TypedValueParser},
    error::{ContextKind, ContextValue},
};

use super::args;
use crate::rules::RULE_NAMES;

/// Subcommands that other tools have, and that one may try here.
const OF_OTHERS: [&str; 4] = ["list", "check", "version", "init"];

/// Reads the name of a rule, which may be written with underscores.
#[derive(Debug, Clone, Copy)]
pub struct RuleParser;

impl TypedValueParser for RuleParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let name = value.to_string_lossy().replace('_', "-").to_lowercase();
        let parser = PossibleValuesParser::new(RULE_NAMES);
        parser.parse_ref(command, argument, name.as_ref()).map_err(|mut error| {
            let offered = offered(&name);
            if !offered.is_empty() {
                let tip = format!("there are {}", offered.join(", "));
                error.remove(ContextKind::SuggestedValue);
                error.insert(
                    ContextKind::Suggested,
                    ContextValue::StyledStrs(vec![StyledStr::from(tip)]),
                );
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(RULE_NAMES.iter().map(PossibleValue::new)))
    }
}

/// The rules with a word that begins or ends as `word` is: `deadlock` and
/// `lock-order-cycle` for `lock`, and not `blocking-call`.
fn offered(word: &str) -> Vec<&'static str> {
    let has =
        |name: &&str| name.split('-').any(|part| part.starts_with(word) || part.ends_with(word));
    if word.len() < 3 { Vec::new() } else { RULE_NAMES.iter().copied().filter(has).collect() }
}

/// A filter that reads like a subcommand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// As it was typed.
    pub word: String,
    /// The subcommand that it is close to; `None` where that is another tool's.
    pub subcommand: Option<String>,
}

impl Meant {
    /// What is to be said where no test has the word in its name. `what` says how that
    /// is known.
    pub fn told(&self, what: &str) -> String {
        let Self { word, subcommand } = self;
        let instead = match subcommand {
            Some(subcommand) => format!("did you mean `cargo concaudit {subcommand}`?"),
            None => format!("the subcommands are {}", subcommands().join(", ")),
        };
        format!(
            "there is no subcommand `{word}`, and {what}: {instead} (to filter tests by it all the \
             same, write `cargo concaudit test {word}`)"
        )
    }
}

/// What the first word of a command line may have been meant as that is no subcommand.
pub fn meant(word: &str) -> Option<Meant> {
    // A letter missing, one too many, another one, or two that changed places.
    let most = (word.chars().count() / 3).clamp(1, 2);
    let distance = |name: &str| strsim::damerau_levenshtein(word, name);
    let is_close = |name: &str| distance(name) <= most;
    let own = subcommands();
    let nearest = own.iter().filter(|name| is_close(name)).min_by_key(|name| distance(name));
    if nearest.is_none() && !OF_OTHERS.iter().any(|name| is_close(name)) {
        return None;
    }
    Some(Meant { word: word.to_owned(), subcommand: nearest.cloned() })
}

fn subcommands() -> Vec<String> {
    let command = args::command();
    let own = command.get_subcommands().map(|command| command.get_name().to_owned());
    own.chain(["help".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_told_from_a_filter() {
        let close = |word| meant(word).map(|meant| meant.subcommand);
        for (word, subcommand) in [
            ("explian", "explain"),
            ("clena", "clean"),
            ("setpu", "setup"),
            ("completion", "completions"),
            ("tests", "test"),
            ("hlep", "help"),
            ("rapport", "report"),
            ("runs", "run"),
        ] {
            assert_eq!(close(word), Some(Some(subcommand.to_owned())), "{word}");
        }
        for word in ["check", "list"] {
            assert_eq!(close(word), Some(None), "{word}");
        }
        for word in ["a", "orders", "cache", "tests::", "plain", "client"] {
            assert_eq!(close(word), None, "{word}");
        }
    }

    #[test]
    fn rules_are_offered_by_their_words() {
        assert!(
            offered("lock").contains(&"deadlock") && !offered("lock").contains(&"blocking-call")
        );
        assert_eq!(offered("waker"), ["lost-waker"]);
        assert_eq!(offered("lingring-task"), [""; 0]);
    }
}
