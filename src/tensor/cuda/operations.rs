//! [`Kernels`] of `f32` on CUDA: own kernels where a device has them, and the portable operations where not.

use super::candidates::{NUMBERS, own};
use super::launch::engine;
use super::layer::Layer;
use super::storage::Image;
use super::{attention, convolution, elementwise, group_norm, pointwise, rows, update, waves};
use crate::tensor::operation::{Norm, Operation};
use crate::tensor::{
    Convolution, DropoutKey, Dual, Forward, GroupNorm, ImageBatch, Kernels, Moments, Plain, Precision,
    Preparation, Refused, Updates, Waves, compose, dropout, portable, resample, reshape,
    rows as portable_rows, update as portable_update,
};
use dfdx::prelude::{Cuda, Dim, HasShape, Shape, Tape, Tensor};

type Images<H, W, C, T> = Tensor<ImageBatch<H, W, C>, f32, Cuda, T>;
type Tokens<T> = Tensor<(usize, usize, usize), f32, Cuda, T>;

/// A convolution, by its inputs' shape.
fn convolution_of<H: Dim, W: Dim, I: Dim, O: Dim>(
    inputs: usize,
    &(_, height, width, channels): &ImageBatch<H, W, I>,
    operator: &Convolution<'_, O, f32, Cuda>,
) -> Operation {
    let (size, out) = (operator.size, operator.weight.shape().1.size());
    Operation::Convolution {
        size,
        side: [height.size(), width.size()],
        inputs,
        channels: channels.size(),
        out,
    }
}

/// A convolution after norms, by its inputs' shape.
fn norm_convolution_of<H: Dim, W: Dim, I: Dim, O: Dim>(
    inputs: usize,
    &(_, height, width, channels): &ImageBatch<H, W, I>,
    preparation: &Preparation<'_, f32, Cuda>,
    operator: &Convolution<'_, O, f32, Cuda>,
    jvp: bool,
) -> Operation {
    Operation::NormConvolution {
        side: [height.size(), width.size()],
        inputs,
        channels: channels.size(),
        out: operator.weight.shape().1.size(),
        norm: preparation.norms.first().map_or(Norm { groups: 1, swish: true }, norm_of),
        dropout: preparation.dropout.is_some(),
        jvp,
    }
}

fn norm_of(norm: &GroupNorm<'_, f32, Cuda>) -> Norm {
    Norm { groups: norm.groups, swish: norm.swish }
}

fn group_norm_of<H: Dim, W: Dim, C: Dim>(
    &(_, height, width, channels): &ImageBatch<H, W, C>,
    norm: &GroupNorm<'_, f32, Cuda>,
    jvp: bool,
) -> Operation {
    let side = [height.size(), width.size()];
    Operation::GroupNorm { side, channels: channels.size(), norm: norm_of(norm), jvp }
}

fn attention_of(&(_, tokens, channels): &(usize, usize, usize), jvp: bool) -> Operation {
    Operation::Attention { tokens, channels, jvp }
}

fn waves_of(waves: &Waves<'_, f32, Cuda>, jvp: bool) -> Operation {
    Operation::Waves { numbers: NUMBERS, factors: waves.factors.is_some(), jvp }
}

/// The same images with a shape that is known at run time only: the operations are compiled once.
fn dynamic_image<H: Dim, W: Dim, C: Dim, T: Tape<f32, Cuda> + 'static>(x: Images<H, W, C, T>) -> Image<T> {
    let (rows, height, width, channels) = *x.shape();
    reshape(x, (rows, height.size(), width.size(), channels.size()))
}

/// A convolution's weight and bias with shapes that are known at run time only.
#[allow(clippy::type_complexity)]
fn dynamic<O: Dim>(
    operator: &Convolution<'_, O, f32, Cuda>,
) -> (Tensor<(usize, usize), f32, Cuda>, Option<Tensor<(usize,), f32, Cuda>>) {
    let (rows, out) = (operator.weight.shape().0, operator.weight.shape().1.size());
    let bias = operator.bias.map(|bias| reshape(bias.clone(), (out,)));
    (reshape(operator.weight.clone(), (rows, out)), bias)
}

