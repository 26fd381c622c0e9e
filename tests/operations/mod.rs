//! Every operation of `Kernels` on random numbers, generic over the device: what it gives, and the gradients of a random linear function of that.

#![allow(dead_code)]

use dfdx::prelude::*;
use idode::tensor::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One random problem, run in either precision from the same draws.
pub(crate) struct Case<E: Real, D: Kernels<E>> {
    rng: ChaCha8Rng,
    device: D,
    pub(crate) inputs: Vec<Gradient<E, D>>,
}

/// Reads the gradient of a tensor by its handle.
type Gradient<E, D> = Box<dyn Fn(&Gradients<E, D>) -> Vec<E>>;

impl<E: Real, D: Kernels<E>> Case<E, D> {
    fn new(device: &D, seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), device: device.clone(), inputs: Vec::new() }
    }

    /// A random tensor whose gradient will be compared.
    fn draw<S: Shape>(&mut self, shape: S) -> Tensor<S, E, D> {
        let numbers = (0..shape.num_elements()).map(|_| E::of(self.rng.gen_range(-1.0f32..1.0).into()));
        let tensor = self.device.tensor_from_vec(numbers.collect(), shape);
        let handle = tensor.clone();
        self.inputs.push(Box::new(move |grads| grads.get(&handle).as_vec()));
        tensor
    }

    /// The outputs, then the gradients of a random linear function of them.
    fn finish<S: Shape>(mut self, outputs: Vec<Tensor<S, E, D, OwnedTape<E, D>>>) -> Vec<Vec<f64>> {
        let mut numbers = Vec::new();
        let mut loss: Option<Tensor<Rank0, E, D, OwnedTape<E, D>>> = None;
        let inputs = std::mem::take(&mut self.inputs);
        for output in outputs {
            numbers.push(output.as_vec());
            let weights = self.draw(*output.shape());
            let term = (output * weights).sum::<Rank0, _>();
            loss = Some(match loss {
                Some(loss) => loss + term,
                None => term,
            });
        }
        let grads = loss.expect("at least one output").backward();
        numbers.extend(inputs.iter().map(|gradient| gradient(&grads)));
        numbers.into_iter().map(|n| n.into_iter().map(Real::to64).collect()).collect()
    }
}

/// The largest difference relative to the largest entry, over all arrays.
pub(crate) fn worst(fused: &[Vec<f64>], portable: &[Vec<f64>]) -> f64 {
    assert_eq!(fused.len(), portable.len());
    let difference = |(fused, portable): (&Vec<f64>, &Vec<f64>)| {
        assert_eq!(fused.len(), portable.len());
        let size = portable.iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
        fused.iter().zip(portable).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())) / size
    };
    fused.iter().zip(portable).map(difference).fold(0.0, f64::max)
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) rows: usize,
    pub(crate) channels: usize,
    pub(crate) out: usize,
    pub(crate) inputs: usize,
    pub(crate) size: usize,
    pub(crate) seed: u64,
}

pub(crate) fn sizes() -> impl Strategy<Value = Sizes> {
    (1usize..5, 1usize..5, 1usize..40, 1usize..3, prop_oneof![Just(1usize), Just(3)], any::<u64>()).prop_map(
        |(rows, channels, out, inputs, size, seed)| Sizes {
            rows,
            channels: 8 * channels,
            out,
            inputs,
            size,
            seed,
        },
    )
}

/// Height and width.
pub(crate) type Side = [usize; 2];

pub(crate) fn side() -> impl Strategy<Value = Side> {
    [1usize..20, 1usize..20]
}

pub(crate) fn convolution<E: Real, D: Kernels<E>>(
    device: &D,
    s: Sizes,
    [height, width]: Side,
) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let weight = case.draw((s.size * s.size * s.channels * s.inputs, s.out));
    let bias = case.draw((s.out,));
    let shift = case.draw((s.rows, s.out)).leaky_traced();
    let residual = case.draw((s.rows, height, width, s.out)).leaky_traced();
    let shape = (s.rows, height, width, s.channels);
    let inputs = (0..s.inputs).map(|_| case.draw(shape).leaky_traced()).collect();
    let operator = Convolution { size: s.size, weight: &weight, bias: Some(&bias) };
    let y = D::convolution(inputs, &operator, Some(shift), Some(residual));
    case.finish(vec![y])
}

