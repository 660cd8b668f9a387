//! Paths of functions, as the symbol tables have them.

/// A function's path without closures and generic arguments; of a method of a
/// trait, the type's path: `<a::B<T> as C>::d::{closure#0}` is `a::B::d`.
pub fn plain(function: &str) -> String {
    let (head, tail) = match function.strip_prefix('<') {
        Some(rest) => {
            let mut depth = 1_usize;
            let end = rest.char_indices().find_map(|(at, letter)| {
                match letter {
                    '<' => depth += 1,
                    '>' if !rest[..at].ends_with('-') => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            });
            let (inside, tail) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
            let head = inside.split(" as ").next().unwrap_or(inside);
            (head, tail)
        }
        None => (function, ""),
    };
    let mut text = String::new();
    let mut depth = 0_usize;
    let mut last = ' ';
    for letter in head.chars().chain(tail.chars()) {
        match letter {
            '<' => depth += 1,
            '>' if last != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
        last = letter;
    }
    text.split("::")
        .filter(|part| !part.is_empty() && !part.starts_with('{'))
        .collect::<Vec<_>>()
        .join("::")
}

/// The last two segments of a function's path: enough to know it by.
pub fn short(function: &str) -> String {
    let plain = plain(function);
    let parts: Vec<&str> = plain.split("::").collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// The crate in which a demangled function was defined, as far as its path
/// tells; for `<T as Trait>::f` that of `T`. Empty where it has none.
pub fn crate_of(function: &str) -> &str {
    let mut rest = function;
    loop {
        let trimmed = rest
            .trim_start_matches(['<', '&', '*', '(', '[', ' '])
            .trim_start_matches("mut ")
            .trim_start_matches("const ")
            .trim_start_matches("dyn ")
            .trim_start_matches("impl ");
        if trimmed.len() == rest.len() {
            break;
        }
        rest = trimmed;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_their_last_two_segments() {
        assert_eq!(short("my_crate::pool::Pool::new::{{closure}}"), "Pool::new");
        assert_eq!(short("my_crate::run::{closure#0}::{closure#1}"), "my_crate::run");
        assert_eq!(short("<my_crate::Pool<T> as core::ops::Drop>::drop"), "Pool::drop");
        assert_eq!(short("<my_crate::Pool>::get::<u8>"), "Pool::get");
        assert_eq!(plain("a::f<fn() -> b::C<D>>::g"), "a::f::g");
        assert_eq!(plain("<unbalanced"), "unbalanced");
        assert_eq!(plain(""), "");
    }
}
