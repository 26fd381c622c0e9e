//! `idode new-plugin`: a crate of a plugin that compiles, with one formula to fill in.

use crate::error::{Error, Result};
use crate::files;
use std::fs;
use std::path::{Path, PathBuf};

/// What can be extended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Parameterization,
    Schedule,
    TimeSampler,
    Dequantizer,
    Solver,
    Network,
}

/// The file of a crate, and its template.
type Template = (&'static str, &'static str);

/// The files that every kind has.
const COMMON: [Template; 5] = [
    ("Cargo.toml", include_str!("new_plugin/Cargo.toml.template")),
    ("README.md", include_str!("new_plugin/README.md.template")),
    ("src/main.rs", include_str!("new_plugin/main.rs.template")),
    ("tests/command_line.rs", include_str!("new_plugin/command_line.rs.template")),
    ("recipes/two_pixel.toml", include_str!("new_plugin/two_pixel.toml.template")),
];

/// What a kind's crate is made of.
struct Parts {
    library: &'static str,
    test: &'static str,
    /// Lines of `[dependencies]`.
    dependencies: &'static str,
    /// Where a recipe names it; `NAME` stands for the name.
    recipe: &'static str,
    /// The network of the recipe, if it is not this one.
    network: &'static str,
    /// In words.
    kind: &'static str,
}

/// The network that trains what is no network itself.
const MLP: &str = "[network]\nname = \"mlp\"\nwidth = 64\ndepth = 3\nfourier = [7]";

macro_rules! parts {
    ($name:literal, $kind:literal, $dependencies:literal, $recipe:literal) => {
        Parts {
            library: include_str!(concat!("new_plugin/", $name, ".rs.template")),
            test: include_str!(concat!("new_plugin/", $name, "_test.rs.template")),
            dependencies: $dependencies,
            recipe: $recipe,
            network: MLP,
            kind: $kind,
        }
    };
}

impl Kind {
    /// How each is typed, and what it has to fill in.
    pub(super) const WORDS: &[(&str, &str)] = &[
        ("parameterization", "What the network regresses: the formula of F"),
        ("schedule", "A curve (alpha, sigma): the formula of ln alpha"),
        ("time-sampler", "How often each noise level is visited: the formula of the density"),
        ("dequantizer", "Noise inside a pixel's bin: the formula of its density"),
        ("solver", "An explicit Runge-Kutta method: its table"),
        ("network", "What F is computed by: the formula of its hidden units"),
    ];

    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "parameterization" => Self::Parameterization,
            "schedule" => Self::Schedule,
            "time-sampler" => Self::TimeSampler,
            "dequantizer" => Self::Dequantizer,
            "solver" => Self::Solver,
            "network" => Self::Network,
            _ => return None,
        })
    }

    fn parts(self) -> Parts {
        match self {
            Self::Parameterization => {
                parts!("parameterization", "parameterization", "", "[parameterization]\nname = \"NAME\"")
            }
            Self::Schedule => {
                parts!("schedule", "noise schedule", "num-dual = \"0.15\"\n", "[schedule]\nname = \"NAME\"")
            }
            Self::TimeSampler => {
                parts!("time_sampler", "time sampler", "", "[time]\nname = \"stratified\"\ninner = \"NAME\"")
            }
            Self::Dequantizer => parts!(
                "dequantizer",
                "dequantizer",
                "",
                "[evaluation]\ndequantizers = [\"NAME\", \"truncated_normal\"]"
            ),
            Self::Solver => parts!(
                "solver",
                "ODE solver",
                "",
                "[evaluation]\nsolver = \"NAME\"\nstepping = { name = \"fixed\", steps = 100 }"
            ),
            Self::Network => Parts {
                network: "",
                ..parts!(
                    "network",
                    "network",
                    "dfdx = \"0.13\"\nrand = \"0.8\"\nserde = { version = \"1\", features = [\"derive\"] }\n",
                    "[network]\nname = \"NAME\"\nwidth = 64"
                )
            },
        }
    }
}

/// Words that are no crate's name: Rust's, the crates that every build has, and this one.
const RESERVED: &str = "abstract alloc as async await become box break build const continue core crate deps do dyn \
    else enum examples extern false final fn for gen idode if impl in incremental let loop macro match mod move mut \
    override priv proc_macro pub ref return self static std struct super test trait true try type typeof union unsafe \
    unsized use virtual where while yield";

/// Writes the crate `name` into a new folder of that name in `parent`; gives the folder.
///
/// # Errors
/// A name that is no crate's or that the template itself uses, and a folder that is there already or cannot be written:
/// then nothing is left of it.
pub(super) fn create(parent: &Path, kind: Kind, name: &str) -> Result<PathBuf> {
    let parts = kind.parts();
    let mut templates = COMMON.to_vec();
    templates.push(("src/lib.rs", parts.library));
    templates.push(("tests/conformance.rs", parts.test));
    let words = Words::of(name, &templates)?;
    let folder = parent.join(name);
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(Error::format(
            &folder,
            "folder of the new crate",
            "something there already",
            "a new name",
        ));
    }
    files::create_new_folder(&folder)?;
    if let Err(error) = write(&folder, &templates, &words, &parts) {
        // The folder is this call's own. The first error is the one to report.
        let _ = files::remove_folder(&folder);
        return Err(error);
    }
    Ok(folder)
}

