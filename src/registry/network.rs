//! Networks by name: how a name becomes a network on whatever device a recipe says.

use super::{Builders, Entry};
use crate::communicator::Ranks;
use crate::data::RowShape;
use crate::error::Result;
use crate::level::GammaRange;
use crate::nn::{DynNetwork, ModeNetwork, Parameters};
use crate::tensor::{Choices, Kernels, Real};
use crate::train::GradientSum;
use dfdx::prelude::{Cpu, Synchronize};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;

/// What the builder of a network is given besides its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetworkInputs {
    /// The shape of a row.
    pub shape: RowShape,
    /// The range of noise levels: the network's time runs from 0 to 1 over it.
    pub range: GammaRange,
    /// The number of grey levels, where rows lie on a grid of them.
    pub levels: Option<u32>,
    /// The numbers that each row is conditioned on: the first says how a row was augmented and is 0 without, those of the data follow.
    pub conditions: usize,
}

impl NetworkInputs {
    /// The noise levels at the network's times 0 and 1.
    pub fn gammas(&self) -> [f64; 2] {
        [self.range.min().0, self.range.max().0]
    }
}

/// A network by name: its settings, and how it is built on a device.
///
/// ```
/// use dfdx::prelude::{Const, Tensor};
/// use idode::error::Result;
/// use idode::nn::{DynamicMlp, MlpConfig};
/// use idode::registry::{BuildNetwork, Entry, NetworkInputs, Registry};
/// use idode::tensor::{Kernels, Real};
/// use rand::RngCore;
///
/// #[derive(Debug)]
/// struct Plain;
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     width: usize,
/// }
///
/// impl BuildNetwork for Plain {
///     type Settings = Settings;
///     type Network<E: Real, D: Kernels<E>> = DynamicMlp<E, D>;
///
///     fn build<E: Real, D: Kernels<E>>(
///         &self,
///         settings: &Settings,
///         inputs: &NetworkInputs,
///         device: &D,
///         rng: &mut dyn RngCore,
///     ) -> Result<DynamicMlp<E, D>> {
///         let config = MlpConfig { conditions: inputs.conditions, ..MlpConfig::default() };
///         DynamicMlp::sized(inputs.shape.dims(), settings.width, &config, device, rng)
///     }
/// }
///
/// let mut registry: Registry = Registry::default();
/// registry.add_network("plain", Entry { formula: "an MLP", reference: "this page" }, Plain);
/// assert!(registry.networks.names().contains(&"plain"));
/// ```
pub trait BuildNetwork: fmt::Debug + Send + Sync + 'static {
    /// Its settings in a recipe; all of them are written to the folder of a run.
    type Settings: DeserializeOwned + Serialize + fmt::Debug + Send + Sync + 'static;

    /// The network's type.
    type Network<E: Real, D: Kernels<E>>: ModeNetwork<E, D> + Parameters<E, D> + 'static;

    /// Checks the settings before anything is built; the error names the setting.
    ///
    /// # Errors
    /// A setting, or a shape of rows, that the network does not take.
    fn check(&self, settings: &Self::Settings, inputs: &NetworkInputs) -> Result<()> {
        let _ = (settings, inputs);
        Ok(())
    }

    /// The network in a few words beside its name: what tells two of them apart in checkpoints.
    fn describe(&self, settings: &Self::Settings, inputs: &NetworkInputs) -> String {
        let settings = serde_json::to_string(settings).unwrap_or_default();
        format!("for {}, {settings}", inputs.shape)
    }

    /// A number of parameters that the network does not have less of, known before it is built, so that one that no memory holds is refused
    /// in a line: 0, which refuses none.
    fn least_parameters(&self, settings: &Self::Settings, inputs: &NetworkInputs) -> u64 {
        let _ = (settings, inputs);
        0
    }

    /// The network on `device`, with fresh weights. Recipes compute in `f32`; laws are checked in `f64`.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    fn build<E: Real, D: Kernels<E>>(
        &self,
        settings: &Self::Settings,
        inputs: &NetworkInputs,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Result<Self::Network<E, D>>;
}

/// A network with its settings, ready to be built.
pub struct NetworkPlan {
    description: String,
    settings: toml::Table,
    on: Box<dyn OnDevice>,
}

impl fmt::Debug for NetworkPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkPlan").field("description", &self.description).finish_non_exhaustive()
    }
}

impl NetworkPlan {
    pub(super) fn new<B: BuildNetwork>(
        name: &str,
        network: std::sync::Arc<B>,
        settings: B::Settings,
        inputs: NetworkInputs,
    ) -> Result<Self> {
        network.check(&settings, &inputs)?;
        let table = crate::config::ser::to_table(&settings)?;
        let description = format!("{name} {}", network.describe(&settings, &inputs));
        Ok(Self { description, settings: table, on: Box::new(Set { network, settings, inputs }) })
    }

    /// The network in one line: what tells two of them apart in checkpoints.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// A number of parameters that the network does not have less of.
    pub fn least_parameters(&self) -> u64 {
        self.on.least_parameters()
    }

    /// Every setting, those that the recipe leaves out with their defaults.
    pub fn settings(&self) -> &toml::Table {
        &self.settings
    }

