//! Checkpoints: everything that training needs to go on, in one safetensors file.
//!
//! Tensors `parameters/NAME`, `ema/NAME`, `moment1/NAME` and `moment2/NAME` for each parameter, and under the metadata key
//! `idode` the [`CheckpointState`] as JSON (one key, so that equal runs write equal bytes), beside the SHA-256 of that state
//! and of every tensor: a bit that has flipped anywhere is found when the file is read.

use super::AdamW;
use crate::data::Position;
use crate::data::table::Schema;
use crate::error::{Error, Result};
use crate::files::with_first_field;
use crate::nn::Parameters;
use crate::order::ordered;
use crate::progress::StepMetrics;
use crate::tensor::{Kernels, Moments, Precision, Real};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Where training stands, beside the tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// What the network is: its kind, image shape, width and blocks.
    pub network: String,
    /// Optimizer steps over all stages.
    pub step: u64,
    /// The step that the run began at: 0, or that of an imported checkpoint.
    pub start: u64,
    /// The stage, counted from 0.
    pub stage: usize,
    /// Optimizer steps within the stage.
    pub stage_step: u64,
    /// Updates since the optimizer's moments were last zero.
    pub optimizer_step: u64,
    /// The seed of the generator; step `k` draws from its stream `k`.
    pub seed: u64,
    /// Where training stands in the shuffled order of the images.
    pub position: Position,
    /// The fingerprint of the rows that it is trained on; none before the first step of an imported checkpoint.
    pub data: Option<serde_json::Value>,
    /// What the products of its steps were made in.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Steps that were passed over because a loss or gradient was not finite.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// The norms of the stage's last gradients, where a quantile of them clips: see [`QuantileClip`](super::QuantileClip).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub norms: Vec<f64>,
    /// The best measurement on rows that are held back, if one was made: see [`Validation`](crate::config::Validation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// The step whose measurement was interrupted, and is made when training goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<StepMetrics>,
    /// Seconds of training so far.
    #[serde(skip)]
    pub seconds: f64,
    /// What an adaptive time sampler has learned.
    pub time_sampler: Option<String>,
    /// What dequantizers that are trained with the model have learned, each by its name and settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dequantizers: BTreeMap<String, String>,
    /// What moves between the user's units of a table and the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

/// The best measurement so far of a network in training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The VLB in bits/dim.
    pub bits_per_dim: f64,
    /// The step of the weights that have it.
    pub step: u64,
    /// The measurements since, none of which was better.
    pub since: u64,
}

