//! Integration tests: one binary, whose modules mirror `src/` and the endpoints.

mod config_bad_files;
mod config_command_line;
mod config_commands;
mod config_docs;
mod config_merge;
