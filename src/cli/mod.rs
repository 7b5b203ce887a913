//! The command line: commands, flags, environment names; one file for each command.
//!
//! Called by `main` alone.

pub mod simulate;