impl Best {
    /// After the measurement `bits_per_dim` of the weights of `step`, which is better or one more that is not. No number is not better.
    pub(crate) fn after(best: Option<Self>, bits_per_dim: f64, step: u64) -> Option<Self> {
        let is_better = best.map_or(bits_per_dim.is_finite(), |best| bits_per_dim < best.bits_per_dim);
        match is_better {
            true => Some(Self { bits_per_dim, step, since: 0 }),
            false => best.map(|best| Self { since: best.since + 1, ..best }),
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The metadata key of the state.
const KEY: &str = "idode";

/// What is under that key beside the state.
#[derive(Deserialize)]
struct Seal {
    sha256: String,
}

/// The hash that belongs to a state, as JSON, and to `tensors`, which are in the order of their names.
fn sealed<'t>(state: &str, tensors: &mut dyn Iterator<Item = (&'t str, TensorView<'t>)>) -> String {
    let mut hash = Sha256::new();
    // Lengths go before what they are of, so that no two contents run into the same bytes.
    hash.update((state.len() as u64).to_le_bytes());
    hash.update(state);
    for (name, view) in tensors {
        let head = format!("{name} {:?} {:?} {}", view.dtype(), view.shape(), view.data().len());
        hash.update((head.len() as u64).to_le_bytes());
        hash.update(head);
        hash.update(view.data());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Serializes a network and its optimizer.
///
/// # Errors
/// [`Error::Diverged`] if a number is not finite, and if safetensors cannot hold the tensors.
pub fn encode<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
    network: &N,
    optimizer: &AdamW<E, D>,
    state: &CheckpointState,
) -> Result<Vec<u8>> {
    let mut parameters = Vec::new();
    network.clone().parameters("", &mut |name, _, parameter| {
        parameters.push((name.to_owned(), parameter.shape(), parameter.numbers()));
    });
    let mut entries = Vec::new();
    for ((name, shape, values), (_, moments)) in parameters.iter().zip(optimizer.moments()) {
        let parts = [
            ("parameters", values.clone()),
            ("ema", moments.ema.as_vec()),
            ("moment1", moments.first.as_vec()),
            ("moment2", moments.second.as_vec()),
        ];
        for (part, values) in parts {
            if values.iter().any(|value| !value.to64().is_finite()) {
                return Err(Error::Diverged { step: state.step, what: format!("{part}/{name}") });
            }
            entries.push((format!("{part}/{name}"), shape.clone(), E::to_bytes(&values)));
        }
    }
    let by_name = ordered(entries.len(), &|i, j| entries[i].0.cmp(&entries[j].0));
    // A checkpoint that cannot be whole must not replace the last one that is.
    let unfit = |error: &dyn std::fmt::Display| {
        Error::value("checkpoint", one_line(&error.to_string()), "tensors that safetensors can hold")
    };
    let views = by_name.into_iter().map(|i| {
        let (name, shape, bytes) = &entries[i];
        let view = TensorView::new(E::STORED, shape.clone(), bytes).map_err(|error| unfit(&error))?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let state = serde_json::to_string(state).map_err(|error| unfit(&error))?;
    let stored = with_first_field("sha256", &sealed(&state, &mut views.iter().cloned()), &state);
    let metadata = HashMap::from([(KEY.to_owned(), stored)]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| unfit(&error))
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    path: &'a Path,
    file: SafeTensors<'a>,
    sha256: String,
    state: CheckpointState,
}

impl<'a> Checkpoint<'a> {
    /// Reads a checkpoint from the content of the file `path`, and checks that it is what was written.
    ///
    /// # Errors
    /// If it is truncated, corrupt, or another kind of file.
    pub fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let corrupt = |error: safetensors::SafeTensorError| {
            Error::format(path, "checkpoint", one_line(&error.to_string()), "a whole safetensors file")
        };
        let file = SafeTensors::deserialize(bytes).map_err(corrupt)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(corrupt)?;
        let state = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY)).ok_or_else(|| {
            Error::format(path, "metadata", "no key \"idode\"", "a checkpoint that idode train has written")
        })?;
        let unreadable = |error: serde_json::Error| {
            Error::format(path, "metadata key \"idode\"", error, "the state of a checkpoint")
        };
        let Seal { sha256 } = serde_json::from_slice(state.as_bytes()).map_err(unreadable)?;
        let state: CheckpointState = serde_json::from_slice(state.as_bytes()).map_err(unreadable)?;
        let tensors = file.tensors();
        let by_name = ordered(tensors.len(), &|i, j| tensors[i].0.cmp(&tensors[j].0));
        let mut tensors = by_name.into_iter().map(|i| (tensors[i].0.as_str(), tensors[i].1.clone()));
        let found = sealed(&serde_json::to_string(&state).map_err(unreadable)?, &mut tensors);
        if found != sha256 {
            let expected = format!("{sha256}, as it was written");
            return Err(Error::format(path, "sha256 of the checkpoint", found, expected));
        }
        Ok(Self { path, file, sha256, state })
    }

    /// The SHA-256 of its state and tensors, in hexadecimal: two checkpoints with the same are the same.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where training stands.
    pub fn state(&self) -> &CheckpointState {
        &self.state
    }

    /// Checks that the checkpoint is of the network that `expected` describes.
    ///
    /// # Errors
    /// If it is of another.
    pub fn check_network(&self, expected: &str) -> Result<()> {
        if self.state.network != expected {
            return Err(Error::format(self.path, "network", &self.state.network, expected));
        }
        Ok(())
    }

    /// Writes the tensors of one part (`parameters` or `ema`) over a network's parameters.
    ///
    /// # Errors
    /// If a tensor is missing, of another shape or type, or holds what is not finite; the network is then unchanged.
    pub fn load<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
        &self,
        part: &str,
        network: &mut N,
    ) -> Result<()> {
        let (mut loaded, mut first) = (network.clone(), None);
        loaded.parameters("", &mut |name, _, parameter| match self
            .tensor::<E>(&format!("{part}/{name}"), &parameter.shape())
        {
            Ok(values) => parameter.replace(values),
            Err(error) => {
                first.get_or_insert(error);
            }
        });
        match first {
            Some(error) => Err(error),
            None => {
                *network = loaded;
                Ok(())
            }
        }
    }

    /// The optimizer's state for a network.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn optimizer<E: Real, D: Kernels<E>, N: Parameters<E, D>>(&self, network: &N) -> Result<AdamW<E, D>> {
        let parts = ["ema", "moment1", "moment2"].map(|part| {
            let mut copy = network.clone();
            self.load(part, &mut copy).map(|()| AdamW::new(&copy))
        });
        let [ema, first, second] = parts;
        let (ema, first, second) = (ema?, first?, second?);
        let moments = ema.moments().iter().zip(first.moments()).zip(second.moments());
        let moments = moments.map(|(((name, ema), (_, first)), (_, second))| {
            let moments =
                Moments { first: first.ema.clone(), second: second.ema.clone(), ema: ema.ema.clone() };
            (name.clone(), moments)
        });
        Ok(AdamW::restored(self.state.optimizer_step, self.state.step, moments.collect()))
    }

    fn tensor<E: Real>(&self, name: &str, shape: &[usize]) -> Result<Vec<E>> {
        let what = format!("tensor {name}");
        let Ok(view) = self.file.tensor(name) else {
            return Err(Error::format(self.path, what, "nothing", format!("shape {shape:?}")));
        };
        if view.shape() != shape || view.dtype() != E::STORED {
            let found = format!("{:?} of shape {:?}", view.dtype(), view.shape());
            return Err(Error::format(self.path, what, found, format!("{:?} of shape {shape:?}", E::STORED)));
        }
        let values = E::from_bytes(view.data());
        match values.iter().position(|value| !value.to64().is_finite()) {
            Some(at) => {
                let found = format!("{} at {at}", values[at].to64());
                Err(Error::format(self.path, what, found, "finite numbers"))
            }
            None => Ok(values),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
