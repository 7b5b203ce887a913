//! Starts the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    grid_bulk_exporter::cli::main(std::env::args_os(), |name| std::env::var_os(name))
}
