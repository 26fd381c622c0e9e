//! The operations that dfdx 0.13 lacks on stable Rust, with a portable way for every device.

use super::{
    DropoutKey, Dual, Forward, ImageBatch, Moments, Plain, Precision, Real, Refused, Updates, compose,
    dropout, portable, resample, rows, update,
};
use dfdx::prelude::{Cache, Device, Dim, Shape, Tape, Tensor};

/// A convolution's parameters, borrowed from a layer.
///
/// `y[p, o] = bias[o] + shift[o] + residual[p, o] + sum_{t, c} x[p + t, c] weight[(t, c), o]`, with zeros
/// outside the image, `t` over the `size x size` taps in row-major order and `c` over the channels
/// of all inputs side by side. Nothing is ever concatenated.
///
/// # Shapes
/// `weight`: `(size * size * channels, out)`, that is HWIO flattened.
#[derive(Debug)]
pub struct Convolution<'a, O: Dim, E: Real, D: Kernels<E>> {
    /// 1 or 3.
    pub size: usize,
    /// The kernel, HWIO flattened to a matrix.
    pub weight: &'a Tensor<(usize, O), E, D>,
    /// One number per output channel.
    pub bias: Option<&'a Tensor<(O,), E, D>>,
}

/// Group norm's parameters, borrowed from a layer.
///
/// `n = (x - mean_g x) / sqrt(var_g x + epsilon)`, `u = scale n + bias`, and `y = u sigmoid(u)` if
/// `swish`, else `y = u`. Mean and variance are over all positions and a group's channels.
///
/// # Reference
/// Wu and He, "Group Normalization" (arXiv 1803.08494), equations 1, 2 and 7.
#[derive(Debug)]
pub struct GroupNorm<'a, E: Real, D: Kernels<E>> {
    /// One factor per channel; may belong to more channels than `x` has.
    pub scale: &'a Tensor<(usize,), E, D>,
    /// One term per channel.
    pub bias: &'a Tensor<(usize,), E, D>,
    /// Which entry of `scale` and `bias` belongs to channel 0 of `x`.
    pub first_channel: usize,
    /// The number of groups that `x` has.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether swish follows.
    pub swish: bool,
}

/// The waves of Fourier features, borrowed from a layer: `factor sin(w x)` and `factor cos(w x)` for each number `x` and frequency `w`.
///
/// # Shapes
/// Of images of `channels` channels, to images of `channels * waves`: channel by channel, each with all of its waves.
#[derive(Debug)]
pub struct Waves<'a, E: Real, D: Kernels<E>> {
    /// `(channels, channels * waves)`: a channel's row has the frequencies, in radians a unit, at its own columns and zeros elsewhere. They
    /// are the same for each channel, and get no gradient.
    pub frequencies: &'a Tensor<(usize, usize), E, D>,
    /// `(batch, waves)`: what each row's waves are multiplied by, which gets no gradient.
    pub factors: Option<Tensor<(usize, usize), E, D>>,
}

/// What a convolution's inputs go through before it: group norm each (see [`GroupNorm`]), then dropout.
#[derive(Debug)]
pub struct Preparation<'a, E: Real, D: Kernels<E>> {
    /// The norm of each input.
    pub norms: Vec<GroupNorm<'a, E, D>>,
    /// Dropout after it, if it is at work.
    pub dropout: Option<DropoutKey>,
}

/// A dfdx device with the operations of the networks.
///
/// Every method has a portable way as its provided body, so `impl Kernels<E> for MyDevice {}` is
/// all that a device needs.
pub trait Kernels<E: Real>: Device<E> + Cache {
    /// Whether the device's memory is the host's, so that numbers need not be brought there.
    const ON_HOST: bool = false;

    /// Which of the devices of its type this is: what was brought to one is not on another.
    fn ordinal(&self) -> usize {
        0
    }

    /// Why products of these numbers cannot be had in a precision on this device, if so.
    fn refusal(&self, precision: Precision) -> Option<Refused> {
        match precision {
            Precision::F32 => None,
            Precision::Tf32 if Self::ON_HOST => Some(Refused::new("on the processor")),
            Precision::Tf32 => Some(Refused::new(format_args!("in {}", std::any::type_name::<E>()))),
        }
    }

