//! The folder of a run: its recipe and everything that the run writes.

mod difference;
mod metrics;

pub use metrics::MetricsLog;

use crate::config::{Device, Recipe};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use difference::first_difference;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that holds the resolved recipe of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFolder {
    root: PathBuf,
    recipe: Recipe,
}

impl RunFolder {
    /// Checks that a run can start in `root`: nothing is there, or an empty folder. Touches nothing.
    ///
    /// # Errors
    /// If anything is there.
    pub fn vacant(root: &Path) -> Result<()> {
        match fs::read_dir(root) {
            Ok(mut entries) => match entries.next() {
                None => Ok(()),
                Some(_) if root.join("recipe.toml").exists() => Err(Error::format(
                    root,
                    "run folder",
                    "an earlier run",
                    "a new folder (--out), or --resume to continue that run",
                )),
                Some(_) => Err(Error::format(root, "run folder", "other files", "a new or an empty folder")),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(root, "use as run folder")(error)),
        }
    }

    /// Creates the folder of a new run and writes the recipe, which must be resolved, into it.
    ///
    /// # Errors
    /// As [`vacant`](Self::vacant), and if the folder cannot be created or written.
    pub fn create(root: &Path, recipe: &Recipe) -> Result<Self> {
        Self::vacant(root)?;
        let is_new = !root.exists();
        fs::create_dir_all(root).map_err(Error::io(root, "create"))?;
        let run = Self { root: root.to_owned(), recipe: recipe.clone() };
        if let Err(error) = run.write_recipe() {
            if is_new {
                // What was created here is taken back; if that fails too, the first error says why.
                let _ = fs::remove_dir(root);
            }
            return Err(error);
        }
        Ok(run)
    }

    /// Opens the folder of a run.
    ///
    /// # Errors
    /// If it holds no recipe, or one that cannot be used.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join("recipe.toml");
        if !path.is_file() {
            let found = if root.exists() { "no recipe.toml" } else { "nothing" };
            return Err(Error::format(root, "run folder", found, "a folder that idode train has written"));
        }
        Ok(Self { root: root.to_owned(), recipe: Recipe::load(&path)? })
    }

    /// Opens the folder of a run to continue it with `recipe`, which must be resolved. What the
    /// run logs, measures and samples may have changed; what it trains may not. Touches nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open), and at the first key that differs.
    pub fn resume(root: &Path, recipe: &Recipe) -> Result<Self> {
        let mut run = Self::open(root)?;
        if let Some(difference) = first_difference(&run.recipe, recipe)? {
            return Err(recipe.source.error(
                &difference.key,
                difference.new,
                format!("{}, as the run in {} has it", difference.old, root.display()),
            ));
        }
        run.recipe = recipe.clone();
        Ok(run)
    }

    /// The same run on `device`, where one is given; the folder's recipe stays as it is.
    pub fn on(self, device: Option<Device>) -> Self {
        Self { recipe: self.recipe.on(device), ..self }
    }

    /// Writes the recipe: after [`resume`](Self::resume), what may have changed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_recipe(&self) -> Result<()> {
        write_atomically(&self.root.join("recipe.toml"), self.recipe.to_toml()?.as_bytes())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// `metrics.jsonl`: a line per logged training step.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The last checkpoint.
    pub fn last_checkpoint(&self) -> PathBuf {
        self.checkpoints().join("last.safetensors")
    }

    /// `samples.png`.
    pub fn samples(&self) -> PathBuf {
        self.root.join("samples.png")
    }

    /// `sample_densities.csv`: the log-density of each sample, where it was asked for.
    pub fn sample_densities(&self) -> PathBuf {
        self.root.join("sample_densities.csv")
    }

    /// `curve.png`: bits/dim over training.
    pub fn curve(&self) -> PathBuf {
        self.root.join("curve.png")
    }

    /// `records.json`: what each estimate found for each image.
    pub fn records(&self) -> PathBuf {
        self.root.join("records.json")
    }

    /// `stages.json`: the model after each stage of a recipe with several.
    pub fn stages(&self) -> PathBuf {
        self.root.join("stages.json")
    }

    /// `imported.msgpack`: what an imported checkpoint held beside its parameters and moments.
    pub fn imported(&self) -> PathBuf {
        self.root.join("imported.msgpack")
    }

    /// `result.json`.
    pub fn result(&self) -> PathBuf {
        self.root.join("result.json")
    }
}

#[cfg(test)]
mod tests;
