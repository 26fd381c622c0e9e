//! Recipes: everything a run needs to be repeated, as one value or one TOML file.
//!
//! Every key has a default but `[data]` and `[network]`. Reading is strict: a key that is unknown,
//! of the wrong type or out of its range is an error that names the file, the line and the key.
//!
//! ```
//! use idode::config::{Data, Digits, Named, Recipe};
//!
//! let text = "data.name = 'digits'\nnetwork = { name = 'unet', width = 64 }";
//! let recipe = Recipe::parse("digits.toml", text)?;
//! assert_eq!(recipe, Recipe::new(Data::Digits(Digits::default()), Named::new("unet").with("width", 64)));
//!
//! let error = Recipe::parse("digits.toml", "data.nam = 'digits'").unwrap_err();
//! let line = r#"digits.toml: line 1, data.nam: found an unknown key, expected "name""#;
//! assert_eq!(error.to_string(), line);
//! # Ok::<(), idode::error::Error>(())
//! ```

mod by_name;
mod classes;
mod data;
pub(crate) mod de;
mod device;
mod evaluation;
pub(crate) mod field_error;
mod files;
mod finer;
mod limits;
mod named;
mod network;
mod objective;
pub(crate) mod ser;
mod source;
mod stage;
mod table;
mod unnamed;
mod validation;

pub use classes::Classes;
pub use data::{Data, Range};
pub use device::Device;
pub use evaluation::{
    Adaptive, Blocks, Controller, Divergence, Evaluation, Fixed, HutchPlusPlus, Hutchinson, Probe, Sample,
    Stepping,
};
pub use files::{ArrayArchives, ArrayFiles, Cifar10, Condition, Digits, Folder, ImageNet32};
pub use named::Named;
pub use network::{Attention, Mlp, Unet};
pub use objective::{Objective, SecondOrder, ThirdOrder};
pub use source::Source;
pub use stage::{Clip, Cosine, Decay, OnNonFinite, Quantile, Stage};
pub use table::{Column, Table};
pub use unnamed::{OwnRows, Unnamed};
pub use validation::Validation;

use crate::data::RowShape;
use crate::error::{Error, Result, printable};
use crate::level::GammaRange;
use crate::tensor::Precision;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A whole run: data, model, training, evaluation and sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The seed of initialisation, data order and training noise: 0.
    #[serde(default)]
    pub seed: u64,
    /// Where the run computes: `"cpu"`; the command line's `--device` goes before it.
    #[serde(default)]
    pub device: Device,
    /// What the products of training are made in: `"f32"`. A run is trained in one precision from its beginning to its end; what is measured has
    /// its own, [`Evaluation::precision`].
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// The data set; it has no default.
    pub data: Data,
    /// The range of noise levels.
    #[serde(default)]
    pub range: Range,
    /// The noise schedule: `"vp"`.
    #[serde(default = "schedule")]
    pub schedule: Named,
    /// What the network regresses: `"velocity"`.
    #[serde(default = "parameterization")]
    pub parameterization: Named,
    /// How often training visits each noise level: `"stratified"` around `"importance"`.
    #[serde(default = "time")]
    pub time: Named,
    /// The network; it has no default.
    pub network: Named,
    /// The stages of training, in order: one of the default kind.
    #[serde(default = "stages")]
    pub stage: Vec<Stage>,
    /// What is written while training.
    #[serde(default)]
    pub log: Log,
    /// What is measured while training, on rows that are not trained on: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// How the likelihood is measured.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// How samples are drawn.
    #[serde(default)]
    pub sample: Sample,
    /// Where the recipe was read from, for messages.
    #[serde(skip)]
    pub source: Source,
}

/// What is written while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Steps from one line of metrics to the next: 10. Every checkpoint has its line.
    pub every: u64,
    /// Steps from one checkpoint to the next: 500. There is one at the beginning and at the end of each stage in any case.
    pub checkpoint_every: u64,
    /// The newest so many checkpoints stay: 3.
    pub keep: u64,
    /// Whether `events/` is written, which TensorBoard reads: `false`.
    #[serde(skip_serializing_if = "is_false")]
    pub tensorboard: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Default for Log {
    fn default() -> Self {
        Self { every: 10, checkpoint_every: 500, keep: 3, tensorboard: false }
    }
}

fn schedule() -> Named {
    Named::new("vp")
}

fn parameterization() -> Named {
    Named::new("velocity")
}

fn time() -> Named {
    Named::new("stratified").with("inner", Named::new("importance"))
}

fn stages() -> Vec<Stage> {
    vec![Stage::default()]
}

impl Recipe {
    /// The recipe with every default.
    pub fn new(data: Data, network: impl Into<Named>) -> Self {
        Self {
            seed: 0,
            device: Device::default(),
            precision: Precision::default(),
            data,
            range: Range::default(),
            schedule: schedule(),
            parameterization: parameterization(),
            time: time(),
            network: network.into(),
            stage: stages(),
            log: Log::default(),
            validation: None,
            evaluation: Evaluation::default(),
            sample: Sample::default(),
            source: Source::default(),
        }
    }

