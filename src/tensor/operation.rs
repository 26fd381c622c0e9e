//! The operations of [`Kernels`](super::Kernels) by their shapes, and the ways to compute them.

use std::fmt;

/// A way to compute an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// The device's own kernels; 3x3 convolution by Winograd's F(4x4, 3x3).
    Own,
    /// 3x3 convolution as own kernels that gather patches, and one product.
    Patches,
    /// dfdx's public operations.
    Portable,
}

impl Candidate {
    pub(crate) const ALL: [Self; 3] = [Self::Own, Self::Patches, Self::Portable];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Patches => "patches",
            Self::Portable => "portable",
        }
    }
}

/// An operation with all of its sizes but the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// With bias, shift and residual; `size` is 1 or 3, and each of the `inputs` has so many channels.
    Convolution {
        size: usize,
        side: [usize; 2],
        inputs: usize,
        channels: usize,
        out: usize,
    },
    /// A 3x3 convolution after norms and dropout, of values, or of values and tangents.
    NormConvolution {
        side: [usize; 2],
        inputs: usize,
        channels: usize,
        out: usize,
        norm: Norm,
        dropout: bool,
        jvp: bool,
    },
    GroupNorm {
        side: [usize; 2],
        channels: usize,
        norm: Norm,
        jvp: bool,
    },
    Attention {
        tokens: usize,
        channels: usize,
        jvp: bool,
    },
    AveragePool {
        side: [usize; 2],
        channels: usize,
    },
    Upsample {
        side: [usize; 2],
        channels: usize,
    },
    /// Of so many numbers a row.
    Dropout {
        numbers: usize,
    },
    /// A step of AdamW with its moving average, and the sum of a gradient's squares.
    Update {
        numbers: usize,
    },
}

/// The settings of a group norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Norm {
    pub(crate) groups: usize,
    pub(crate) swish: bool,
}

/// The operation with its shape, in words.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name(), self.shape())
    }
}

impl Operation {
    pub(crate) fn name(self) -> String {
        let jvp = |name: &str, jvp| format!("{name}{}", if jvp { ", jvp" } else { "" });
        match self {
            Self::Convolution { size, .. } => format!("{size}x{size} convolution"),
            Self::NormConvolution { jvp: of_both, .. } => jvp("norm and 3x3 convolution", of_both),
            Self::GroupNorm { norm: Norm { swish, .. }, jvp: of_both, .. } => {
                jvp(if swish { "group norm and swish" } else { "group norm" }, of_both)
            }
            Self::Attention { jvp: of_both, .. } => jvp("attention", of_both),
            Self::AveragePool { .. } => "average pool".to_owned(),
            Self::Upsample { .. } => "upsample".to_owned(),
            Self::Dropout { .. } => "dropout".to_owned(),
            Self::Update { .. } => "AdamW and average".to_owned(),
        }
    }

    pub(crate) fn shape(self) -> String {
        match self {
            Self::Convolution { side: [height, width], inputs, channels, out, .. }
            | Self::NormConvolution { side: [height, width], inputs, channels, out, .. } => {
                let times = if inputs == 1 { String::new() } else { format!("{inputs} x ") };
                format!("{height}x{width}, {times}{channels} to {out}")
            }
            Self::GroupNorm { side: [height, width], channels, .. }
            | Self::AveragePool { side: [height, width], channels }
            | Self::Upsample { side: [height, width], channels } => format!("{height}x{width}, {channels}"),
            Self::Attention { tokens, channels, .. } => format!("{tokens} tokens, {channels}"),
            Self::Dropout { numbers } | Self::Update { numbers } => format!("{numbers}"),
        }
    }

    /// Whether [`Candidate::Patches`] is one of its ways.
    pub(crate) fn has_patches(self) -> bool {
        matches!(self, Self::Convolution { size: 3, .. } | Self::NormConvolution { .. })
    }

    /// The largest error of a right answer, as a part of the largest entry: rounding of `f32` in sums, and in Winograd's transforms.
    pub(crate) fn bound(self) -> f64 {
        if self.has_patches() { 1e-4 } else { 1e-5 }
    }

    /// Height, width, and the channels of each input and of the output.
    pub(crate) fn sizes(self) -> [usize; 4] {
        match self {
            Self::Convolution { side: [height, width], channels, out, .. }
            | Self::NormConvolution { side: [height, width], channels, out, .. } => {
                [height, width, channels, out]
            }
            Self::GroupNorm { side: [height, width], channels, .. }
            | Self::AveragePool { side: [height, width], channels }
            | Self::Upsample { side: [height, width], channels } => [height, width, channels, channels],
            Self::Attention { tokens, channels, .. } => [tokens, 1, channels, channels],
            Self::Dropout { numbers } | Self::Update { numbers } => [numbers, 1, 1, 1],
        }
    }

    /// Whether a row has no inputs, or no outputs.
    #[cfg(feature = "cuda")]
    pub(crate) fn is_empty(self) -> bool {
        let [height, width, channels, out] = self.sizes();
        let least = if matches!(self, Self::AveragePool { .. }) { 2 } else { 1 };
        height.min(width) < least || channels.min(out) == 0
    }

    /// The numbers of a row's widest image.
    #[cfg(feature = "cuda")]
    pub(crate) fn numbers(self) -> usize {
        let [height, width, channels, out] = self.sizes();
        height * width * channels.max(out)
    }

    /// What a forward pass of so many rows has to do at least.
    #[cfg(feature = "cli")]
    pub(crate) fn work(self, rows: usize) -> Work {
        let [height, width, channels, out] = self.sizes();
        let positions = rows * height * width;
        let bytes = |numbers: f64| Work::Bytes((4.0 * numbers) * (positions * channels) as f64);
        let product = |inputs: usize, taps: usize, jvp: bool| {
            let streams = if jvp { 2 } else { 1 };
            Work::Operations((2 * streams * positions * taps * inputs * channels * out) as f64)
        };
        match self {
            Self::Convolution { size, inputs, .. } => product(inputs, size * size, false),
            Self::NormConvolution { inputs, jvp, .. } => product(inputs, 9, jvp),
            Self::Attention { tokens, jvp, .. } => {
                // Two products of values, and four with a tangent.
                let products = if jvp { 6 } else { 2 };
                Work::Operations((2 * products * positions * tokens * channels) as f64)
            }
            Self::GroupNorm { jvp, .. } => bytes(if jvp { 4.0 } else { 2.0 }),
            Self::AveragePool { .. } => bytes(1.25),
            Self::Upsample { .. } => bytes(5.0),
            Self::Dropout { .. } => bytes(2.0),
            // Five are read and four are written, and the gradient is read again.
            Self::Update { .. } => bytes(10.0),
        }
    }
}

/// What an operation cannot do without: operations on numbers (two for each multiplication and addition of its definition), or bytes of memory.
#[cfg(feature = "cli")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Work {
    Operations(f64),
    Bytes(f64),
}
