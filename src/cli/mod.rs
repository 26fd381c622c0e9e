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
mod commands;
mod comparison;
mod exit;
pub mod interrupt;
mod ladder;
mod list;
mod new_plugin;
#[cfg(feature = "cuda")]
mod shortage;
mod table;

pub use bar::Bar;
pub use budget::budget_table;
pub use comparison::comparison_table;
pub use interrupt::{Interrupt, Until};
pub use ladder::ladder_table;
pub use table::table;

use crate::error::{Error, printable};
use crate::registry::Registry;
use arguments::Arguments;
use exit::Exit;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command line of this process with the names of `registry`.
pub fn run(registry: Registry) -> ExitCode {
    let command = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments.command,
        Err(answer) => return answer.give(),
    };
    let work = || commands::execute(command, &registry);
    #[cfg(feature = "cuda")]
    let done = shortage::told(work);
    #[cfg(not(feature = "cuda"))]
    let done = work();
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

/// Writes one line to standard error. Nobody is left to tell if that fails.
fn complain(message: &str) {
    let line = message.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    let line = printable(&line.collect::<Vec<_>>().join(" "));
    let _ = writeln!(std::io::stderr(), "error: {line}");
}

/// Writes text to standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> crate::error::Result<()> {
    let text = text.split('\n').map(printable).collect::<Vec<_>>().join("\n");
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", "write")(error))
        }
        _ => Ok(()),
    }
}
