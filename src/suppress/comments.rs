//! Comments in the sources that allow findings: `// concaudit: allow(rule) reason`.

use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use proc_macro2::{LineColumn, TokenStream, TokenTree};

use super::{Allowance, Where};
use crate::{
    config::{ConfigError, nearest},
    project::Project,
};

/// The word that begins such a comment.
const WORD: &str = "concaudit:";

/// What the comments in the workspace's sources allow, in the order of the files. One that
/// cannot be understood is an error, since its finding would count without a word.
pub fn comments(project: &Project, rules: &[&'static str]) -> Result<Vec<Allowance>, ConfigError> {
    let mut files = Vec::new();
    let roots = project.packages.iter().map(|package| &package.root);
    for root in roots.filter(|root| root.starts_with(&project.workspace_root)) {
        collect(project, root, &mut files);
    }
    files.sort();
    files.dedup();
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = fs_err::read_to_string(&file) else { continue };
        if text.contains(WORD) {
            let name = project.display_path(&file);
            read((&file, &name), &text, rules, &mut found)?;
        }
    }
    Ok(found)
}

/// The sources below a folder; those of other packages aside.
fn collect(project: &Project, folder: &Utf8Path, files: &mut Vec<Utf8PathBuf>) {
    let Ok(entries) = folder.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            let is_other = path.join("Cargo.toml").is_file() && !project.has_package_at(path);
            if name != "target" && !name.starts_with('.') && !is_other {
                collect(project, path, files);
            }
        } else if kind.is_file() && path.extension() == Some("rs") {
            files.push(path.to_owned());
        }
    }
}

/// Reads the comments of one file.
fn read(
    (path, name): (&Utf8Path, &str),
    text: &str,
    rules: &[&'static str],
    found: &mut Vec<Allowance>,
) -> Result<(), ConfigError> {
    // A file that is no Rust is the compiler's to complain about.
    let Ok(tokens) = text.parse::<TokenStream>() else { return Ok(()) };
    let mut literals = Vec::new();
    collect_literals(tokens, &mut literals);
    let mut start = 0;
    let lines: Vec<(usize, &str)> = text
        .split_inclusive('\n')
        .map(|line| {
            let at = start;
            start += line.len();
            (at, line.trim_end())
        })
        .collect();
    for (index, (at, line)) in lines.iter().enumerate() {
        for (slashes, _) in line.match_indices("//") {
            let comment = &line[slashes + 2..];
            let Some(words) = comment.trim_start().strip_prefix(WORD) else { continue };
            let place = LineColumn { line: index + 1, column: line[..slashes].chars().count() };
            if literals.iter().any(|literal| literal.contains(&place)) {
                continue;
            }
            let span = at + slashes..at + line.len();
            let from = at + line.len() - words.len();
            let (of_rules, reason) = parse((path, text), span, (from, words), rules)?;
            let covers = if line[..slashes].trim().is_empty() {
                // Attributes and other comments may stand between.
                let rest = &lines[index + 1..];
                let code = rest.iter().position(|(_, line)| {
                    let line = line.trim_start();
                    !line.is_empty() && !line.starts_with("//") && !line.starts_with("#[")
                });
                index + 1 + code.unwrap_or(0)
            } else {
                index
            };
            found.push(Allowance {
                rules: of_rules,
                of: Where::Line(covers as u32 + 1),
                reason,
                owner: None,
                until: None,
                file: name.to_owned(),
                line: index as u32 + 1,
            });
            break;
        }
    }
    Ok(())
}

/// The rules and the reason after the word; `from` is where `words` begin in the file.
fn parse(
    source: (&Utf8Path, &str),
    span: Range<usize>,
    (from, words): (usize, &str),
    rules: &[&'static str],
) -> Result<(Vec<String>, String), ConfigError> {
    const HELP: &str = "write `// concaudit: allow(rule) reason`, or `allow(rule, rule) reason`";
    let wrong =
        |title: &str, label: &str| ConfigError::at(source, span.clone(), title, label, HELP);
    let list = words.trim_start().strip_prefix("allow").map(str::trim_start);
    let Some((list, reason)) =
        list.and_then(|list| list.strip_prefix('(')).and_then(|list| list.split_once(')'))
    else {
        return Err(wrong("failed to understand a comment for this tool", "expected `allow(..)`"));
    };
    let start = from + words.len() - reason.len() - 1 - list.len();
    let mut named = Vec::new();
    let mut at = start;
    for part in list.split(',') {
        let rule = part.trim();
        let here = at + part.len() - part.trim_start().len();
        at += part.len() + 1;
        if !rules.contains(&rule) {
            let (title, label) = if rule.is_empty() {
                ("a name of a rule is missing".to_owned(), "expected a rule".to_owned())
            } else {
                let label = nearest(rule, rules).map_or_else(
                    || "there is no such rule".to_owned(),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                (format!("unknown rule `{rule}`"), label)
            };
            let help = format!("there are {}", rules.join(", "));
            let span = here..here + rule.len().max(1);
            return Err(ConfigError::at(source, span, title, label, help));
        }
        named.push(rule.to_owned());
    }
    let reason = reason.trim().trim_start_matches([':', '-']).trim();
    if reason.is_empty() {
        return Err(wrong("a comment allows findings and says no reason", "the reason is missing"));
    }
    Ok((named, reason.to_owned()))
}

/// Where literals stand, doc comments among them: what is in there is no comment.
fn collect_literals(tokens: TokenStream, found: &mut Vec<Range<LineColumn>>) {
    for token in tokens {
        match token {
            TokenTree::Literal(literal) => {
                let span = literal.span();
                found.push(span.start()..span.end());
            }
            TokenTree::Group(group) => collect_literals(group.stream(), found),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Allowance>, String> {
        let mut found = Vec::new();
        let path = Utf8Path::new("/p/src/lib.rs");
        read((path, "src/lib.rs"), text, &["deadlock", "lost-waker"], &mut found)
            .map(|()| found)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_comment_is_for_its_own_line_or_the_next_line_of_code() {
        let found = read_text(
            "fn f() {\n    g(); // concaudit: allow(deadlock) known\n    // concaudit: \
             allow(deadlock, lost-waker): both\n    // more\n\n    #[inline]\n    h();\n}\n",
        )
        .expect("is well-formed");
        let told: Vec<_> = found.iter().map(|it| (&it.of, it.line, it.reason.as_str())).collect();
        assert_eq!(told, [(&Where::Line(2), 2, "known"), (&Where::Line(7), 3, "both")]);
        assert_eq!(found[1].rules, ["deadlock", "lost-waker"]);
    }

    #[test]
    fn what_looks_like_one_in_a_text_is_none() {
        let text = "/// // concaudit: allow(x)\nconst A: &str = \"\n// concaudit: nonsense\n\";\n\
                    const B: &str = r#\"// concaudit: allow()\"#;\n";
        assert_eq!(read_text(text), Ok(vec![]));
    }

    #[test]
    fn one_that_is_not_understood_is_underlined() {
        for (comment, said) in [
            ("allow(deadlok) known", "did you mean `deadlock`?"),
            ("allow(deadlock)", "the reason is missing"),
            ("allow deadlock", "expected `allow(..)`"),
            ("deny(deadlock) x", "expected `allow(..)`"),
            ("allow(deadlock, ) x", "expected a rule"),
        ] {
            let error = read_text(&format!("fn f() {{}}\n// concaudit: {comment}\n"));
            let error = error.expect_err(comment);
            assert!(error.contains(said) && error.contains("src/lib.rs:2:"), "{comment}: {error}");
        }
    }
}
