//! The command line, for the built-in names and any that a plugin adds.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     let mut registry = idode::registry::Registry::default();
//!     idode::cli::run(registry)
//! }
//! ```

mod arguments;
mod bar;
mod budget;
mod comparison;
#[cfg(feature = "cuda")]
mod device_failure;
mod execute;
mod exit;
mod interrupt;
mod ladder;
mod list;
mod new_plugin;
mod output;
mod ranks;
mod table;

pub use bar::Bar;
pub use budget::budget_table;
pub use comparison::comparison_table;
pub use interrupt::{Interrupt, Until};
pub use ladder::ladder_table;
pub use table::table;

use crate::error::Error;
use crate::registry::Registry;
use arguments::Command;
use exit::Exit;
use output::complain;
use std::process::ExitCode;

/// Runs the command line of this process with the names of `registry`.
pub fn run(registry: Registry) -> ExitCode {
    let command = match Command::read(std::env::args_os()) {
        Ok(command) => command,
        Err(answer) => return answer.give(),
    };
    let run = || execute::execute(command, &registry);
    #[cfg(feature = "cuda")]
    let done = device_failure::as_error(run);
    #[cfg(not(feature = "cuda"))]
    let done = run();
    match done {
        Ok(exit) => exit.into(),
        // Whoever was interrupted has said so.
        Err(Error::Interrupted) => Exit::Interrupted.into(),
        Err(error) => {
            complain(&error.to_string());
            Exit::of(&error).into()
        }
    }
}