    /// The network on `device`, with fresh weights.
    ///
    /// # Errors
    /// Settings that the network does not take.
    pub(crate) fn build<D: ComputeDevice>(
        &self,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Result<DynNetwork<f32, D>> {
        device.network(self, rng)
    }

    /// The network on `device` with the fresh weights of `seed`, as every run begins.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub(crate) fn fresh<D: ComputeDevice>(&self, seed: u64, device: &D) -> Result<DynNetwork<f32, D>> {
        // Stream -1 of the generator: training step k has stream k.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::MAX);
        self.build(device, &mut rng)
    }
}

/// A device that networks are trained, measured and sampled on by name: `Cpu`, and `Cuda` with the feature `cuda`.
pub trait ComputeDevice: Kernels<f32> + Kernels<f64> + Synchronize {
    /// Waits until the device has done what it was asked.
    fn finish(&self) {
        self.synchronize();
    }

    /// The network of a [`NetworkPlan`] on this device.
    ///
    /// # Errors
    /// Settings that the network does not take.
    fn network(&self, plan: &NetworkPlan, rng: &mut dyn RngCore) -> Result<DynNetwork<f32, Self>>;

    /// What computes each operation on this device, where there are several ways.
    #[doc(hidden)]
    fn choices(&self) -> Option<Choices> {
        None
    }

    /// Has a device of their name compute so from now on.
    #[doc(hidden)]
    fn keep(&self, choices: &Choices) {
        let _ = choices;
    }

    /// What adds the gradients of several ranks on devices of this type; without it they are added on the hosts.
    ///
    /// # Errors
    /// If a rank is gone, or the engine is there and does not begin.
    fn gradient_sum(&self, ranks: &Ranks) -> Result<Option<Arc<dyn GradientSum<f32, Self>>>> {
        let _ = ranks;
        Ok(None)
    }
}

impl ComputeDevice for Cpu {
    fn network(&self, plan: &NetworkPlan, rng: &mut dyn RngCore) -> Result<DynNetwork<f32, Self>> {
        plan.on.cpu(self, rng)
    }
}

#[cfg(feature = "cuda")]
impl ComputeDevice for dfdx::prelude::Cuda {
    fn network(&self, plan: &NetworkPlan, rng: &mut dyn RngCore) -> Result<DynNetwork<f32, Self>> {
        plan.on.cuda(self, rng)
    }

    fn choices(&self) -> Option<Choices> {
        crate::tensor::cuda::candidates::choices(self)
    }

    fn keep(&self, choices: &Choices) {
        crate::tensor::cuda::candidates::keep(self, choices);
    }

    fn gradient_sum(&self, ranks: &Ranks) -> Result<Option<Arc<dyn GradientSum<f32, Self>>>> {
        super::nccl::gradient_sum(self, ranks)
    }
}

/// [`BuildNetwork::build`] for each device there is, since an object has no generic methods.
trait OnDevice: Send + Sync {
    fn least_parameters(&self) -> u64;

    fn cpu(&self, device: &Cpu, rng: &mut dyn RngCore) -> Result<DynNetwork<f32, Cpu>>;

    #[cfg(feature = "cuda")]
    fn cuda(
        &self,
        device: &dfdx::prelude::Cuda,
        rng: &mut dyn RngCore,
    ) -> Result<DynNetwork<f32, dfdx::prelude::Cuda>>;
}

/// A network by name with its settings.
struct Set<B: BuildNetwork> {
    network: std::sync::Arc<B>,
    settings: B::Settings,
    inputs: NetworkInputs,
}

impl<B: BuildNetwork> OnDevice for Set<B> {
    fn least_parameters(&self) -> u64 {
        self.network.least_parameters(&self.settings, &self.inputs)
    }

    fn cpu(&self, device: &Cpu, rng: &mut dyn RngCore) -> Result<DynNetwork<f32, Cpu>> {
        Ok(DynNetwork::new(self.network.build::<f32, _>(&self.settings, &self.inputs, device, rng)?))
    }

    #[cfg(feature = "cuda")]
    fn cuda(
        &self,
        device: &dfdx::prelude::Cuda,
        rng: &mut dyn RngCore,
    ) -> Result<DynNetwork<f32, dfdx::prelude::Cuda>> {
        Ok(DynNetwork::new(self.network.build::<f32, _>(&self.settings, &self.inputs, device, rng)?))
    }
}

/// The networks of a registry.
pub(super) type Networks = Builders<NetworkInputs, NetworkPlan>;

/// Adds a network by name.
pub(super) fn add<B: BuildNetwork>(networks: &mut Networks, name: &str, entry: Entry, network: B) {
    let (own, network) = (name.to_owned(), std::sync::Arc::new(network));
    networks.add(name, entry, move |settings: B::Settings, context| {
        NetworkPlan::new(&own, network.clone(), settings, *context.inputs)
    });
}

/// What `idode list` says of the networks that are built in.
pub(super) fn entry(name: &str) -> Entry {
    match name {
        "unet" => Entry {
            formula: "F = z + out(up(middle(down(in(features(z)))))), residual blocks at constant resolution",
            reference: "arXiv 2107.00630, appendix B; arXiv 2305.03935",
        },
        _ => Entry {
            formula: "F = z + out(h_L), h_{l+1} = h_l + B_l swish(A_l swish(h_l) + P_l e(t))",
            reference: "arXiv 1512.03385, equation 1, of dense layers",
        },
    }
}
