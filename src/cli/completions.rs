//! Completion scripts that serve `cargo concaudit`, which is what people type, as well as
//! `cargo-concaudit`, which is what the generator knows.

use clap_complete::Shell;

use super::args;

/// The program that a script is generated for.
const PROGRAM: &str = env!("CARGO_PKG_NAME");

/// What is appended for bash: a function that rewrites the words, and leaves all other
/// subcommands to whatever completes cargo.
const BASH: &str = r#"
# cargo concaudit
_cargo_concaudit_in_cargo() {
    local at=1
    [[ ${COMP_WORDS[1]} == +* ]] && at=2
    if [[ ${COMP_WORDS[at]} == concaudit && $COMP_CWORD -gt $at ]]; then
        COMP_WORDS=(cargo-concaudit "${COMP_WORDS[@]:at+1}")
        COMP_CWORD=$((COMP_CWORD - at))
        _cargo__concaudit cargo-concaudit "$2" "$3"
    elif [[ -n $_cargo_concaudit_before ]]; then
        "$_cargo_concaudit_before" "$@"
    fi
}
# Loads what completes cargo so far, where that is loaded on demand.
if declare -F _comp_load >/dev/null; then
    _comp_load cargo 2>/dev/null
elif declare -F _completion_loader >/dev/null; then
    _completion_loader cargo 2>/dev/null
fi
if [[ $(complete -p cargo 2>/dev/null) =~ \ -F\ ([^ ]+) ]] &&
    [[ ${BASH_REMATCH[1]} != _cargo_concaudit_in_cargo ]] &&
    declare -F "${BASH_REMATCH[1]}" >/dev/null; then
    _cargo_concaudit_before=${BASH_REMATCH[1]}
fi
complete -F _cargo_concaudit_in_cargo -o nosort -o bashdefault -o default cargo 2>/dev/null ||
    complete -F _cargo_concaudit_in_cargo -o bashdefault -o default cargo
"#;

/// For zsh: cargo's own script calls `_cargo-concaudit`. Where there is none, this does.
const ZSH: &str = r"
# cargo concaudit
if (( $+functions[compdef] )) && [[ -z ${_comps[cargo]} ]]; then
    _cargo_concaudit_in_cargo() {
        if [[ $words[2] == concaudit && $CURRENT -gt 2 ]]; then
            shift words
            (( CURRENT-- ))
            _cargo-concaudit
        else
            _default
        fi
    }
    compdef _cargo_concaudit_in_cargo cargo
fi
";

/// For fish: asks what it knows of the program by its own name.
const FISH: &str = r"
# cargo concaudit
function __fish_cargo_concaudit_in_cargo
    set -l words (commandline -opc)
    set -e words[1]
    string match -q -- '+*' $words[1]; and set -e words[1]
    set -e words[1]
    complete -C (string join ' ' -- cargo-concaudit (string escape -- $words) (commandline -ct))
end
complete -c cargo -n '__fish_seen_subcommand_from concaudit' -f -a '(__fish_cargo_concaudit_in_cargo)'
";

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), PROGRAM, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Bash {
        // clap_complete 4.6 gives its states two names where the program's has a hyphen.
        script = script.replace("cargo__subcmd__concaudit", "cargo__concaudit");
    }
    script.push_str(match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
        _ => "",
    });
    script
}