/// A convolution after group norm and dropout, of values or of values and tangents.
pub(crate) fn normed_convolution<E: Real, D: Kernels<E>>(
    device: &D,
    s: Sizes,
    [height, width]: Side,
    dropout: Option<f64>,
    jvp: bool,
) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let all = s.channels * s.inputs;
    let (scale, offset) = (case.draw((all,)), case.draw((all,)));
    let weight = case.draw((s.size * s.size * all, s.out));
    let bias = case.draw((s.out,));
    let shift = case.draw((s.rows, s.out)).leaky_traced();
    let (x, y) = ((s.rows, height, width, s.channels), (s.rows, height, width, s.out));
    let norm = |i: usize| GroupNorm {
        scale: &scale,
        bias: &offset,
        first_channel: i * s.channels,
        groups: 8,
        epsilon: 1e-3,
        swish: true,
    };
    let dropout = dropout.map(|rate| DropoutKey { key: s.seed, rate });
    let preparation = Preparation { norms: (0..s.inputs).map(norm).collect(), dropout };
    let operator = Convolution { size: s.size, weight: &weight, bias: Some(&bias) };
    if jvp {
        let mut dual = |shape| Dual::new(case.draw(shape).leaky_traced(), case.draw(shape).leaky_traced());
        let (residual, inputs) = (dual(y), (0..s.inputs).map(|_| dual(x)).collect());
        let y = D::norm_convolution_jvp(inputs, &preparation, &operator, Some(shift), Some(residual));
        case.finish(vec![y.value, y.tangent])
    } else {
        let residual = case.draw(y).leaky_traced();
        let inputs = (0..s.inputs).map(|_| case.draw(x).leaky_traced()).collect();
        case.finish(vec![D::norm_convolution(inputs, &preparation, &operator, Some(shift), Some(residual))])
    }
}

pub(crate) fn norm<E: Real, D: Kernels<E>>(
    device: &D,
    s: Sizes,
    [height, width]: Side,
    swish: bool,
    jvp: bool,
) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let first_channel = s.out % 3;
    let scale = case.draw((first_channel + s.channels,));
    let bias = case.draw((first_channel + s.channels,));
    let shape = (s.rows, height, width, s.channels);
    let norm = GroupNorm { scale: &scale, bias: &bias, first_channel, groups: 8, epsilon: 1e-3, swish };
    let x = case.draw(shape).leaky_traced();
    if jvp {
        let x = Dual::new(x, case.draw(shape).leaky_traced());
        let y = D::group_norm_jvp(x, &norm);
        case.finish(vec![y.value, y.tangent])
    } else {
        case.finish(vec![D::group_norm(x, &norm)])
    }
}

pub(crate) fn attention<E: Real, D: Kernels<E>>(device: &D, s: Sizes, jvp: bool) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let shape = (s.rows, s.out, s.channels);
    let [q, k, v] = [(); 3].map(|()| case.draw(shape).leaky_traced());
    if jvp {
        let [q, k, v] = [q, k, v].map(|x| Dual::new(x, case.draw(shape).leaky_traced()));
        let y = D::attention_jvp(q, k, v);
        case.finish(vec![y.value, y.tangent])
    } else {
        case.finish(vec![D::attention(q, k, v)])
    }
}

pub(crate) fn untaped_attention<E: Real, D: Kernels<E>>(device: &D, s: Sizes) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let shape = (s.rows, s.out, s.channels);
    let [q, k, v] = [(); 3].map(|()| Dual::new(case.draw(shape), case.draw(shape)));
    let y = D::attention_jvp(q, k, v);
    [y.value, y.tangent].map(|y| y.as_vec().into_iter().map(Real::to64).collect()).into()
}

/// Three steps of AdamW with its moving average, and the sum of squares: each of the parameter, the moments and the average.
pub(crate) fn updates<E: Real, D: Kernels<E>>(
    device: &D,
    len: usize,
    seed: u64,
    [rate, decay, scale]: [f64; 3],
) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, seed);
    let mut parameter = case.draw((len,));
    let zeros = || case.device.zeros_like(&(len,));
    let mut moments = Moments { first: zeros(), second: zeros(), ema: parameter.clone() };
    let mut squares = Vec::new();
    for t in 1..4 {
        let gradient = case.draw((len,));
        let step = AdamStep {
            rate,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            correction1: 1.0 - 0.9f64.powi(t),
            correction2: 1.0 - 0.99f64.powi(t),
            ema_decay: 0.7,
            gradient_scale: scale,
        };
        Updates::all(step, |updates| D::adamw(&mut parameter, &gradient, &mut moments, decay, updates));
        squares.push(D::sum_of_squares(&gradient));
    }
    let numbers = [parameter, moments.first, moments.second, moments.ema];
    let numbers = numbers.iter().map(|x| x.as_vec().into_iter().map(Real::to64).collect());
    numbers.chain([squares]).collect()
}