    /// Reads a recipe from a TOML file and checks its numbers.
    ///
    /// # Errors
    /// A file that cannot be read; a key that is unknown, missing, of the wrong type or out of range.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        Self::parse(path, &text)
    }

    /// Reads a recipe from TOML; `path` is for messages only.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(path: impl AsRef<Path>, text: &str) -> Result<Self> {
        let (source, table) = Source::parse(path.as_ref(), text)?;
        let recipe: Self = de::from_table(&table).map_err(|error| source.field_error(error))?;
        let recipe = Self { source, ..recipe };
        recipe.check()?;
        Ok(recipe)
    }

    /// The same recipe on `device`, where one is given.
    pub fn on(self, device: Option<Device>) -> Self {
        Self { device: device.unwrap_or(self.device), ..self }
    }

    /// The recipe as TOML, every key written out.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn to_toml(&self) -> Result<String> {
        self.check()?;
        let text = ser::to_text(self)?;
        let unnamed: Vec<String> =
            self.unnamed().into_iter().map(|(key, of)| format!("{key} ({})", printable(&of))).collect();
        Ok(match &unnamed[..] {
            [] => text,
            parts => format!("# Of a program; no registry has a name for: {}\n{text}", parts.join(", ")),
        })
    }

    /// The range of noise levels: as set, else by default for the data's number of grey levels.
    ///
    /// # Errors
    /// Unless `gamma_min < gamma_max`, both within `[-100, 100]`.
    pub(crate) fn gamma_range(&self) -> Result<GammaRange> {
        self.range.of(self.data.levels(), &self.source)
    }

    /// The shape of a row, once the recipe is resolved.
    ///
    /// # Errors
    /// If it depends on a file, and the recipe is not resolved.
    pub(crate) fn row_shape(&self) -> Result<RowShape> {
        self.data.row_shape().ok_or_else(|| match &self.data {
            Data::Table(_) => {
                let expected = "the columns, since the data is not looked at";
                self.source.error("data.columns", "nothing", expected)
            }
            _ => {
                let expected = "the shape [height, width, channels], since the data is not looked at";
                self.source.error("data.shape", "nothing", expected)
            }
        })
    }

    /// Every part that a program has put into its run and that no registry can build: its key and what the program calls it.
    pub fn unnamed(&self) -> Vec<(String, String)> {
        let evaluation = &self.evaluation;
        let mut found = Vec::new();
        if let Data::Program(rows) = &self.data {
            found.push(("data".to_owned(), rows.of.clone()));
        }
        for (key, named) in &[
            ("schedule", &self.schedule),
            ("parameterization", &self.parameterization),
            ("time", &self.time),
            ("network", &self.network),
            ("evaluation.solver", &evaluation.solver),
            ("sample.solver", &self.sample.solver),
        ] {
            if let Some(of) = named.without_name() {
                found.push(((*key).to_owned(), of.to_owned()));
            }
        }
        for (index, stage) in self.stage.iter().enumerate() {
            if let Objective::Program(Unnamed { of }) = &stage.objective {
                found.push((format!("stage[{index}].objective"), of.clone()));
            }
        }
        if let Some(Divergence::Program(Unnamed { of })) = &evaluation.divergence {
            found.push(("evaluation.divergence".to_owned(), of.clone()));
        }
        for (i, named) in evaluation.dequantizers.iter().enumerate() {
            if let Some(of) = named.without_name() {
                found.push((format!("evaluation.dequantizers[{i}]"), of.to_owned()));
            }
        }
        found
    }

    /// The same recipe with the defaults that depend on the data written out.
    ///
    /// # Errors
    /// A range of gamma that is none.
    pub fn resolved(&self) -> Result<Self> {
        let range = self.gamma_range()?;
        let range = Range { gamma_min: Some(range.min().0), gamma_max: Some(range.max().0) };
        Ok(Self { range, ..self.clone() })
    }

    /// Checks every number against its limits.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn check(&self) -> Result<()> {
        self.data.check().map_err(|error| self.source.field_error(error.under("data")))?;
        self.gamma_range()?;
        if let (Data::Table(_), [_, ..]) = (&self.data, &self.evaluation.ladder[..]) {
            let expected = "none for a table: its bounds are of images, which are dequantized";
            return Err(self.source.error("evaluation.ladder", "bounds", expected));
        }
        self.check_sections().map_err(|error| self.source.field_error(error))
    }

    fn check_sections(&self) -> Result<(), field_error::FieldError> {
        limits::seed("seed", self.seed)?;
        if self.stage.is_empty() {
            return Err(field_error::FieldError::new("stage", "no stage", "at least one [[stage]]"));
        }
        for (index, stage) in self.stage.iter().enumerate() {
            stage.check().map_err(|error| error.under(&format!("stage[{index}]")))?;
        }
        limits::count("log.every", self.log.every)?;
        limits::count("log.checkpoint_every", self.log.checkpoint_every)?;
        limits::count("log.keep", self.log.keep)?;
        if let Some(validation) = &self.validation {
            validation.check().map_err(|error| error.under("validation"))?;
        }
        self.evaluation.check().map_err(|error| error.under("evaluation"))?;
        self.sample.check().map_err(|error| error.under("sample"))
    }
}

#[cfg(test)]
mod tests;
