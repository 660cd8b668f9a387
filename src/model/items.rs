//! Which function of a source file a line lies in, or which other item.
//!
//! Debug info names a function in full where it stands by itself, and in short where it
//! was inlined, which differs between builds. The source does not. Only the outline of a
//! file is read, by its tokens: what is within the call of a macro counts, too, and what
//! a `macro_rules!` is made of does not.

use std::str::FromStr as _;

use camino::Utf8Path;
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::project::Project;

/// Files that are larger are not read.
const MAX_BYTES: u64 = 4 << 20;

/// The functions of a source file.
#[derive(Debug, Default)]
pub struct Items {
    functions: Vec<Function>,
}

#[derive(Debug)]
struct Function {
    /// 1-based, with its attributes.
    first_line: usize,
    last_line: usize,
    /// Modules, types and functions within the file: `inner::Pool::start`.
    path: String,
}

impl Items {
    /// Those of a file; none where it cannot be read.
    pub fn of_file(file: &Utf8Path) -> Self {
        let is_small = fs_err::metadata(file).is_ok_and(|it| it.len() <= MAX_BYTES);
        let text = is_small.then(|| fs_err::read_to_string(file).ok()).flatten();
        text.map_or_else(Self::default, |text| Self::of_text(&text))
    }

    fn of_text(text: &str) -> Self {
        let mut functions = Vec::new();
        if let Ok(tokens) = TokenStream::from_str(text) {
            collect(tokens, &mut Vec::new(), &mut functions);
        }
        // What is known of spans, the file's text among it, is kept per thread until now.
        proc_macro2::extra::invalidate_current_thread_spans();
        Self { functions }
    }

    /// The innermost function that a line lies in, as a path within its file.
    pub fn function_at(&self, line: u32) -> Option<&str> {
        let line = line as usize;
        let has_it =
            |function: &&Function| (function.first_line..=function.last_line).contains(&line);
        // Of those that contain a line, the one that begins last is within the others.
        let functions = self.functions.iter().filter(has_it);
        functions.max_by_key(|function| function.first_line).map(|function| &*function.path)
    }
}

/// The functions among tokens, below the modules, types and functions of `path`.
fn collect(tokens: TokenStream, path: &mut Vec<String>, functions: &mut Vec<Function>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    // Where the attributes and modifiers of the next item begin.
    let mut begins = None;
    while let Some(token) = tokens.get(at) {
        let first_line = *begins.get_or_insert_with(|| token.span().start().line);
        match token {
            // One function of a macro is many.
            TokenTree::Ident(word) if word == "macro_rules" => {
                (at, begins) = (block_or_end(&tokens, at + 1) + 1, None);
            }
            TokenTree::Ident(word) if word == "fn" => {
                let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else {
                    at += 1;
                    continue;
                };
                let end = block_or_end(&tokens, at + 2);
                if let Some(TokenTree::Group(body)) = tokens.get(end).filter(|it| is_block(it)) {
                    path.push(name.to_string());
                    functions.push(Function {
                        first_line,
                        last_line: body.span_close().end().line,
                        path: path.join("::"),
                    });
                    collect(body.stream(), path, functions);
                    path.pop();
                }
                (at, begins) = (end + 1, None);
            }
            TokenTree::Ident(word) if word == "impl" || word == "mod" || word == "trait" => {
                let end = block_or_end(&tokens, at + 1);
                if let Some(TokenTree::Group(body)) = tokens.get(end).filter(|it| is_block(it)) {
                    let head = &tokens[at + 1..end];
                    let name = if word == "impl" { implementor(head) } else { first_name(head) };
                    path.push(name);
                    collect(body.stream(), path, functions);
                    path.pop();
                }
                (at, begins) = (end + 1, None);
            }
            // What is derived lies on the lines of the type, and what a static or a
            // constant is made by on those of it.
            TokenTree::Ident(word)
                if ["struct", "enum", "union", "static", "const"].iter().any(|it| word == it) =>
            {
                let is_value = word == "static" || word == "const";
                let skipped = tokens[at + 1..].iter().take_while(|it| is_modifier(it)).count();
                let Some(TokenTree::Ident(name)) = tokens.get(at + 1 + skipped) else {
                    at += 1;
                    continue;
                };
                if is_value && is_function(&tokens[at + 1..]) {
                    at += 1;
                    continue;
                }
                let mut end = block_or_end(&tokens, at + 2);
                if is_value {
                    // A block may be a part of the value.
                    while tokens.get(end).is_some_and(is_block) {
                        end = block_or_end(&tokens, end + 1);
                    }
                }
                let Some(last) = tokens.get(end) else {
                    at += 1;
                    continue;
                };
                path.push(name.to_string());
                functions.push(Function {
                    first_line,
                    last_line: last.span().end().line,
                    path: path.join("::"),
                });
                if is_value {
                    collect(tokens[at + 2..end].iter().cloned().collect(), path, functions);
                }
                path.pop();
                (at, begins) = (end + 1, None);
            }
            TokenTree::Group(group) => {
                collect(group.stream(), path, functions);
                let is_attribute = group.delimiter() == Delimiter::Bracket;
                if !is_attribute {
                    begins = None;
                }
                at += 1;
            }
            TokenTree::Punct(mark) => {
                if matches!(mark.as_char(), ';' | ',' | '=') {
                    begins = None;
                }
                at += 1;
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => at += 1,
        }
    }
}

/// Between the word `static` and its name.
fn is_modifier(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(word) if word == "ref" || word == "mut")
}