/// Dropout.
pub(crate) fn masked<E: Real, D: Kernels<E>>(
    device: &D,
    rows: usize,
    columns: usize,
    seed: u64,
    rate: f64,
) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, seed);
    let x = case.draw((rows, columns)).leaky_traced();
    case.finish(vec![D::dropout(x, DropoutKey { key: seed, rate })])
}

/// Half the resolution, or double.
pub(crate) fn resampled<E: Real, D: Kernels<E>>(
    device: &D,
    s: Sizes,
    [height, width]: Side,
    down: bool,
) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let x = case.draw((s.rows, height, width, s.channels)).leaky_traced();
    case.finish(vec![if down { D::average_pool(x) } else { D::upsample(x) }])
}

/// Fourier features of images with 1 to 3 waves a channel, their derivatives along a tangent, and all gradients.
pub(crate) fn features<E: Real, D: Kernels<E>>(
    device: &D,
    s: Sizes,
    [height, width]: Side,
    fading: bool,
    jvp: bool,
) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let (channels, waves) = (s.out, 1 + s.channels / 8 % 3);
    let columns = channels * waves;
    let mut matrix = vec![E::of(0.0); channels * columns];
    for (channel, wave) in (0..channels).flat_map(|channel| (0..waves).map(move |wave| (channel, wave))) {
        // A number that f32 has.
        matrix[channel * columns + channel * waves + wave] =
            E::of(f64::from(2f32.powi(wave as i32) * std::f32::consts::TAU));
    }
    let frequencies = case.device.tensor_from_vec(matrix, (channels, columns));
    let numbers = (0..s.rows * waves).map(|_| E::of(case.rng.gen_range(0.0f32..1.0).into())).collect();
    let factors = fading.then(|| device.tensor_from_vec(numbers, (s.rows, waves)));
    let x = case.draw((s.rows, height, width, channels));
    let of = Waves { frequencies: &frequencies, factors };
    if jvp {
        let dx = case.draw(*x.shape());
        let [sines, cosines] = D::waves_jvp(Dual::new(x.leaky_traced(), dx.retaped()), &of);
        return case.finish(vec![sines.value, sines.tangent, cosines.value, cosines.tangent]);
    }
    case.finish(D::waves(x.leaky_traced(), &of).into())
}

/// Features of times with other numbers beside them.
pub(crate) fn sinusoids<E: Real, D: Kernels<E>>(device: &D, s: Sizes) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(s.seed);
    let mut draw = |count: usize| (0..count).map(|_| rng.gen_range(0.0..1.0)).collect::<Vec<f64>>();
    let times: Vec<f64> = draw(s.rows).iter().map(|t| 1000.0 * t).collect();
    let (frequencies, others) = (draw(s.channels), draw(s.rows * (s.inputs - 1)));
    let y = device.sinusoids(&times, &frequencies, &others, 2 * s.channels + s.inputs + s.out % 3);
    vec![y.as_vec().into_iter().map(Real::to64).collect()]
}

/// Swish of a value and its tangent, swish of the value alone, and the squared distance of each row from another.
pub(crate) fn chains<E: Real, D: Kernels<E>>(device: &D, s: Sizes, [height, width]: Side) -> Vec<Vec<f64>> {
    let mut case = Case::<E, D>::new(device, s.seed);
    let shape = (s.rows, height, width, s.out);
    let x = case.draw(shape);
    let numbers = (0..shape.num_elements()).map(|_| E::of(case.rng.gen_range(-1.0f32..1.0).into()));
    let goal = device.tensor_from_vec(numbers.collect(), shape);
    let y = D::swish(x.leaky_traced());
    let value = y.as_vec().into_iter().map(Real::to64).collect();
    let mut found = case.finish(vec![D::distances(y, &goal)]);
    found.push(value);
    let mut case = Case::<E, D>::new(device, s.seed.wrapping_add(1));
    let [x, along] = [(); 2].map(|()| case.draw(shape).leaky_traced());
    let both = D::swish_jvp(Dual::new(x, along));
    found.extend(case.finish(vec![both.value, both.tangent]));
    found
}
