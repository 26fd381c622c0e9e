//! A case on disk: its settings and its arrays.

use idode::diffusion::{Diffusion, DynDiffusion};
use idode::level::GammaRange;
use idode::nn::{Attention, UNetConfig};
use idode::parameterization::{Noise, Parameterization, Velocity};
use idode::pixels::PixelGrid;
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whatever goes wrong, as one line.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The folder of the cases.
pub(crate) fn folder() -> PathBuf {
    match std::env::var_os("IDODE_REFERENCE_DIR") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference"),
    }
}

/// An array of any stored type, exactly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// Arrays by name.
pub(crate) type Arrays = BTreeMap<String, Array>;

/// A case: what was asked and what was answered.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
    pub(crate) arrays: Arrays,
}

/// The settings of a case, by the names of the published code.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    pub(crate) kind: String,
    pub(crate) image: Option<[usize; 3]>,
    pub(crate) params: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) rtol: Option<f64>,
    pub(crate) atol: Option<f64>,
    pub(crate) second_order_weight: Option<f64>,
    pub(crate) schedule: Schedule,
    pub(crate) velocity: bool,
    pub(crate) importance: bool,
    pub(crate) second_order: bool,
    pub(crate) dequantization: Dequantization,
    pub(crate) num_importance: usize,
    pub(crate) vocab_size: u32,
    pub(crate) gamma_min: f64,
    pub(crate) gamma_max: f64,
    with_fourier_features: bool,
    with_attention: bool,
    gamma_type: String,
    sample_softmax: bool,
    pub(crate) antithetic_time_sampling: bool,
    sm_n_timesteps: u32,
    pub(crate) sm_n_embd: usize,
    sm_n_layer: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Schedule {
    #[serde(rename = "VP")]
    VariancePreserving,
    #[serde(rename = "SP")]
    StraightPath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Dequantization {
    #[serde(rename = "u")]
    Uniform,
    #[serde(rename = "v")]
    Gaussian,
    #[serde(rename = "tn")]
    TruncatedNormal,
}

impl Case {
    /// The case in a file; `None` where the file has no settings, and so is no case.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes)?;
        let Some(config) = metadata.metadata().as_ref().and_then(|pairs| pairs.get("config")) else {
            return Ok(None);
        };
        let config: Config = serde_json::from_str(config)?;
        if config.sample_softmax || config.sm_n_timesteps != 0 || config.gamma_type != "fixed" {
            return Err("known are arg-max decoding, continuous time and fixed schedules only".into());
        }
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Some(Self { name, folder, config, arrays: arrays(&bytes)? }))
    }

    /// An array of the case.
    pub(crate) fn array(&self, name: &str) -> Result<&Array> {
        self.arrays.get(name).ok_or_else(|| format!("{name}: not in the case").into())
    }

    /// The numbers of an array.
    pub(crate) fn values(&self, name: &str) -> Result<&[f64]> {
        Ok(&self.array(name)?.values)
    }

    /// The grey levels of the case's images.
    pub(crate) fn images(&self) -> Result<Vec<u16>> {
        Ok(self.values("in/images")?.iter().map(|&k| k as u16).collect())
    }

    /// The parameters that the case names.
    pub(crate) fn parameters(&self) -> Result<Arrays> {
        let name = self.config.params.as_ref().ok_or("params: not in the settings")?;
        arrays(&std::fs::read(self.folder.join(name)).map_err(|e| format!("{name}: {e}"))?)
    }
}

impl Config {
    /// The published model's diffusion, with our one prior `N(0, sigma_1^2 I)`.
    pub(crate) fn diffusion(&self) -> Result<DynDiffusion> {
        let schedule: Arc<dyn NoiseSchedule> = match self.schedule {
            Schedule::VariancePreserving => Arc::new(VariancePreserving),
            Schedule::StraightPath => Arc::new(StraightPath),
        };
        let parameterization: Arc<dyn Parameterization> =
            if self.velocity { Arc::new(Velocity) } else { Arc::new(Noise) };
        Ok(Diffusion::new(schedule, parameterization, GammaRange::new(self.gamma_min, self.gamma_max)?))
    }

    pub(crate) fn grid(&self) -> Result<PixelGrid> {
        Ok(PixelGrid::new(self.vocab_size)?)
    }

    /// The published network; evaluated without dropout, whose rate is therefore left out.
    pub(crate) fn network(&self) -> UNetConfig {
        UNetConfig {
            blocks: self.sm_n_layer,
            attention: if self.with_attention { Attention::EveryBlock } else { Attention::Middle },
            dropout: 0.0,
            fourier: if self.with_fourier_features { vec![6, 7] } else { vec![] },
            ..UNetConfig::default()
        }
    }
}

fn arrays(bytes: &[u8]) -> Result<Arrays> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut arrays = Arrays::new();
    for (name, view) in file.iter() {
        let data = view.data();
        let values: Vec<f64> = match view.dtype() {
            Dtype::U8 => data.iter().map(|&x| f64::from(x)).collect(),
            Dtype::I32 => data.as_chunks().0.iter().map(|x| f64::from(i32::from_le_bytes(*x))).collect(),
            Dtype::F32 => data.as_chunks().0.iter().map(|x| f64::from(f32::from_le_bytes(*x))).collect(),
            Dtype::F64 => data.as_chunks().0.iter().map(|x| f64::from_le_bytes(*x)).collect(),
            other => return Err(format!("{name}: numbers of type {other:?}").into()),
        };
        arrays.insert(name.to_owned(), Array { shape: view.shape().to_vec(), values });
    }
    Ok(arrays)
}
