//! What networks are computed with: dfdx tensors, forward-mode derivatives, and the operations
//! that dfdx 0.13 lacks on stable Rust.
//!
//! Three layers, each using only the one above it:
//! - [`Kernels`]: convolution, group norm and attention on tensors, each with its derivative along a
//!   tangent. The provided methods are compositions of dfdx's public operations ([`portable`]), so any dfdx device
//!   has them; `Cpu` and `Cuda` in `f32` override them with fused kernels (`cpu`, `cuda`). The portable ones are
//!   also the oracle that the fused ones are tested against.
//! - [`Mode`]: what an activation is. [`Plain`] is a tensor ([`Composed`] too, without a device's own kernels); [`Forward<M>`](Forward) is a value and
//!   its tangent in mode `M`. A network is written once, generic over the mode; its `forward`, its
//!   `jvp` and its second directional derivative are three instances of that one text.
//! - [`RowCoefficients`]: the one place where numbers of a schedule, one per row, reach a tensor.

mod checkpoint;
pub(crate) mod choices;
mod compose;
mod composed;
pub(crate) mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod dropout;
mod dual;
mod forward;
mod kernels;
mod mode;
#[cfg(feature = "cuda")]
pub(crate) mod operation;
pub(crate) mod parallel;
mod plain;
pub mod portable;
mod precision;
mod resample;
mod reshape;
mod rows;
#[cfg(feature = "cuda")]
pub(crate) mod trial;
mod update;

pub use checkpoint::{Segment, Slot, checkpoint};
#[doc(hidden)]
pub use choices::Choices;
pub use composed::Composed;
pub use dropout::DropoutKey;
pub use dual::Dual;
pub use forward::Forward;
pub use kernels::{Convolution, GroupNorm, Kernels, Preparation, Waves};
pub use mode::Mode;
pub use plain::Plain;
pub use precision::{Precision, Refused};
pub(crate) use reshape::reshape;
pub use rows::RowCoefficients;
pub use update::{AdamStep, Moments, Update, Updates};

use dfdx::prelude::Dtype;

/// The numbers a network computes with: `f32` or `f64`.
pub trait Real: Dtype + num_traits::Float {
    /// The number nearest to `x`.
    fn of(x: f64) -> Self;

    /// This number as `f64`.
    fn to64(self) -> f64;

    /// The type's name in a safetensors file.
    const STORED: safetensors::Dtype;

    /// The numbers as little-endian bytes.
    fn to_bytes(numbers: &[Self]) -> Vec<u8>;

    /// The numbers that these little-endian bytes hold; a remainder is left out.
    fn from_bytes(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! real {
    ($type:ty, $stored:ident) => {
        impl Real for $type {
            fn of(x: f64) -> Self {
                x as $type
            }
            fn to64(self) -> f64 {
                f64::from(self)
            }
            const STORED: safetensors::Dtype = safetensors::Dtype::$stored;
            fn to_bytes(numbers: &[Self]) -> Vec<u8> {
                numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
            }
            fn from_bytes(bytes: &[u8]) -> Vec<Self> {
                let chunks = bytes.as_chunks::<{ size_of::<$type>() }>().0;
                chunks.iter().map(|bytes| <$type>::from_le_bytes(*bytes)).collect()
            }
        }
    };
}

real!(f32, F32);
real!(f64, F64);

/// One vector per row of a batch, such as a projected time embedding.
pub type RowVectors<O, E, D, T> = dfdx::prelude::Tensor<(usize, O), E, D, T>;

/// The shape in which group norm works: rows, positions, groups, channels of a group.
pub type Groups = (usize, usize, usize, usize);

/// The shape of a batch of images, channels last. Height, width and channels are dfdx dimensions: `Const<32>` where the
/// compiler shall check them, `usize` where they are known at run time.
pub type ImageBatch<H, W, C> = (usize, H, W, C);