/// Whether what follows `const` is a function, or a block.
fn is_function(tokens: &[TokenTree]) -> bool {
    matches!(
        tokens.first(),
        Some(TokenTree::Ident(word)) if ["fn", "unsafe", "async", "extern"].iter().any(|it| word == it)
    )
}

fn is_block(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// The first block or semicolon from here on.
fn block_or_end(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| {
        is_block(token) || matches!(token, TokenTree::Punct(mark) if mark.as_char() == ';')
    };
    tokens[from.min(tokens.len())..].iter().position(ends).map_or(tokens.len(), |at| from + at)
}

fn first_name(head: &[TokenTree]) -> String {
    match head.first() {
        Some(TokenTree::Ident(name)) => name.to_string(),
        _ => String::new(),
    }
}

/// The name of the type of an `impl`: `Pool` of `<T> Drop for a::Pool<T> where T: Send`.
fn implementor(head: &[TokenTree]) -> String {
    let mut name = String::new();
    let mut depth = 0_usize;
    let mut last = ' ';
    for token in head {
        match token {
            TokenTree::Punct(mark) => {
                match mark.as_char() {
                    '<' => depth += 1,
                    // Not that of an arrow.
                    '>' if last != '-' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                last = if mark.spacing() == Spacing::Joint { mark.as_char() } else { ' ' };
            }
            TokenTree::Ident(word) if depth == 0 && word == "where" => break,
            // What came before is the trait.
            TokenTree::Ident(word) if depth == 0 && word == "for" => name.clear(),
            TokenTree::Ident(word) if depth == 0 => name = word.to_string(),
            _ => {}
        }
    }
    name
}

/// The path of the module that a file of the project is: `my_crate::pool` for
/// `src/pool.rs`, `it` for `tests/it.rs`.
pub fn module_of(project: &Project, file: &Utf8Path) -> Option<String> {
    let package = project.package_of(file)?;
    let inside = file.strip_prefix(&package.root).ok()?;
    let parts: Vec<&str> = inside.components().map(|part| part.as_str()).collect();
    let (mut path, rest) = match parts.as_slice() {
        // A target of its own, or in a folder of its own.
        ["src", "bin", name, rest @ ..] | ["tests" | "benches" | "examples", name, rest @ ..] => {
            (stem(name).to_owned(), rest)
        }
        ["src", rest @ ..] | rest => (package.name.clone(), rest),
    };
    path = path.replace('-', "_");
    for part in rest {
        let module = stem(part);
        if !matches!(module, "lib" | "main" | "mod") {
            path.push_str("::");
            path.push_str(module);
        }
    }
    Some(path)
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".rs").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Package;

    const TEXT: &str = r#"//! A crate.
use std::fmt;

pub struct Pool<T>(T);

impl<T: Fn() -> u32> Pool<T> {
    /// Starts it.
    #[inline]
    pub async fn start(&self) -> impl Sized {
        let text = "fn not_one() {";
        async move {
            (self.0)()
        }
    }
}

impl<T> fmt::Display for Pool<T>
where
    T: Send,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn helper() {
        }
        helper();
        Ok(())
    }
}

