//! The names most programs need.

pub use crate::data::{ImageSet, ImageShape, ImageSource, Shuffle, Split, TwoPixel, digits};
pub use crate::dequantization::{Dequantizer, Gaussian, TruncatedNormal, UniformBin};
pub use crate::diffusion::{Diffusion, Prior};
pub use crate::divergence::{Exact, Hutchinson};
pub use crate::error::{Error, Result};
pub use crate::level::{Gamma, GammaRange, Level};
pub use crate::likelihood::{Evaluator, ProbabilityFlow};
pub use crate::model::Model;
pub use crate::nn::{
    Jvp, Mlp, MlpConfig, ModeNetwork, Network, Parameters, StaticMlp, StaticUNet, UNet, UNetConfig,
};
pub use crate::objective::{
    FirstOrder, Objective, SecondOrderJacobian, SecondOrderTrace, Sum, ThirdOrder, TraceEstimator, Weighted,
};
pub use crate::parameterization::{
    Affine, Data, Noise, Parameterization, ParameterizationExt, Score, Velocity,
};
pub use crate::pixels::PixelGrid;
pub use crate::progress::{Progress, Silent};
pub use crate::run::{Observer, Observers};
pub use crate::sample::Sampler;
pub use crate::schedule::{
    LogAlpha, NoiseSchedule, StraightPath, SubVariancePreserving, VarianceExploding, VariancePreserving,
};
pub use crate::solver::{ExplicitRk, OdeSolver, OdeState};
pub use crate::time::{Importance, Stratified, TimeSampler, TimeSamplerExt, Uniform};
pub use crate::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
