//! `taskgate commands`: the reference page of the command line, made from the command line itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use crate::cli::Cli;

/// The reference of every command, in Markdown.
pub(super) fn markdown() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = String::from(
        "# Command line\n\n\
         Every command of `taskgate`. Made by `taskgate commands`; do not edit.\n\n\
         `--help` after a command says the same. The exit status is 0 where all went well, 1 where something failed \
         and 2 where the words of the command are wrong; where it says more, the command says so. What can't be done \
         is on standard error, in one line. An option that is given comes before its variable.\n",
    );
    let mut commands = Vec::new();
    collect(&root, &mut commands);
    text.push_str("\n## Variables\n\n| variable | stands for | of |\n|---|---|---|\n");
    for ((variable, option), names) in variables(&commands) {
        let _ = writeln!(text, "| `{variable}` | `{option}` | {} |", names.join(", "));
    }
    for command in commands {
        describe(command, &mut text);
    }
    text
}

/// The commands that can be run, each before what is below it.
fn collect<'a>(command: &'a Command, found: &mut Vec<&'a Command>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        if !below.is_subcommand_required_set() {
            found.push(below);
        }
        collect(below, found);
    }
}

/// Which variable stands for which option of which commands.
fn variables(commands: &[&Command]) -> BTreeMap<(String, String), Vec<String>> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for command in commands {
        for argument in arguments(command) {
            if let Some(variable) = argument.get_env() {
                let key = (variable.to_string_lossy().into_owned(), name(argument));
                found.entry(key).or_default().push(format!("[{0}](#{1})", title(command), anchor(command)));
            }
        }
    }
    found
}

fn describe(command: &Command, text: &mut String) {
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n## `{}`\n\n{}\n", title(command), sentence(&about));
    if let Some(more) = command.get_after_help() {
        let _ = write!(text, "\n{more}\n");
    }
    let mut arguments = arguments(command).peekable();
    if arguments.peek().is_none() {
        return;
    }
    text.push_str("\n| option | default | meaning |\n|---|---|---|\n");
    for argument in arguments {
        let (spelling, meaning) = (spelling(argument), meaning(argument));
        let _ = writeln!(text, "| {spelling} | {} | {meaning} |", default(argument));
    }
}

fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let own = |argument: &&Arg| !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str());
    command.get_arguments().filter(own)
}

/// The whole name of a command: `taskgate share list`.
fn title(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Where the command's heading is on the page.
fn anchor(command: &Command) -> String {
    title(command).replace(' ', "-")
}

/// What an argument is called: `--config`, or `SERVICE`.
fn name(argument: &Arg) -> String {
    match (argument.get_long(), argument.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => values(argument),
    }
}

/// All ways to write an argument.
fn spelling(argument: &Arg) -> String {
    let values = if argument.get_action().takes_values() { values(argument) } else { String::new() };
    if argument.is_positional() {
        return format!("`{values}`");
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let aliases = argument.get_visible_aliases().unwrap_or_default().into_iter().map(|alias| format!("--{alias}"));
    let names = short.into_iter().chain([name(argument)]).chain(aliases).map(|name| format!("`{name}`"));
    let names: Vec<String> = names.collect();
    let values = if values.is_empty() { values } else { format!(" `{values}`") };
    format!("{}{values}", names.join(", "))
}

fn values(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn default(argument: &Arg) -> String {
    if argument.is_required_set() {
        return "required".to_owned();
    }
    let values = if argument.is_hide_default_value_set() { &[] } else { argument.get_default_values() };
    let takes = argument.get_action().takes_values();
    let shown = values.iter().filter(|value| takes && !value.is_empty());
    shown.map(|value| format!("`{}`", value.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut meaning = help.map(ToString::to_string).unwrap_or_default();
    let possible = if argument.get_action().takes_values() { argument.get_possible_values() } else { Vec::new() };
    let possible: Vec<String> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !possible.is_empty() {
        let _ = write!(meaning, ": {}", possible.join(", "));
    }
    if let Some(variable) = argument.get_env() {
        let _ = write!(meaning, "; variable `{}`", variable.to_string_lossy());
    }
    meaning.replace('\n', " ").replace('|', "\\|")
}

/// A command says what it does in small letters, without a full stop.
fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if about.ends_with(['.', '?', '…']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_checked_in_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/command-line.md");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        assert!(text == markdown(), "docs/reference/command-line.md is not what the code says; run `make docs`");
    }

    #[test]
    fn every_command_and_every_variable_is_there() {
        let page = markdown();
        for command in ["serve", "share", "share list", "share revoke", "config check", "commands", "upload"] {
            assert!(page.contains(&format!("\n## `taskgate {command}`\n")), "{command}: {page}");
        }
        for variable in ["ACCESS", "PASSWORD_FILE", "SERVER", "TOKEN_FILE", "USER"] {
            assert!(page.contains(&format!("| `TASKGATE_{variable}` |")), "{variable}: {page}");
        }
        let share = page.split("\n## `taskgate share`\n").nth(1).and_then(|rest| rest.split("\n## ").next());
        let share = share.unwrap_or_default();
        assert!(share.contains("| `SERVICE` | required |"), "{share}");
        assert!(share.contains("| `--for` `TIME` | `1h` |"), "{share}");
    }

    #[test]
    fn one_variable_stands_for_one_thing() {
        let mut root = Cli::command();
        root.build();
        let mut commands = Vec::new();
        collect(&root, &mut commands);
        let mut seen = BTreeMap::new();
        for ((variable, option), _) in variables(&commands) {
            assert_eq!(seen.insert(variable.clone(), option), None, "{variable} stands for two options");
        }
        for command in commands {
            for argument in
                arguments(command).filter(|argument| ["--at", "--token-file"].contains(&name(argument).as_str()))
            {
                assert!(argument.get_env().is_some(), "{}: {} has no variable", title(command), name(argument));
            }
        }
    }

    #[test]
    fn a_heading_is_a_sentence() {
        assert_eq!(sentence("make a key"), "Make a key.");
        assert_eq!(sentence("put files. The status is 1"), "Put files. The status is 1.");
        assert_eq!(sentence(""), ".");
    }
}
