//! The `soundwatch` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    soundwatch::cli::main()
}
