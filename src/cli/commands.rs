//! What each command does.

use super::arguments::Command;
use super::{Bar, interrupt, list, print, table};
use crate::config::Recipe;
use crate::error::Result;
use crate::progress::Progress;
use crate::registry::Registry;
use crate::run::RunFolder;
use crate::work::{self, Destination, Trained};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn execute(command: Command, registry: &Registry) -> Result<ExitCode> {
    match command {
        Command::Train { recipe, out, resume } => train(&recipe, out, resume, registry),
        Command::Eval { run } => evaluate(&run, registry),
        Command::Sample { run, count } => sample(&run, count, registry),
        Command::List => print(&list::list(registry)).map(|()| ExitCode::SUCCESS),
    }
}

fn train(path: &Path, out: Option<PathBuf>, resume: bool, registry: &Registry) -> Result<ExitCode> {
    let recipe = Recipe::load(path)?.resolved()?;
    let folder = match out {
        Some(out) => out,
        None => Path::new("runs").join(path.file_stem().unwrap_or(path.as_os_str())),
    };
    let destination =
        if resume { Destination::Resume(folder.clone()) } else { Destination::New(folder.clone()) };
    registry.check(&recipe)?;
    destination.check(&recipe)?;
    interrupt::install()?;
    let mut bar = Bar::new();
    match work::train(&recipe, registry, &destination, &mut bar)? {
        Trained::Finished(outcome) => {
            print(&format!("{}\n{}\n", table(&outcome), folder.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Trained::Interrupted { step } => {
            bar.message(&format!(
                "stopped after step {step}, with a checkpoint; continue with: idode train {} --out {} --resume",
                shell(path),
                shell(&folder)
            ));
            Ok(ExitCode::from(interrupt::EXIT_CODE))
        }
    }
}

fn evaluate(path: &Path, registry: &Registry) -> Result<ExitCode> {
    let run = RunFolder::open(path)?;
    let outcome = work::evaluate(&run, registry, &mut Bar::new())?;
    print(&format!("{}\n{}\n", table(&outcome), run.result().display()))?;
    Ok(ExitCode::SUCCESS)
}

fn sample(path: &Path, count: Option<u64>, registry: &Registry) -> Result<ExitCode> {
    let run = RunFolder::open(path)?;
    let count = count.unwrap_or(run.recipe().sample.count);
    let picture = work::sample(&run, registry, count, &mut Bar::new())?;
    print(&format!("{}\n", picture.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A path as a shell takes it back.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_the_shell() {
        assert_eq!(shell(Path::new("runs/a-1.toml")), "runs/a-1.toml");
        assert_eq!(shell(Path::new("my runs/it's")), r"'my runs/it'\''s'");
    }
}
