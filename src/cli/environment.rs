//! Each flag as an environment variable: `--web.listen-address` is `GRID_EXPORTER_WEB_LISTEN_ADDRESS`.
//!
//! The rule is applied to clap's definition, so that a new flag has its variable at once. Variables are put behind
//! the arguments as flags and parsed with them; clap's own `env` would read the process's environment, which tests
//! can't set, take an empty variable for a value, and not say that a bad value came from a variable.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use std::ffi::OsString;

/// What all the variables begin with.
pub const PREFIX: &str = "GRID_EXPORTER_";

/// The variable of a flag, given without its dashes.
#[must_use]
pub fn variable(flag: &str) -> String {
    let name: String =
        flag.chars().map(|c| if matches!(c, '.' | '-') { '_' } else { c.to_ascii_uppercase() }).collect();
    format!("{PREFIX}{name}")
}

/// The flag of an argument that has a variable: each one that begins with dashes but help and version.
fn flag_of(argument: &Arg) -> Option<&str> {
    argument.get_long().filter(|flag| !matches!(*flag, "help" | "version"))
}

/// Adds the variable's name to the long help of each flag.
pub(super) fn mention(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let Some(flag) = flag_of(&argument) else { return argument };
        let variable = variable(flag);
        let help =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        argument.long_help(format!("{help}\n\n[env: {variable}]"))
    });
    command.mut_subcommands(mention)
}

/// Parses `arguments`, then once more with the variables of all flags that they do not give.
pub(super) fn matches(
    command: &mut Command,
    arguments: Vec<OsString>,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<ArgMatches, clap::Error> {
    let given = command.try_get_matches_from_mut(&arguments)?;
    let (chosen, given_here) = match given.subcommand() {
        Some((name, given)) => (command.find_subcommand(name).unwrap_or(command), given),
        None => (&*command, &given),
    };
    match from_variables(chosen, given_here, lookup) {
        Ok(flags) if flags.is_empty() => Ok(given),
        Ok(flags) => command
            .try_get_matches_from_mut(arguments.into_iter().chain(flags))
            .map_err(|error| name_the_variable(command, &error)),
        Err(message) => Err(command.error(ErrorKind::InvalidUtf8, message)),
    }
}

/// The variables of all flags of `command` that `given` does not have, as flags.
fn from_variables(
    command: &Command,
    given: &ArgMatches,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>, String> {
    let mut flags = Vec::new();
    for argument in command.get_arguments() {
        let Some(flag) = flag_of(argument) else { continue };
        if given.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine) {
            continue;
        }
        let Some(value) = lookup(&variable(flag)).filter(|value| !value.is_empty()) else { continue };
        let Some(text) = value.to_str() else {
            return Err(format!(
                "the variable {} is not UTF-8; set it to plain text, or unset it",
                variable(flag)
            ));
        };
        let values: Vec<&str> = if is_repeatable(argument) {
            text.split(',').map(str::trim).collect()
        } else {
            vec![text.trim()]
        };
        flags.extend(values.into_iter().map(|value| OsString::from(format!("--{flag}={value}"))));
    }
    Ok(flags)
}

fn is_repeatable(argument: &Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
}

/// The arguments alone were good, so what is wrong came from a variable: the message has to say so.
fn name_the_variable(command: &mut Command, error: &clap::Error) -> clap::Error {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(shown)) => shown.trim_start_matches('-').split([' ', '=', '[']).next(),
        _ => None,
    };
    let text = error.render().to_string();
    let why = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let message = match flag {
        Some(flag) => format!("the variable {}: {why}", variable(flag)),
        None => format!("a variable {PREFIX}…: {why}"),
    };
    command.error(error.kind(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_dashes_become_underscores() {
        assert_eq!(variable("web.listen-address"), "GRID_EXPORTER_WEB_LISTEN_ADDRESS");
        assert_eq!(variable("job"), "GRID_EXPORTER_JOB");
    }
}
