//! Networks: layers with a body generic over the [`Mode`](crate::tensor::Mode), an MLP and the paper's U-Net.
//!
//! A network is written once, as a [`ModeNetwork`]; [`Network::forward`], [`Jvp::jvp`] and
//! [`SecondJvp::second_jvp`] are instances of that text. A network with only a `forward` implements
//! [`Network`] itself; what needs derivatives in the state asks for [`Jvp`] in its bounds, so a network
//! without them does not compile there.

mod any;
mod attention;
mod checkpointed;
mod convolution;
mod dense;
mod fourier;
mod init;
mod mlp;
mod network;
mod norm;
mod operations;
mod parameters;
mod portable;
mod residual;
mod time_embedding;
mod unet;

pub use any::{AnyNetwork, DynNetwork, Rows};
pub use attention::AttentionBlock;
pub use checkpointed::Checkpointed;
pub use convolution::Conv;
pub use dense::Dense;
pub use fourier::{FadingFourier, FourierFeatures};
pub use init::Init;
pub use mlp::{DynamicMlp, Mlp, MlpConfig, StaticMlp};
pub(crate) use network::conditions_of;
pub use network::{Jvp, ModeNetwork, Network, Pass, SecondJvp};
pub use norm::{GROUPS, Norm};
pub use operations::{Counted, Operations};
pub(crate) use parameters::slots;
pub use parameters::{Parameter, Parameters, Role, Visit, count};
pub use portable::Portable;
pub use residual::ResidualBlock;
pub use time_embedding::TimeEmbedding;
pub use unet::{Attention, DynamicUNet, GroupedWidth, StaticUNet, UNet, UNetConfig};
