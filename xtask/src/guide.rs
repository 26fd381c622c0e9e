//! `cargo xtask guide`: runs the commands that the three people's pages of the guide show, and compares what they print.
//!
//! In a page, a block ```` ```toml,recipe=NAME ```` is a file of that name, and in a block ```` ```console ```` a line `$ COMMAND` is
//! followed by what it prints: standard output, or of a command that fails its standard error. `...` is any one word, a line of it
//! alone any number of lines; numbers with a decimal point agree within 2 % or 0.02.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// The pages, in order, each with the files it starts from.
const PAGES: &[(&str, &[&str])] = &[
    ("path_objective.md", &[]),
    ("path_table.md", &["docs/src/files/bend.csv"]),
    ("path_checkpoint.md", &["docs/src/files/images.npy", "tests/data/reference/checkpoint.flax"]),
];

/// The programs that a page may call.
const PROGRAMS: &[&str] = &["idode", "cargo", "cmp"];

/// A command of a page and what stands under it.
#[derive(Debug, PartialEq)]
struct Shown<'a> {
    command: &'a str,
    output: Vec<&'a str>,
}

/// Runs every page; the first that is wrong, in words.
pub(crate) fn run() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no folder above xtask")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).current_dir(root).args(["build", "--quiet", "--bin", "idode"]).status();
    if !built.map_err(|error| format!("cannot run cargo: {error}"))?.success() {
        return Err("the program does not build".into());
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let program = root.join(target).join("debug/idode");
    for (page, files) in PAGES {
        let folder = env::temp_dir().join(format!("idode-guide-{}-{page}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let found = run_page(root, &folder, &program, page, files);
        let removed = fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()));
        found.and(removed).map_err(|error| format!("{page}: {error}"))?;
    }
    Ok(())
}

fn run_page(root: &Path, folder: &Path, program: &Path, page: &str, files: &[&str]) -> Result<(), String> {
    for file in files {
        let name = Path::new(file).file_name().ok_or("a file without a name")?;
        fs::copy(root.join(file), folder.join(name)).map_err(|error| format!("{file}: {error}"))?;
    }
    let text = fs::read_to_string(root.join("docs/src").join(page)).map_err(|error| error.to_string())?;
    let mut commands = 0;
    for (kind, lines) in blocks(&text) {
        if let Some(name) = kind.strip_prefix("toml,recipe=") {
            fs::write(folder.join(name), lines.join("\n") + "\n")
                .map_err(|error| format!("{name}: {error}"))?;
        }
        for shown in if kind == "console" { shown(&lines)? } else { Vec::new() } {
            eprintln!("== {page}: $ {}", shown.command);
            commands += 1;
            let printed = printed(&execute(root, folder, program, shown.command)?);
            compare(&shown.output, &printed.lines().collect::<Vec<_>>())
                .map_err(|error| format!("$ {}: {error}\nprinted:\n{printed}", shown.command))?;
        }
    }
    if commands == 0 { Err("no command".into()) } else { Ok(()) }
}

/// A command in the page's folder; cargo, in the repository.
fn execute(root: &Path, folder: &Path, program: &Path, command: &str) -> Result<Output, String> {
    let mut words = command.split_whitespace();
    let name = words
        .next()
        .filter(|name| PROGRAMS.contains(name))
        .ok_or(format!("$ {command}: not a program of {PROGRAMS:?}"))?;
    let path = if name == "idode" { program } else { Path::new(name) };
    let place = if name == "cargo" { root } else { folder };
    let output = Command::new(path).args(words).current_dir(place).output();
    output.map_err(|error| format!("$ {command}: {error}"))
}

fn printed(output: &Output) -> String {
    let bytes = if output.status.success() { &output.stdout } else { &output.stderr };
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// The fenced blocks of a page: what stands after the fence, and the lines.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let (mut found, mut open) = (Vec::new(), None::<(&str, Vec<&str>)>);
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, lines)), None) => lines.push(line),
            (None, Some(kind)) => open = Some((kind, Vec::new())),
            (None, None) => {}
        }
    }
    found
}

fn shown<'a>(lines: &[&'a str]) -> Result<Vec<Shown<'a>>, String> {
    let mut found = Vec::<Shown<'a>>::new();
    for line in lines {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) => found.push(Shown { command, output: Vec::new() }),
            (None, Some(last)) => last.output.push(line),
            (None, None) => return Err(format!("\"{line}\" stands before any command")),
        }
    }
    Ok(found)
}

/// Whether the lines shown are the lines printed.
fn compare(shown: &[&str], printed: &[&str]) -> Result<(), String> {
    match (shown, printed) {
        ([], []) => Ok(()),
        (["...", rest @ ..], _) => (0..=printed.len())
            .find(|&skipped| compare(rest, &printed[skipped..]).is_ok())
            .map(|_| ())
            .ok_or_else(|| format!("expected, after any lines, {rest:?}")),
        ([first, rest @ ..], [own, others @ ..]) if same_line(first, own) => compare(rest, others),
        ([first, ..], own) => Err(format!("expected \"{first}\", found {:?}", own.first())),
        ([], [own, ..]) => Err(format!("expected the end, found \"{own}\"")),
    }
}

fn same_line(shown: &str, printed: &str) -> bool {
    let (shown, printed): (Vec<_>, Vec<_>) =
        (shown.split_whitespace().collect(), printed.split_whitespace().collect());
    shown.len() == printed.len() && shown.iter().zip(printed).all(|(shown, own)| same_word(shown, own))
}

fn same_word(shown: &str, printed: &str) -> bool {
    let number = |word: &str| word.parse::<f64>().ok().filter(|_| word.contains('.'));
    match (number(shown), number(printed)) {
        _ if shown == "..." => true,
        (Some(a), Some(b)) => (a - b).abs() <= f64::max(0.02, 0.02 * a.abs()),
        _ => shown == printed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_agree_but_for_what_is_masked() {
        let same = |shown: &[&str], printed: &[&str]| compare(shown, printed).is_ok();
        assert!(same(&["ode  1.500 20 ..."], &["ode 1.51 20 3.7"]));
        assert!(!same(&["ode  1.500 20 ..."], &["ode 1.55 20 3.7"]));
        assert!(!same(&["ode 1.5 20"], &["ode 1.5 21"]), "a whole number is exact");
        assert!(!same(&["a ..."], &["a"]) && !same(&["a"], &["a", "b"]) && !same(&["a", "b"], &["a"]));
        assert!(same(&["a", "...", "d"], &["a", "b", "c", "d"]) && !same(&["a", "...", "d"], &["a", "b"]));
    }

    #[test]
    fn commands_and_files_are_found() {
        let text = "```toml,recipe=r.toml\na = 1\n```\ntext\n```console\n$ idode list\none\n$ cmp a b\n```\n";
        let found = blocks(text);
        assert_eq!(found[0], ("toml,recipe=r.toml", vec!["a = 1"]));
        let commands = shown(&found[1].1);
        let expected = [
            Shown { command: "idode list", output: vec!["one"] },
            Shown { command: "cmp a b", output: vec![] },
        ];
        assert_eq!(commands.as_deref(), Ok(&expected[..]));
        assert!(shown(&["text"]).is_err());
    }
}
