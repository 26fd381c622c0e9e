//! Checkpoints: everything that training needs to go on, in one safetensors file.
//!
//! Tensors `parameters/NAME`, `ema/NAME`, `moment1/NAME` and `moment2/NAME` for each parameter, and under the metadata key
//! `idode` the [`CheckpointState`] as JSON (one key, so that equal runs write equal bytes).

use super::AdamW;
use crate::data::Position;
use crate::data::table::Schema;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::nn::Parameters;
use crate::tensor::{Kernels, Moments, Real};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Where training stands, beside the tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// What the network is: its kind, image shape, width and blocks.
    pub network: String,
    /// Optimizer steps over all stages.
    pub step: u64,
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

/// The metadata key of the state.
const KEY: &str = "idode";

/// Serializes a network and its optimizer.
///
/// # Errors
/// If safetensors cannot hold the tensors.
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
            entries.push((format!("{part}/{name}"), shape.clone(), E::to_bytes(&values)));
        }
    }
    // A checkpoint that cannot be whole must not replace the last one that is.
    let unfit = |error: &dyn std::fmt::Display| {
        Error::value("checkpoint", one_line(&error.to_string()), "tensors that safetensors can hold")
    };
    let views = entries.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(E::STORED, shape.clone(), bytes).map_err(|error| unfit(&error))?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let state = serde_json::to_string(state).map_err(|error| unfit(&error))?;
    let metadata = HashMap::from([(KEY.to_owned(), state)]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| unfit(&error))
}

/// Writes a checkpoint: all of it or nothing.
///
/// # Errors
/// If the file cannot be written.
pub fn save<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
    path: &Path,
    network: &N,
    optimizer: &AdamW<E, D>,
    state: &CheckpointState,
) -> Result<()> {
    write_atomically(path, &encode(network, optimizer, state)?)
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    path: &'a Path,
    file: SafeTensors<'a>,
    state: CheckpointState,
}

impl<'a> Checkpoint<'a> {
    /// Reads the header of a checkpoint from the content of the file `path`.
    ///
    /// # Errors
    /// If it is truncated, damaged, or another kind of file.
    pub fn parse(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let damaged = |error: safetensors::SafeTensorError| {
            Error::format(path, "checkpoint", one_line(&error.to_string()), "a whole safetensors file")
        };
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let state = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY)).ok_or_else(|| {
            Error::format(path, "metadata", "no key \"idode\"", "a checkpoint that idode train has written")
        })?;
        let state = serde_json::from_str(state).map_err(|error| {
            Error::format(path, "metadata key \"idode\"", error, "the state of a checkpoint")
        })?;
        Ok(Self { path, file, state })
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
    /// If a tensor is missing, or of another shape or type; the network is then unchanged.
    pub fn load<E: Real, D: Kernels<E>, N: Parameters<E, D>>(
        &self,
        part: &str,
        network: &mut N,
    ) -> Result<()> {
        let (mut loaded, mut fault) = (network.clone(), None);
        loaded.parameters("", &mut |name, _, parameter| match self
            .tensor::<E>(&format!("{part}/{name}"), &parameter.shape())
        {
            Ok(values) => parameter.replace(values),
            Err(error) => {
                fault.get_or_insert(error);
            }
        });
        match fault {
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
        Ok(E::from_bytes(view.data()))
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