    /// Does `work`, in which products of these numbers on this device are made in a precision: those of backward passes too that run in it.
    /// What held before holds again when it ends, by a panic too; work within it may ask for another.
    ///
    /// # Errors
    /// As [`refusal`](Self::refusal); then nothing was done.
    fn with_precision<R>(&self, precision: Precision, work: impl FnOnce() -> R) -> Result<R, Refused> {
        match self.refusal(precision) {
            Some(refused) => Err(refused),
            None => Ok(work()),
        }
    }

    /// A tensor with these numbers, in a buffer of the device's cache.
    ///
    /// dfdx's `tensor_from_vec` brings a buffer of its own, which the cache keeps when the tensor is dropped: done
    /// once a step, that would grow the cache without end.
    ///
    /// # Panics
    /// If there are fewer or more numbers than the shape has elements.
    fn upload<S: Shape>(&self, numbers: &[E], shape: S) -> Tensor<S, E, Self> {
        let mut tensor = self.zeros_like(&shape);
        tensor.copy_from(numbers);
        tensor
    }

    /// See [`Convolution`].
    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<E, Self> + 'static>(
        inputs: Vec<Tensor<ImageBatch<H, W, I>, E, Self, T>>,
        operator: &Convolution<'_, O, E, Self>,
        shift: Option<Tensor<(usize, O), E, Self, T>>,
        residual: Option<Tensor<ImageBatch<H, W, O>, E, Self, T>>,
    ) -> Tensor<ImageBatch<H, W, O>, E, Self, T> {
        portable::convolution(inputs, operator, shift, residual)
    }

    /// `x` times the mask of `key`: see [`DropoutKey`].
    fn dropout<S: Shape, T: Tape<E, Self> + 'static>(
        x: Tensor<S, E, Self, T>,
        key: DropoutKey,
    ) -> Tensor<S, E, Self, T> {
        dropout::portable(x, key)
    }

    /// See [`GroupNorm`].
    fn group_norm<H: Dim, W: Dim, C: Dim, T: Tape<E, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, E, Self, T>,
        norm: &GroupNorm<'_, E, Self>,
    ) -> Tensor<ImageBatch<H, W, C>, E, Self, T> {
        compose::group_norm::<Plain<T>, H, W, C, E, Self>(x, norm)
    }

    /// [`group_norm`](Kernels::group_norm) and its derivative along a tangent.
    fn group_norm_jvp<H: Dim, W: Dim, C: Dim, T: Tape<E, Self> + 'static>(
        x: Dual<Tensor<ImageBatch<H, W, C>, E, Self, T>>,
        norm: &GroupNorm<'_, E, Self>,
    ) -> Dual<Tensor<ImageBatch<H, W, C>, E, Self, T>> {
        compose::group_norm::<Forward<Plain<T>>, H, W, C, E, Self>(x, norm)
    }

    /// A [`convolution`](Kernels::convolution) of inputs that went through a [`Preparation`].
    fn norm_convolution<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<E, Self> + 'static>(
        inputs: Vec<Tensor<ImageBatch<H, W, I>, E, Self, T>>,
        preparation: &Preparation<'_, E, Self>,
        operator: &Convolution<'_, O, E, Self>,
        shift: Option<Tensor<(usize, O), E, Self, T>>,
        residual: Option<Tensor<ImageBatch<H, W, O>, E, Self, T>>,
    ) -> Tensor<ImageBatch<H, W, O>, E, Self, T> {
        compose::norm_convolution::<Plain<T>, H, W, I, O, E, Self>(
            inputs,
            preparation,
            operator,
            shift,
            residual,
        )
    }

    /// [`norm_convolution`](Kernels::norm_convolution) and its derivative along a tangent; `shift` has none.
    #[allow(clippy::type_complexity)]
    fn norm_convolution_jvp<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<E, Self> + 'static>(
        inputs: Vec<Dual<Tensor<ImageBatch<H, W, I>, E, Self, T>>>,
        preparation: &Preparation<'_, E, Self>,
        operator: &Convolution<'_, O, E, Self>,
        shift: Option<Tensor<(usize, O), E, Self, T>>,
        residual: Option<Dual<Tensor<ImageBatch<H, W, O>, E, Self, T>>>,
    ) -> Dual<Tensor<ImageBatch<H, W, O>, E, Self, T>> {
        let forward = compose::norm_convolution::<Forward<Plain<T>>, H, W, I, O, E, Self>;
        forward(inputs, preparation, operator, shift, residual)
    }

    /// Single-head attention, `softmax(q k^T / sqrt(channels)) v`.
    fn attention<T: Tape<E, Self> + 'static>(
        q: Tensor<(usize, usize, usize), E, Self, T>,
        k: Tensor<(usize, usize, usize), E, Self, T>,
        v: Tensor<(usize, usize, usize), E, Self, T>,
    ) -> Tensor<(usize, usize, usize), E, Self, T> {
        compose::attention::<Plain<T>, E, Self>(q, k, v)
    }

    /// [`attention`](Kernels::attention) and its derivative along tangents of all three.
    #[allow(clippy::type_complexity)]
    fn attention_jvp<T: Tape<E, Self> + 'static>(
        q: Dual<Tensor<(usize, usize, usize), E, Self, T>>,
        k: Dual<Tensor<(usize, usize, usize), E, Self, T>>,
        v: Dual<Tensor<(usize, usize, usize), E, Self, T>>,
    ) -> Dual<Tensor<(usize, usize, usize), E, Self, T>> {
        compose::attention::<Forward<Plain<T>>, E, Self>(q, k, v)
    }

    /// The mean of each square of 2x2 pixels; a last row or column that makes no square is left out.
    fn average_pool<H: Dim, W: Dim, C: Dim, T: Tape<E, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, E, Self, T>,
    ) -> Tensor<ImageBatch<usize, usize, C>, E, Self, T> {
        resample::average_pool(x)
    }

    /// Each pixel as a square of 2x2: the nearest neighbour.
    fn upsample<H: Dim, W: Dim, C: Dim, T: Tape<E, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, E, Self, T>,
    ) -> Tensor<ImageBatch<usize, usize, C>, E, Self, T> {
        resample::upsample(x)
    }

    /// `x sigmoid(x)`.
    fn swish<S: Shape, T: Tape<E, Self> + 'static>(x: Tensor<S, E, Self, T>) -> Tensor<S, E, Self, T> {
        compose::swish::<Plain<T>, S, E, Self>(x)
    }

    /// `x sigmoid(x)` and its derivative along the tangent.
    fn swish_jvp<S: Shape, T: Tape<E, Self> + 'static>(
        x: Dual<Tensor<S, E, Self, T>>,
    ) -> Dual<Tensor<S, E, Self, T>> {
        compose::swish::<Forward<Plain<T>>, S, E, Self>(x)
    }

    /// Of each row, the sum of `(a - b)^2` over its numbers; `b` gets no gradient.
    ///
    /// # Shapes
    /// From any shape whose first axis is the batch to `(batch,)`.
    fn distances<S: Shape, T: Tape<E, Self> + 'static>(
        a: Tensor<S, E, Self, T>,
        b: &Tensor<S, E, Self>,
    ) -> Tensor<(usize,), E, Self, T> {
        rows::distances(a, b)
    }

    /// Sines and cosines of all numbers: see [`Waves`].
    #[allow(clippy::type_complexity)]
    fn waves<H: Dim, W: Dim, T: Tape<E, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, usize>, E, Self, T>,
        waves: &Waves<'_, E, Self>,
    ) -> [Tensor<ImageBatch<H, W, usize>, E, Self, T>; 2] {
        compose::waves::<Plain<T>, H, W, E, Self>(x, waves)
    }

    /// [`waves`](Kernels::waves) and their derivatives along a tangent.
    #[allow(clippy::type_complexity)]
    fn waves_jvp<H: Dim, W: Dim, T: Tape<E, Self> + 'static>(
        x: Dual<Tensor<ImageBatch<H, W, usize>, E, Self, T>>,
        waves: &Waves<'_, E, Self>,
    ) -> [Dual<Tensor<ImageBatch<H, W, usize>, E, Self, T>>; 2] {
        compose::waves::<Forward<Plain<T>>, H, W, E, Self>(x, waves)
    }

    /// A row of features for each number `t`: `sin(t f)` for all `frequencies`, `cos(t f)` for all, the row's share of `others`, and zeros.
    ///
    /// # Shapes
    /// To `(times, columns)`; `others` are as many for each row.
    fn sinusoids(
        &self,
        times: &[f64],
        frequencies: &[f64],
        others: &[f64],
        columns: usize,
    ) -> Tensor<(usize, usize), E, Self> {
        rows::sinusoids(self, times, frequencies, others, columns)
    }

    /// `x` with each row times its coefficient.
    ///
    /// # Shapes
    /// Any shape whose first axis is the batch; one coefficient a row.
    fn scale_rows<S: Shape, T: Tape<E, Self> + 'static>(
        x: Tensor<S, E, Self, T>,
        coefficients: &[f64],
    ) -> Tensor<S, E, Self, T> {
        rows::scale(x, coefficients)
    }

    /// `(c_0 x_0 + c_1 x_1 + ...) + base` of each row, for terms `(c_j, x_j)` of one coefficient a row.
    ///
    /// # Shapes
    /// Any shape whose first axis is the batch, the same for all.
    ///
    /// # Panics
    /// If there are no terms.
    fn combine_rows<S: Shape>(
        terms: &[(&[f64], &Tensor<S, E, Self>)],
        base: Option<&Tensor<S, E, Self>>,
    ) -> Tensor<S, E, Self> {
        rows::combine(terms, base)
    }

    /// Of each row, the sum of `(error / (absolute + relative max(|before|, |after|)))^2` over its numbers.
    ///
    /// # Shapes
    /// `(batch, dims)` each.
    ///
    /// # Reference
    /// Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, equation II.4.11.
    fn error_sums(
        error: &Tensor<(usize, usize), E, Self>,
        before: &Tensor<(usize, usize), E, Self>,
        after: &Tensor<(usize, usize), E, Self>,
        absolute: f64,
        relative: f64,
    ) -> Vec<f64> {
        rows::error_sums(error, before, after, absolute, relative)
    }

    /// Of each row, whether all of its numbers are finite.
    ///
    /// # Shapes
    /// `(batch, dims)`.
    fn finite_rows(x: &Tensor<(usize, usize), E, Self>) -> Vec<bool> {
        rows::finite(x)
    }

    /// One step of AdamW and of the moving average, of a parameter with this weight decay: see [`AdamStep`](super::AdamStep). A device may
    /// [`gather`](Updates::gather) it instead, for [`compute_updates`](Kernels::compute_updates).
    fn adamw<S: Shape>(
        parameter: &mut Tensor<S, E, Self>,
        gradient: &Tensor<(usize,), E, Self>,
        moments: &mut Moments<E, Self>,
        decay: f64,
        updates: &mut Updates<E, Self>,
    ) {
        update::adamw(parameter, gradient, moments, decay, updates.step());
    }

    /// Computes what [`adamw`](Kernels::adamw) gathered.
    fn compute_updates(_updates: &mut Updates<E, Self>) {}

    /// Does `work`, which only copies tensors: a device may make the copies at its end, all at once. What they are copied from is still held
    /// then.
    fn together<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }

    /// The sum of the squares of all elements.
    fn sum_of_squares(x: &Tensor<(usize,), E, Self>) -> f64 {
        update::sums_of_squares([x]).first().map_or(0.0, |sum| *sum)
    }

    /// [`sum_of_squares`](Kernels::sum_of_squares) of each tensor; where the device's memory is not the host's, all come in one transfer.
    fn sums_of_squares(tensors: &[&Tensor<(usize,), E, Self>]) -> Vec<f64> {
        match Self::ON_HOST {
            true => tensors.iter().map(|x| Self::sum_of_squares(x)).collect(),
            false => update::sums_of_squares(tensors.iter().copied()),
        }
    }
}

impl Kernels<f64> for dfdx::prelude::Cpu {
    const ON_HOST: bool = true;
}