mod inner {
    pub trait Run {
        fn run(&self) {}
        fn stop(&self);
    }
}

lazy! {
    fn in_a_macro() {
        call(|f: fn(u32)| f(7));
    }
}

#[tokio::test]
async fn works() {
}

#[derive(Default)]
struct Derived {
    lock: Mutex<u32>,
}

struct Tuple(Mutex<u32>);

lazy! {
    static ref SHARED: Mutex<u32> = {
        Mutex::new(7)
    };
}

const fn constant() -> u32 {
    8
}

static TABLE: Lazy = Lazy::new(|| {
    start()
});
"#;

    #[test]
    fn a_line_lies_in_the_innermost_function() {
        let items = Items::of_text(TEXT);
        let told = |needle: &str| {
            let line = TEXT.lines().position(|line| line.contains(needle)).unwrap() + 1;
            items.function_at(line as u32)
        };
        assert_eq!(told("(self.0)()"), Some("Pool::start"));
        assert_eq!(told("not_one"), Some("Pool::start"));
        assert_eq!(told("Ok(())"), Some("Pool::fmt"));
        assert_eq!(told("fn helper()"), Some("Pool::fmt::helper"));
        assert_eq!(told("helper();"), Some("Pool::fmt"));
        assert_eq!(told("fn run"), Some("inner::Run::run"));
        assert_eq!(told("call("), Some("in_a_macro"));
        assert_eq!(told("#[tokio::test]"), Some("works"));
        assert_eq!(told("#[derive(Default)]"), Some("Derived"));
        assert_eq!(told("lock: Mutex"), Some("Derived"));
        assert_eq!(told("struct Tuple"), Some("Tuple"));
        assert_eq!(told("Mutex::new(7)"), Some("SHARED"));
        assert_eq!(told("    8"), Some("constant"));
        assert_eq!(told("    start()"), Some("TABLE"));
        assert_eq!(told("use std"), None);
        assert_eq!(told("fn stop"), None);
        assert_eq!(Items::of_text("fn (").function_at(1), None);
    }

    #[test]
    fn a_file_is_a_module_of_its_target() {
        let package = Package { name: "my-app".to_owned(), root: "/w/app".into() };
        let project = Project {
            workspace_root: "/w".into(),
            packages: vec![package],
            test_sources: std::collections::BTreeSet::new(),
        };
        for (file, module) in [
            ("src/lib.rs", "my_app"),
            ("src/net/pool.rs", "my_app::net::pool"),
            ("src/net/mod.rs", "my_app::net"),
            ("src/bin/tool.rs", "tool"),
            ("src/bin/tool/main.rs", "tool"),
            ("tests/it.rs", "it"),
            ("tests/it/main.rs", "it"),
            ("tests/it/net.rs", "it::net"),
        ] {
            let file = Utf8Path::new("/w/app").join(file);
            assert_eq!(module_of(&project, &file).as_deref(), Some(module), "{file}");
        }
        assert_eq!(module_of(&project, Utf8Path::new("/other/src/lib.rs")), None);
    }
}