/// A 3x3 convolution and what its inputs, of so many channels each, go through before.
fn layer<O: Dim>(
    side: (usize, usize),
    operator: &Convolution<'_, O, f32, Cuda>,
    preparation: Option<(&Preparation<'_, f32, Cuda>, &[usize])>,
) -> Layer {
    let (weight, bias) = dynamic(operator);
    let dropout = preparation.and_then(|(preparation, _)| preparation.dropout);
    let norms = preparation.map(|(preparation, channels)| {
        let each = preparation.norms.iter().zip(channels);
        each.map(|(norm, &channels)| group_norm::Norm::new(norm, channels)).collect()
    });
    Layer { side, weight, bias, norms, dropout }
}

impl Kernels<f32> for Cuda {
    fn ordinal(&self) -> usize {
        super::ordinal(self)
    }

    fn refusal(&self, precision: Precision) -> Option<Refused> {
        match (precision, engine(self)) {
            (Precision::F32, _) => None,
            (Precision::Tf32, Some(engine)) => engine.refusal_of_tf32(),
            (Precision::Tf32, None) => Some(Refused::new("on a device that lacks this crate's kernels")),
        }
    }

    fn with_precision<R>(&self, precision: Precision, work: impl FnOnce() -> R) -> Result<R, Refused> {
        if let Some(refused) = <Self as Kernels<f32>>::refusal(self, precision) {
            return Err(refused);
        }
        match engine(self) {
            Some(engine) => Ok(engine.precision.during(precision, work)),
            None => Ok(work()),
        }
    }

    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<f32, Self> + 'static>(
        inputs: Vec<Images<H, W, I, T>>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Images<H, W, O, T>>,
    ) -> Images<H, W, O, T> {
        let (rows, height, width, _) = *inputs[0].shape();
        let operation = convolution_of(inputs.len(), inputs[0].shape(), operator);
        let Some((engine, way)) = own(operator.weight.device(), operation) else {
            return portable::convolution(inputs, operator, shift, residual);
        };
        let out = operator.weight.shape().1;
        let inputs = inputs.into_iter().map(dynamic_image);
        let shift = shift.map(|shift| reshape(shift, (rows, out.size())));
        let residual = residual.map(dynamic_image);
        let y = if operator.size == 1 {
            pointwise::convolution(engine, inputs.collect(), dynamic(operator), shift, residual)
        } else {
            let layer = layer((height.size(), width.size()), operator, None);
            let inputs = inputs.map(|x| [x]).collect();
            let [y] = convolution::convolution((engine, way), inputs, layer, shift, residual.map(|r| [r]));
            y
        };
        reshape(y, (rows, height, width, out))
    }

    fn norm_convolution<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<f32, Self> + 'static>(
        inputs: Vec<Images<H, W, I, T>>,
        preparation: &Preparation<'_, f32, Self>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Images<H, W, O, T>>,
    ) -> Images<H, W, O, T> {
        let operation = norm_convolution_of(inputs.len(), inputs[0].shape(), preparation, operator, false);
        let found = Some(operation).filter(|_| operator.size == 3);
        let Some((engine, way)) = found.and_then(|operation| own(operator.weight.device(), operation)) else {
            let forward = compose::norm_convolution::<Plain<T>, H, W, I, O, f32, Self>;
            return forward(inputs, preparation, operator, shift, residual);
        };
        let (rows, height, width, _) = *inputs[0].shape();
        let out = operator.weight.shape().1;
        let shift = shift.map(|shift| reshape(shift, (rows, out.size())));
        let inputs: Vec<_> = inputs.into_iter().map(|x| [dynamic_image(x)]).collect();
        let channels: Vec<usize> = inputs.iter().map(|[x]| x.shape().3).collect();
        let layer = layer((height.size(), width.size()), operator, Some((preparation, &channels)));
        let residual = residual.map(|r| [dynamic_image(r)]);
        let [y] = convolution::convolution((engine, way), inputs, layer, shift, residual);
        reshape(y, (rows, height, width, out))
    }

    fn norm_convolution_jvp<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<f32, Self> + 'static>(
        inputs: Vec<Dual<Images<H, W, I, T>>>,
        preparation: &Preparation<'_, f32, Self>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Dual<Images<H, W, O, T>>>,
    ) -> Dual<Images<H, W, O, T>> {
        let operation =
            norm_convolution_of(inputs.len(), inputs[0].value.shape(), preparation, operator, true);
        let found = Some(operation).filter(|_| operator.size == 3);
        let Some((engine, way)) = found.and_then(|operation| own(operator.weight.device(), operation)) else {
            let forward = compose::norm_convolution::<Forward<Plain<T>>, H, W, I, O, f32, Self>;
            return forward(inputs, preparation, operator, shift, residual);
        };
        let (rows, height, width, _) = *inputs[0].value.shape();
        let out = operator.weight.shape().1;
        let shift = shift.map(|shift| reshape(shift, (rows, out.size())));
        let streams = |x: Dual<_>| [dynamic_image(x.value), dynamic_image(x.tangent)];
        let inputs: Vec<_> = inputs.into_iter().map(streams).collect();
        let channels: Vec<usize> = inputs.iter().map(|x| x[0].shape().3).collect();
        let layer = layer((height.size(), width.size()), operator, Some((preparation, &channels)));
        let residual = residual.map(|r| [dynamic_image(r.value), dynamic_image(r.tangent)]);
        let [value, tangent] = convolution::convolution((engine, way), inputs, layer, shift, residual);
        Dual::new(value, tangent).map(|y| reshape(y, (rows, height, width, out)))
    }

    fn dropout<S: Shape, T: Tape<f32, Self> + 'static>(
        x: Tensor<S, f32, Self, T>,
        key: DropoutKey,
    ) -> Tensor<S, f32, Self, T> {
        match own(x.device(), Operation::Dropout { numbers: NUMBERS }) {
            Some((engine, _)) => elementwise::dropout(engine, x, key),
            None => dropout::portable(x, key),
        }
    }

    fn group_norm<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Images<H, W, C, T>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Images<H, W, C, T> {
        let Some((engine, _)) = own(x.device(), group_norm_of(x.shape(), norm, false)) else {
            return compose::group_norm::<Plain<T>, H, W, C, f32, Self>(x, norm);
        };
        let shape = *x.shape();
        reshape(group_norm::group_norm(engine, dynamic_image(x), norm), shape)
    }

    fn group_norm_jvp<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Dual<Images<H, W, C, T>>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Dual<Images<H, W, C, T>> {
        let Some((engine, _)) = own(x.value.device(), group_norm_of(x.value.shape(), norm, true)) else {
            return compose::group_norm::<Forward<Plain<T>>, H, W, C, f32, Self>(x, norm);
        };
        let shape = *x.value.shape();
        group_norm::group_norm_jvp(engine, x.map(dynamic_image), norm).map(|y| reshape(y, shape))
    }

    fn attention<T: Tape<f32, Self> + 'static>(q: Tokens<T>, k: Tokens<T>, v: Tokens<T>) -> Tokens<T> {
        let Some((engine, _)) = own(q.device(), attention_of(q.shape(), false)) else {
            return compose::attention::<Plain<T>, f32, Self>(q, k, v);
        };
        let [y] = attention::attention(engine, [[q], [k], [v]]);
        y
    }

    fn attention_jvp<T: Tape<f32, Self> + 'static>(
        q: Dual<Tokens<T>>,
        k: Dual<Tokens<T>>,
        v: Dual<Tokens<T>>,
    ) -> Dual<Tokens<T>> {
        let Some((engine, _)) = own(q.value.device(), attention_of(q.value.shape(), true)) else {
            return compose::attention::<Forward<Plain<T>>, f32, Self>(q, k, v);
        };
        let [value, tangent] = attention::attention(engine, [q, k, v].map(|x| [x.value, x.tangent]));
        Dual::new(value, tangent)
    }

    fn average_pool<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Images<H, W, C, T>,
    ) -> Images<usize, usize, C, T> {
        let (_, height, width, channels) = *x.shape();
        let side = [height.size(), width.size()];
        let operation = Operation::AveragePool { side, channels: channels.size() };
        let Some((engine, _)) = own(x.device(), operation) else { return resample::average_pool(x) };
        let y = elementwise::average_pool(engine, dynamic_image(x));
        let (rows, height, width, _) = *y.shape();
        reshape(y, (rows, height, width, channels))
    }

    fn upsample<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Images<H, W, C, T>,
    ) -> Images<usize, usize, C, T> {
        let (_, height, width, channels) = *x.shape();
        let side = [height.size(), width.size()];
        let operation = Operation::Upsample { side, channels: channels.size() };
        let Some((engine, _)) = own(x.device(), operation) else { return resample::upsample(x) };
        let y = elementwise::upsample(engine, dynamic_image(x));
        let (rows, height, width, _) = *y.shape();
        reshape(y, (rows, height, width, channels))
    }

    fn upload<S: Shape>(&self, numbers: &[f32], shape: S) -> Tensor<S, f32, Self> {
        rows::uploaded(self, numbers, shape)
    }

    fn swish<S: Shape, T: Tape<f32, Self> + 'static>(x: Tensor<S, f32, Self, T>) -> Tensor<S, f32, Self, T> {
        let Some((engine, _)) = own(x.device(), Operation::Swish { numbers: NUMBERS, jvp: false }) else {
            return compose::swish::<Plain<T>, S, f32, Self>(x);
        };
        let [y] = elementwise::swish(engine, [x]);
        y
    }

    fn swish_jvp<S: Shape, T: Tape<f32, Self> + 'static>(
        x: Dual<Tensor<S, f32, Self, T>>,
    ) -> Dual<Tensor<S, f32, Self, T>> {
        let Some((engine, _)) = own(x.value.device(), Operation::Swish { numbers: NUMBERS, jvp: true })
        else {
            return compose::swish::<Forward<Plain<T>>, S, f32, Self>(x);
        };
        let [value, tangent] = elementwise::swish(engine, [x.value, x.tangent]);
        Dual::new(value, tangent)
    }

    fn distances<S: Shape, T: Tape<f32, Self> + 'static>(
        a: Tensor<S, f32, Self, T>,
        b: &Tensor<S, f32, Self>,
    ) -> Tensor<(usize,), f32, Self, T> {
        match own(a.device(), Operation::Distances { numbers: NUMBERS }) {
            Some((engine, _)) => rows::distances(engine, a, b),
            None => portable_rows::distances(a, b),
        }
    }

    fn waves<H: Dim, W: Dim, T: Tape<f32, Self> + 'static>(
        x: Images<H, W, usize, T>,
        of: &Waves<'_, f32, Self>,
    ) -> [Images<H, W, usize, T>; 2] {
        let Some((engine, _)) = own(x.device(), waves_of(of, false)) else {
            return compose::waves::<Plain<T>, H, W, f32, Self>(x, of);
        };
        let (rows, height, width, _) = *x.shape();
        let shape = (rows, height, width, of.frequencies.shape().1);
        let y = waves::waves(engine, [dynamic_image(x)], of.frequencies.clone(), of.factors.clone());
        y.map(|[y]| reshape(y, shape))
    }

    fn waves_jvp<H: Dim, W: Dim, T: Tape<f32, Self> + 'static>(
        x: Dual<Images<H, W, usize, T>>,
        of: &Waves<'_, f32, Self>,
    ) -> [Dual<Images<H, W, usize, T>>; 2] {
        let Some((engine, _)) = own(x.value.device(), waves_of(of, true)) else {
            return compose::waves::<Forward<Plain<T>>, H, W, f32, Self>(x, of);
        };
        let (rows, height, width, _) = *x.value.shape();
        let shape = (rows, height, width, of.frequencies.shape().1);
        let x = [dynamic_image(x.value), dynamic_image(x.tangent)];
        let y = waves::waves(engine, x, of.frequencies.clone(), of.factors.clone());
        y.map(|[value, tangent]| Dual::new(value, tangent).map(|y| reshape(y, shape)))
    }

    fn sinusoids(
        &self,
        times: &[f64],
        frequencies: &[f64],
        others: &[f64],
        columns: usize,
    ) -> Tensor<(usize, usize), f32, Self> {
        match own(self, Operation::Sinusoids { numbers: NUMBERS }) {
            Some((engine, _)) => waves::sinusoids(&engine, self, [times, frequencies, others], columns),
            None => portable_rows::sinusoids(self, times, frequencies, others, columns),
        }
    }

    fn scale_rows<S: Shape, T: Tape<f32, Self> + 'static>(
        x: Tensor<S, f32, Self, T>,
        coefficients: &[f64],
    ) -> Tensor<S, f32, Self, T> {
        match own(x.device(), Operation::ScaleRows { numbers: NUMBERS }) {
            Some((engine, _)) => rows::scale(engine, x, coefficients),
            None => portable_rows::scale(x, coefficients),
        }
    }

    fn combine_rows<S: Shape>(
        terms: &[(&[f64], &Tensor<S, f32, Self>)],
        base: Option<&Tensor<S, f32, Self>>,
    ) -> Tensor<S, f32, Self> {
        match own(terms[0].1.device(), Operation::CombineRows { numbers: NUMBERS, double: false }) {
            Some((engine, _)) => rows::combine(&engine, "combine_f32", terms, base),
            None => portable_rows::combine(terms, base),
        }
    }

    fn adamw<S: Shape>(
        parameter: &mut Tensor<S, f32, Self>,
        gradient: &Tensor<(usize,), f32, Self>,
        moments: &mut Moments<f32, Self>,
        decay: f64,
        updates: &mut Updates<f32, Self>,
    ) {
        match own(gradient.device(), Operation::Update { numbers: NUMBERS }) {
            Some((engine, _)) => update::gather(&engine, parameter, gradient, moments, decay, updates),
            None => portable_update::adamw(parameter, gradient, moments, decay, updates.step()),
        }
    }

    fn compute_updates(updates: &mut Updates<f32, Self>) {
        let engine = updates.gathered().first().and_then(|update| engine(update.gradient.device()));
        if let Some(engine) = engine {
            update::compute(&engine, updates);
        }
    }

    fn together<R>(&self, work: impl FnOnce() -> R) -> R {
        match own(self, Operation::Update { numbers: NUMBERS }) {
            Some((engine, _)) => update::together(&engine, work),
            None => work(),
        }
    }

    fn sums_of_squares(tensors: &[&Tensor<(usize,), f32, Self>]) -> Vec<f64> {
        let update = Operation::Update { numbers: NUMBERS };
        match tensors.first().and_then(|x| own(x.device(), update)) {
            Some((engine, _)) => update::sums_of_squares(&engine, tensors),
            None => portable_update::sums_of_squares(tensors.iter().copied()),
        }
    }

    fn sum_of_squares(x: &Tensor<(usize,), f32, Self>) -> f64 {
        Self::sums_of_squares(&[x]).first().map_or(0.0, |sum| *sum)
    }
}
