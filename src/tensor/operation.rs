//! The operations of [`Kernels`](super::Kernels) by their shapes.

use std::fmt;

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
    /// A step of AdamW with its moving average, the sum of a gradient's squares, and the copy of a gradient.
    Update {
        numbers: usize,
    },
    Swish {
        numbers: usize,
        jvp: bool,
    },
    /// Of so many numbers a row, [`WAVES`] each.
    Waves {
        numbers: usize,
        factors: bool,
        jvp: bool,
    },
    /// Features of times: so many numbers a row.
    Sinusoids {
        numbers: usize,
    },
    /// Rows times a coefficient each.
    ScaleRows {
        numbers: usize,
    },
    /// Squared distances of rows.
    Distances {
        numbers: usize,
    },
    /// Sums of rows times a coefficient each.
    CombineRows {
        numbers: usize,
        double: bool,
    },
    /// See [`Kernels::error_sums`](super::Kernels::error_sums).
    ErrorSums {
        numbers: usize,
    },
    /// See [`Kernels::finite_rows`](super::Kernels::finite_rows).
    FiniteRows {
        numbers: usize,
    },
}

/// The waves of each number, and the terms of a sum of rows.
pub(crate) const WAVES: usize = 4;
pub(crate) const TERMS: usize = 3;

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
    /// Those of so many numbers a row that are neither dropout nor an update.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn of_numbers(numbers: usize) -> Vec<Self> {
        let waves = |factors, jvp| Self::Waves { numbers, factors, jvp };
        let combine = |double| Self::CombineRows { numbers, double };
        vec![
            Self::Swish { numbers, jvp: false },
            Self::Swish { numbers, jvp: true },
            waves(false, false),
            waves(false, true),
            waves(true, false),
            waves(true, true),
            Self::Sinusoids { numbers },
            Self::ScaleRows { numbers },
            Self::Distances { numbers },
            combine(false),
            combine(true),
            Self::ErrorSums { numbers },
            Self::FiniteRows { numbers },
        ]
    }

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
            Self::Swish { jvp: of_both, .. } => jvp("swish", of_both),
            Self::Waves { factors, jvp: of_both, .. } => {
                jvp(if factors { "scaled waves" } else { "waves" }, of_both)
            }
            Self::Sinusoids { .. } => "features of times".to_owned(),
            Self::ScaleRows { .. } => "scaled rows".to_owned(),
            Self::Distances { .. } => "distances of rows".to_owned(),
            Self::CombineRows { double: false, .. } => "sum of rows".to_owned(),
            Self::CombineRows { double: true, .. } => "sum of rows, f64".to_owned(),
            Self::ErrorSums { .. } => "errors of rows, f64".to_owned(),
            Self::FiniteRows { .. } => "finite rows, f64".to_owned(),
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
            _ => format!("{}", self.sizes()[0]),
        }
    }

    /// Everything that tells it from others, in words.
    pub(crate) fn key(self) -> String {
        let groups = |groups: usize| if groups == 1 { String::new() } else { format!(", {groups} groups") };
        match self {
            Self::NormConvolution { norm, dropout, .. } => {
                let (swish, dropout) =
                    (if norm.swish { ", swish" } else { "" }, if dropout { ", dropout" } else { "" });
                format!("{self}{}{swish}{dropout}", groups(norm.groups))
            }
            Self::GroupNorm { norm, .. } => format!("{self}{}", groups(norm.groups)),
            _ => self.to_string(),
        }
    }

    /// Whether [`Cudnn`](super::choices::Candidate::Cudnn) and [`Patches`](super::choices::Candidate::Patches) are among its ways.
    pub(crate) fn has_patches(self) -> bool {
        matches!(self, Self::Convolution { size: 3, .. } | Self::NormConvolution { .. })
    }

    /// Whether its numbers are `f64`; else they are `f32`.
    pub(crate) fn is_double(self) -> bool {
        matches!(
            self,
            Self::CombineRows { double: true, .. } | Self::ErrorSums { .. } | Self::FiniteRows { .. }
        )
    }

    /// Whether a backward pass goes through it.
    pub(crate) fn has_backward(self) -> bool {
        let is_rows = matches!(self, Self::CombineRows { .. } | Self::Sinusoids { .. });
        !(is_rows || self.is_double() || matches!(self, Self::Update { .. }))
    }

    /// The largest error of a right answer, as a part of the largest entry: rounding of `f32` in sums, and in Winograd's transforms. In `f64`
    /// a sum of 3000 terms rounds by at most 3000 * 2^-53 = 3e-13; what has gone through `f32` is off by some 1e-8.
    pub(crate) fn bound(self) -> f64 {
        match self.is_double() {
            true => 1e-12,
            false if self.has_patches() => 1e-4,
            false => 1e-5,
        }
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
            Self::Waves { numbers, .. } => [numbers, 1, 1, WAVES],
            Self::Dropout { numbers }
            | Self::Update { numbers }
            | Self::Swish { numbers, .. }
            | Self::Sinusoids { numbers }
            | Self::ScaleRows { numbers }
            | Self::Distances { numbers }
            | Self::CombineRows { numbers, .. }
            | Self::ErrorSums { numbers }
            | Self::FiniteRows { numbers } => [numbers, 1, 1, 1],
        }
    }

    /// Whether a row has no inputs, or no outputs.
    pub(crate) fn is_empty(self) -> bool {
        let [height, width, channels, out] = self.sizes();
        let least = if matches!(self, Self::AveragePool { .. }) { 2 } else { 1 };
        height.min(width) < least || channels.min(out) == 0
    }

    /// The numbers of a row's widest image.
    pub(crate) fn numbers(self) -> usize {
        let [height, width, channels, out] = self.sizes();
        height * width * channels.max(out)
    }

    /// What a forward pass of so many rows has to do at least.
    #[cfg(feature = "cli")]
    pub(crate) fn work(self, rows: usize) -> Work {
        let [height, width, channels, out] = self.sizes();
        let positions = rows * height * width;
        let size = if self.is_double() { 8.0 } else { 4.0 };
        let bytes = |numbers: f64| Work::Bytes((size * numbers) * (positions * channels) as f64);
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
            Self::Swish { jvp: true, .. } => bytes(4.0),
            Self::Dropout { .. } | Self::Swish { .. } | Self::ScaleRows { .. } | Self::Distances { .. } => {
                bytes(2.0)
            }
            Self::Waves { jvp, .. } => bytes(if jvp { 2 + 4 * WAVES } else { 1 + 2 * WAVES } as f64),
            Self::Sinusoids { .. } => bytes(1.0),
            Self::FiniteRows { .. } => bytes(2.0),
            // The terms and the sum twice, and a base.
            Self::CombineRows { .. } => bytes((2 * TERMS + 3) as f64),
            Self::ErrorSums { .. } => bytes(3.0),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_tell_operations_apart() {
        let (side, channels) = ([4, 6], 8);
        let mut all = Operation::of_numbers(5);
        for (inputs, norm) in (1..3).flat_map(|i| [1, 2].map(|groups| (i, Norm { groups, swish: i == 1 }))) {
            for jvp in [false, true] {
                all.push(Operation::GroupNorm { side, channels: 8 * inputs, norm, jvp });
                all.push(Operation::Attention { tokens: 24, channels: 8 * inputs + norm.groups, jvp });
                all.extend([false, true].map(|dropout| {
                    let (out, swish) = (16, dropout != jvp);
                    let norm = Norm { swish, ..norm };
                    Operation::NormConvolution { side, inputs, channels, out, norm, dropout, jvp }
                }));
            }
            all.push(Operation::Convolution { size: 2 * norm.groups - 1, side, inputs, channels, out: 16 });
        }
        all.extend([Operation::AveragePool { side, channels }, Operation::Upsample { side, channels }]);
        all.extend([Operation::Dropout { numbers: 5 }, Operation::Update { numbers: 5 }]);
        assert_eq!(all.iter().map(|operation| operation.key()).collect::<BTreeSet<_>>().len(), all.len());
    }
}
