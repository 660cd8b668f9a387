//! Whether there is colour.

use std::ffi::OsString;

use super::args::ColorChoice;

/// Decides for one stream: `--color`, then `CARGO_TERM_COLOR`, then
/// `NO_COLOR`, `CLICOLOR_FORCE` and `CLICOLOR`, then whether it is a terminal.
///
/// `auto` means the rest of the list, so `--color auto` overrules a
/// `CARGO_TERM_COLOR=never`, as it does for cargo.
pub fn is_enabled(
    flag: Option<ColorChoice>,
    environment: &dyn Fn(&str) -> Option<OsString>,
    is_terminal: bool,
) -> bool {
    let variable = |name| environment(name).filter(|value| !value.is_empty());
    let cargo = || match variable("CARGO_TERM_COLOR")?.to_str()? {
        "always" => Some(ColorChoice::Always),
        "never" => Some(ColorChoice::Never),
        _ => None,
    };
    match flag.or_else(cargo).unwrap_or(ColorChoice::Auto) {
        ColorChoice::Always => return true,
        ColorChoice::Never => return false,
        ColorChoice::Auto => {}
    }
    if variable("NO_COLOR").is_some() {
        return false;
    }
    if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    if variable("CLICOLOR").is_some_and(|value| value == "0") {
        return false;
    }
    is_terminal && variable("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flag, the environment, whether it is a terminal, whether there is colour.
    type Row = (Option<ColorChoice>, &'static [(&'static str, &'static str)], bool, bool);

    #[test]
    fn the_flag_beats_cargo_which_beats_the_conventions_which_beat_the_terminal() {
        use ColorChoice::{Always, Auto, Never};
        #[rustfmt::skip]
        let table: &[Row] = &[
            (None,         &[],                                                       true,  true),
            (None,         &[],                                                       false, false),
            (Some(Never),  &[("CARGO_TERM_COLOR", "always")],                         true,  false),
            (Some(Always), &[("CARGO_TERM_COLOR", "never"), ("NO_COLOR", "1")],       false, true),
            (Some(Auto),   &[("CARGO_TERM_COLOR", "never")],                          true,  true),
            (Some(Auto),   &[("NO_COLOR", "1")],                                      true,  false),
            (None,         &[("CARGO_TERM_COLOR", "always"), ("NO_COLOR", "1")],      false, true),
            (None,         &[("CARGO_TERM_COLOR", "never"), ("CLICOLOR_FORCE", "1")], true,  false),
            (None,         &[("CARGO_TERM_COLOR", "auto"), ("NO_COLOR", "1")],        true,  false),
            (None,         &[("CARGO_TERM_COLOR", "sometimes")],                      true,  true),
            (None,         &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],             true,  false),
            (None,         &[("NO_COLOR", "")],                                       true,  true),
            (None,         &[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")],             false, true),
            (None,         &[("CLICOLOR_FORCE", "0")],                                false, false),
            (None,         &[("CLICOLOR", "0")],                                      true,  false),
            (None,         &[("CLICOLOR", "1")],                                      false, false),
            (None,         &[("TERM", "dumb")],                                       true,  false),
        ];
        for (flag, variables, is_terminal, expected) in table {
            let environment = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            assert_eq!(
                is_enabled(*flag, &environment, *is_terminal),
                *expected,
                "{flag:?} {variables:?} terminal: {is_terminal}"
            );
        }
    }
}
