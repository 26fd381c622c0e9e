//! The laws of a plugin's binary: the whole command line with the plugin's name added.

mod run;

pub use run::{resumed, trained};

use super::{Law, Verdict, Violation};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

crate::__idode_laws! { command_line __idode_table }

/// A binary, and a recipe that is one of it alone.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The name that the plugin adds.
    pub name: &'a str,
    /// The binary: `env!("CARGO_BIN_EXE_my-plugin")` in a test of the crate that has it.
    pub binary: &'a str,
    /// The folder that it runs in: paths in the recipe are seen from there.
    pub folder: &'a str,
    /// The recipe, seen from the folder: one that uses the name, of a small network and small data.
    pub recipe: &'a str,
}

/// What a command answered.
struct Answer {
    code: Option<i32>,
    output: String,
    complaint: String,
}

impl Answer {
    /// The exit code and the complaint, for messages.
    fn shown(&self) -> String {
        let code = self.code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        format!("{code} and \"{}\"", self.complaint.trim_end())
    }
}

impl Subject<'_> {
    fn law(&self, name: &'static str) -> Law {
        Law::new("command line", name, &self.name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary);
        command.args(arguments).current_dir(self.folder);
        command
    }

    fn run(&self, law: &Law, arguments: &[&str]) -> Result<Answer, Violation> {
        let place = arguments.join(" ");
        let output = self.command(arguments).output();
        let output = output.map_err(|error| law.broken(&place, error, "a binary that runs"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer {
            code: output.status.code(),
            output: text(&output.stdout),
            complaint: text(&output.stderr),
        })
    }

    /// Runs what must succeed.
    fn succeeds(&self, law: &Law, arguments: &[&str]) -> Result<Answer, Violation> {
        let answer = self.run(law, arguments)?;
        law.holds(arguments.join(" "), answer.code == Some(0), answer.shown(), "exit code 0")?;
        Ok(answer)
    }

    fn text(&self, law: &Law) -> Result<String, Violation> {
        let path = Path::new(self.folder).join(self.recipe);
        let read = fs::read_to_string(&path);
        read.map_err(|error| law.broken(path.display(), error, "a recipe"))
    }
}

/// A new folder that is gone with its value.
fn temporary(law: &Law) -> Result<tempfile::TempDir, Violation> {
    tempfile::tempdir().map_err(|error| law.broken("temporary folder", error, "a new folder"))
}

/// Writes `r.toml` into a folder; gives its path.
fn write(law: &Law, folder: &Path, recipe: &str) -> Result<PathBuf, Violation> {
    let path = folder.join("r.toml");
    let written = fs::write(&path, recipe);
    written.map_err(|error| law.broken(path.display(), error, "a file that can be written"))?;
    Ok(path)
}

/// `list` shows the name beside the built-ins.
///
/// # Errors
/// The first name that is missing.
pub fn listed(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("listed");
    let list = subject.succeeds(&law, &["list"])?.output;
    for name in [subject.name, "vp", "velocity", "stratified", "truncated_normal", "dormand_prince"] {
        let shown = list.lines().any(|line| line.starts_with(&format!("  {name} ")));
        law.holds("list", shown, "no such name", format_args!("the name {name}"))?;
    }
    Ok(())
}

/// The recipe can be trained: `train --dry-run` has nothing to say against it.
///
/// # Errors
/// What it says.
pub fn recipe(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("recipe");
    let arguments = ["train", "--dry-run", subject.recipe];
    let answer = subject.succeeds(&law, &arguments)?;
    let silent = answer.complaint.is_empty() && !answer.output.is_empty();
    law.holds(arguments.join(" "), silent, answer.shown(), "costs, and no complaint")
}

/// The name misspelt in the recipe is answered with one line, which has the right one.
///
/// # Errors
/// What is answered instead.
pub fn misspelt(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("misspelt");
    let (right, wrong) = (format!("\"{}\"", subject.name), format!("\"{}s\"", subject.name));
    let text = subject.text(&law)?;
    law.holds(
        subject.recipe,
        text.contains(&right),
        "a recipe without it",
        format_args!("the name {right}"),
    )?;
    let folder = temporary(&law)?;
    let path = write(&law, folder.path(), &text.replace(&right, &wrong))?;
    let answer = subject.run(&law, &["train", "--dry-run", &path.to_string_lossy()])?;
    let expected = format!("{wrong}, expected {right} (the nearest of ");
    let holds = (answer.code, answer.complaint.lines().count()) == (Some(2), 1);
    let place = format!("{} with {wrong}", subject.recipe);
    law.holds(
        place,
        holds && answer.complaint.contains(&expected),
        answer.shown(),
        format_args!("exit code 2 and one line with \"{expected}\""),
    )
}