fn write(folder: &Path, templates: &[Template], words: &Words, parts: &Parts) -> Result<()> {
    for (file, template) in templates {
        let path = folder.join(file);
        if let Some(parent) = path.parent() {
            files::create_folder(parent)?;
        }
        files::write_atomically(&path, words.fill(template, parts).as_bytes())?;
    }
    Ok(())
}

/// A crate's name in each of its spellings.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    /// `my-noise`
    package: String,
    /// `my_noise`
    snake: String,
    /// `MyNoise`
    camel: String,
}

impl Words {
    fn of(name: &str, templates: &[Template]) -> Result<Self> {
        let refuse = |expected: &str| Err(Error::value("name", format!("\"{name}\""), expected));
        let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
        if !starts || !plain || name.len() > 64 {
            return refuse("a crate's name: a lower-case letter, then letters, digits, - or _, at most 64");
        }
        let snake = name.replace('-', "_");
        if RESERVED.split(' ').any(|word| word == snake) {
            return refuse("a crate's name that is not reserved");
        }
        let mut camel = String::new();
        for part in snake.split('_') {
            if !part.is_empty() {
                camel.push_str(&part[..1].to_ascii_uppercase());
                camel.push_str(&part[1..]);
            }
        }
        let word = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == camel);
        if templates.iter().any(|(_, template)| word(template)) {
            return refuse("a name whose type does not have the name of one that the crate uses");
        }
        Ok(Self { package: name.to_owned(), snake, camel })
    }

    fn fill(&self, template: &str, parts: &Parts) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let pairs = [
            ("{{dependencies}}", parts.dependencies),
            ("{{recipe}}", &parts.recipe.replace("NAME", &self.snake)),
            ("{{network}}", &parts.network.replace("NAME", &self.snake)),
            ("{{kind}}", parts.kind),
            ("{{package}}", &self.package),
            ("{{name}}", &self.snake),
            ("{{type}}", &self.camel),
            ("{{version}}", version),
        ];
        let mut text = template.to_owned();
        for (from, to) in pairs {
            text = text.replace(from, to);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 6] = [
        Kind::Parameterization,
        Kind::Schedule,
        Kind::TimeSampler,
        Kind::Dequantizer,
        Kind::Solver,
        Kind::Network,
    ];

    #[test]
    fn spellings() {
        let words = Words::of("my-2nd_noise", &[]).expect("a name");
        assert_eq!((words.snake.as_str(), words.camel.as_str()), ("my_2nd_noise", "My2ndNoise"));
        for bad in
            ["", "Mine", "2nd", "-a", "a b", "a/b", "..", "caf\u{e9}", "fn", "test", "idode", "proc-macro"]
        {
            let line = Words::of(bad, &[]).expect_err("refused").to_string();
            assert!(line.starts_with(&format!("name = \"{bad}\": expected a crate's name")), "{line}");
        }
        assert!(Words::of(&"a".repeat(65), &[]).is_err());
        let line = Words::of("level", &[("a", "use idode::level::Level;")]).expect_err("taken").to_string();
        assert!(line.starts_with("name = \"level\": expected a name whose type"), "{line}");
    }

    #[test]
    fn nothing_is_left_to_fill_in_but_the_formula() {
        let folder = tempfile::tempdir().expect("a folder");
        for (i, kind) in KINDS.into_iter().enumerate() {
            let made = create(folder.path(), kind, &format!("mine-{i}")).expect("a new crate");
            let common = COMMON.iter().map(|(file, _)| *file);
            for file in common.chain(["src/lib.rs", "tests/conformance.rs"]) {
                let text = fs::read_to_string(made.join(file)).expect("a file");
                assert!(!text.contains("{{") && !text.contains("}}"), "{file}: {text}");
                assert!(
                    text.lines().all(|line| line.len() <= 120 && line == line.trim_end()),
                    "{file}: {text}"
                );
            }
            let library = fs::read_to_string(made.join("src/lib.rs")).expect("the library");
            assert_eq!(library.matches("todo!").count() + library.matches("NAN").count(), 1, "{library}");
            // What a parameterization regresses is said twice, so that one can be checked against the other.
            let test = fs::read_to_string(made.join("tests/conformance.rs")).expect("the test");
            let twice = kind == Kind::Parameterization;
            assert_eq!(test.matches("todo!").count(), usize::from(twice), "{test}");
            let recipe = made.join("recipes/two_pixel.toml");
            let text = fs::read_to_string(&recipe).expect("the recipe");
            assert!(text.contains(&format!("\"mine_{i}\"")), "{text}");
            crate::config::Recipe::load(&recipe).expect("a recipe");
        }
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine");
        fs::write(&path, "mine").expect("a file");
        let line = create(folder.path(), Kind::Solver, "mine").expect_err("taken").to_string();
        assert!(
            line.ends_with(
                "mine: folder of the new crate: found something there already, expected a new name"
            ),
            "{line}"
        );
        assert_eq!(fs::read_to_string(&path).expect("the file"), "mine");
        let nowhere = folder.path().join("none");
        assert!(create(&nowhere, Kind::Solver, "mine").is_err() && !nowhere.exists());
    }
}
