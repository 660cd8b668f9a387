//! Manual pages, made of the same grammar as `--help`.

use anyhow::Context as _;
use clap_mangen::Man;

use super::{args, exit::ExpectedError};

/// The page of `cargo-concaudit`, or of one of its subcommands.
pub fn page(subcommand: Option<&str>) -> Result<String, ExpectedError> {
    let mut command = args::command();
    command.build();
    let command = match subcommand {
        None => command,
        Some(name) => {
            let found = command.find_subcommand(name);
            let found = found.with_context(|| {
                let known: Vec<&str> =
                    command.get_subcommands().map(clap::Command::get_name).collect();
                format!("there is no subcommand `{name}`: there are {}", known.join(", "))
            });
            let found = found.map_err(ExpectedError::Usage)?.clone();
            // As git and cargo call theirs.
            found.name(format!("cargo-concaudit-{name}"))
        }
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page).context("failed to write the manual page")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subcommand_has_a_page() {
        let mut command = args::command();
        command.build();
        for subcommand in command.get_subcommands() {
            let name = subcommand.get_name();
            let page = page(Some(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(page.contains(&format!(".TH cargo-concaudit-{name} ")), "{page}");
        }
        assert!(page(None).expect("it has one").contains("Exit codes:"));
        assert!(page(Some("report2")).is_err());
    }
}
