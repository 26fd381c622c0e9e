//! The fused `f32` kernels against the portable operations in `f64`: values, gradients, derivatives along a
//! tangent, and gradients through those.

use dfdx::prelude::*;
use idode::tensor::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One random problem, run in either precision from the same draws.
struct Case<E: Real> {
    rng: ChaCha8Rng,
    device: Cpu,
    inputs: Vec<Gradient<E>>,
}

/// Reads the gradient of a tensor by its handle.
type Gradient<E> = Box<dyn Fn(&Gradients<E, Cpu>) -> Vec<E>>;

impl<E: Real> Case<E>
where
    Cpu: Kernels<E>,
{
    fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), device: Cpu::default(), inputs: Vec::new() }
    }

    /// A random tensor whose gradient will be compared.
    fn draw<S: Shape>(&mut self, shape: S) -> Tensor<S, E, Cpu> {
        let numbers = (0..shape.num_elements()).map(|_| E::of(self.rng.gen_range(-1.0f32..1.0).into()));
        let tensor = self.device.tensor_from_vec(numbers.collect(), shape);
        let handle = tensor.clone();
        self.inputs.push(Box::new(move |grads| grads.get(&handle).as_vec()));
        tensor
    }

    /// The outputs, then the gradients of a random linear function of them.
    fn finish<S: Shape>(mut self, outputs: Vec<Tensor<S, E, Cpu, OwnedTape<E, Cpu>>>) -> Vec<Vec<f64>> {
        let mut numbers = Vec::new();
        let mut loss: Option<Tensor<Rank0, E, Cpu, OwnedTape<E, Cpu>>> = None;
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
fn worst(fused: &[Vec<f64>], portable: &[Vec<f64>]) -> f64 {
    assert_eq!(fused.len(), portable.len());
    let difference = |(fused, portable): (&Vec<f64>, &Vec<f64>)| {
        assert_eq!(fused.len(), portable.len());
        let size = portable.iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
        fused.iter().zip(portable).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())) / size
    };
    fused.iter().zip(portable).map(difference).fold(0.0, f64::max)
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    rows: usize,
    channels: usize,
    out: usize,
    inputs: usize,
    size: usize,
    seed: u64,
}

fn sizes() -> impl Strategy<Value = Sizes> {
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
type Side = [usize; 2];

fn side() -> impl Strategy<Value = Side> {
    [1usize..20, 1usize..20]
}

fn convolution<E: Real>(s: Sizes, [height, width]: Side) -> Vec<Vec<f64>>
where
    Cpu: Kernels<E>,
{
    let mut case = Case::<E>::new(s.seed);
    let weight = case.draw((s.size * s.size * s.channels * s.inputs, s.out));
    let bias = case.draw((s.out,));
    let shift = case.draw((s.rows, s.out)).leaky_traced();
    let residual = case.draw((s.rows, height, width, s.out)).leaky_traced();
    let shape = (s.rows, height, width, s.channels);
    let inputs = (0..s.inputs).map(|_| case.draw(shape).leaky_traced()).collect();
    let operator = Convolution { size: s.size, weight: &weight, bias: Some(&bias) };
    let y = <Cpu as Kernels<E>>::convolution(inputs, &operator, Some(shift), Some(residual));
    case.finish(vec![y])
}

/// A convolution after group norm and dropout, of values or of values and tangents.
fn normed_convolution<E: Real>(
    s: Sizes,
    [height, width]: Side,
    dropout: Option<f64>,
    jvp: bool,
) -> Vec<Vec<f64>>
where
    Cpu: Kernels<E>,
{
    let mut case = Case::<E>::new(s.seed);
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
        let y = Cpu::norm_convolution_jvp(inputs, &preparation, &operator, Some(shift), Some(residual));
        case.finish(vec![y.value, y.tangent])
    } else {
        let residual = case.draw(y).leaky_traced();
        let inputs = (0..s.inputs).map(|_| case.draw(x).leaky_traced()).collect();
        case.finish(vec![Cpu::norm_convolution(inputs, &preparation, &operator, Some(shift), Some(residual))])
    }
}

fn norm<E: Real>(s: Sizes, [height, width]: Side, swish: bool, jvp: bool) -> Vec<Vec<f64>>
where
    Cpu: Kernels<E>,
{
    let mut case = Case::<E>::new(s.seed);
    let first_channel = s.out % 3;
    let scale = case.draw((first_channel + s.channels,));
    let bias = case.draw((first_channel + s.channels,));
    let shape = (s.rows, height, width, s.channels);
    let norm = GroupNorm { scale: &scale, bias: &bias, first_channel, groups: 8, epsilon: 1e-3, swish };
    let x = case.draw(shape).leaky_traced();
    if jvp {
        let x = Dual::new(x, case.draw(shape).leaky_traced());
        let y = <Cpu as Kernels<E>>::group_norm_jvp(x, &norm);
        case.finish(vec![y.value, y.tangent])
    } else {
        case.finish(vec![<Cpu as Kernels<E>>::group_norm(x, &norm)])
    }
}

fn attention<E: Real>(s: Sizes, jvp: bool) -> Vec<Vec<f64>>
where
    Cpu: Kernels<E>,
{
    let mut case = Case::<E>::new(s.seed);
    let shape = (s.rows, s.out, s.channels);
    let [q, k, v] = [(); 3].map(|()| case.draw(shape).leaky_traced());
    if jvp {
        let [q, k, v] = [q, k, v].map(|x| Dual::new(x, case.draw(shape).leaky_traced()));
        let y = <Cpu as Kernels<E>>::attention_jvp(q, k, v);
        case.finish(vec![y.value, y.tangent])
    } else {
        case.finish(vec![<Cpu as Kernels<E>>::attention(q, k, v)])
    }
}

fn untaped_attention<E: Real>(s: Sizes) -> Vec<Vec<f64>>
where
    Cpu: Kernels<E>,
{
    let mut case = Case::<E>::new(s.seed);
    let shape = (s.rows, s.out, s.channels);
    let [q, k, v] = [(); 3].map(|()| Dual::new(case.draw(shape), case.draw(shape)));
    let y = <Cpu as Kernels<E>>::attention_jvp(q, k, v);
    [y.value, y.tangent].map(|y| y.as_vec().into_iter().map(Real::to64).collect()).into()
}

/// `f32` rounds at 6e-8; sums of up to a few thousand terms and cancellation in the norms leave 1e-4.
const TOLERANCE: f64 = 1e-4;

macro_rules! agree {
    ($run:ident($($argument:expr),*)) => {
        let difference = worst(&$run::<f32>($($argument),*), &$run::<f64>($($argument),*));
        prop_assert!(difference < TOLERANCE, "{} differs by {difference}", stringify!($run));
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_agree(s in sizes(), side in side()) {
        agree!(convolution(s, side));
        agree!(convolution(s, [8, 8]));
        agree!(convolution(s, [1, 2]));
        agree!(convolution(s, [5, 33]));
    }

    #[test]
    fn normed_convolutions_agree(
        s in sizes(),
        side in side(),
        jvp: bool,
        rate in proptest::option::of(0.05..0.6),
    ) {
        agree!(normed_convolution(s, side, rate, jvp));
        agree!(normed_convolution(s, [8, 8], rate, jvp));
        agree!(normed_convolution(s, [3, 5], rate, jvp));
        agree!(normed_convolution(s, [7, 12], rate, jvp));
    }

    #[test]
    fn group_norms_agree(s in sizes(), side in side(), swish: bool) {
        agree!(norm(s, side, swish, false));
        agree!(norm(s, [8, 8], swish, false));
        agree!(norm(s, [3, 5], swish, false));
    }

    #[test]
    fn group_norm_jvps_agree(s in sizes(), side in side(), swish: bool) {
        agree!(norm(s, side, swish, true));
        agree!(norm(s, [8, 8], swish, true));
        agree!(norm(s, [3, 5], swish, true));
    }

    #[test]
    fn attentions_agree(s in sizes()) {
        let s = Sizes { out: s.out * 3, ..s };
        agree!(attention(s, false));
        agree!(attention(s, true));
        agree!(untaped_attention(s));
    }

    #[test]
    fn dropout_agrees(rows in 1usize..40, columns in 1usize..2000, seed: u64, rate in 0.0..0.9) {
        fn run<E: Real>(rows: usize, columns: usize, seed: u64, rate: f64) -> Vec<Vec<f64>>
        where
            Cpu: Kernels<E>,
        {
            let mut case = Case::<E>::new(seed);
            let x = case.draw((rows, columns)).leaky_traced();
            case.finish(vec![<Cpu as Kernels<E>>::dropout(x, DropoutKey { key: seed, rate })])
        }
        agree!(run(rows, columns, seed, rate));
    }
}

/// Three steps of AdamW with its moving average, and the sum of squares: each of the parameter, the moments and the average.
fn updates<E: Real>(len: usize, seed: u64, [rate, decay, scale]: [f64; 3]) -> Vec<Vec<f64>>
where
    Cpu: Kernels<E>,
{
    let mut case = Case::<E>::new(seed);
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
            decay,
            correction1: 1.0 - 0.9f64.powi(t),
            correction2: 1.0 - 0.99f64.powi(t),
            ema_decay: 0.7,
            gradient_scale: scale,
        };
        <Cpu as Kernels<E>>::adamw(&mut parameter, &gradient, &mut moments, &step);
        squares.push(<Cpu as Kernels<E>>::sum_of_squares(&gradient));
    }
    let numbers = [parameter, moments.first, moments.second, moments.ema];
    let numbers = numbers.iter().map(|x| x.as_vec().into_iter().map(Real::to64).collect());
    numbers.chain([squares]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn updates_agree(len in 1usize..40_000, seed: u64, rate in 1e-5..0.5, decay in 0.0..0.5, scale in 0.01..1.0) {
        agree!(updates(len, seed, [rate, decay, scale]));
    }
}

/// Winograd's algorithm rounds otherwise than the definition: its error, with as many channels as the paper's networks
/// have, against the definition in `f64`.
#[test]
fn convolutions_of_many_channels_agree() {
    for (channels, inputs, out) in [(64, 1, 64), (64, 2, 64), (128, 2, 128)] {
        let s = Sizes { rows: 1, channels, out, inputs, size: 3, seed: 3 };
        let difference = worst(&convolution::<f32>(s, [8, 8]), &convolution::<f64>(s, [8, 8]));
        assert!(difference < 1e-5, "{channels} x {inputs} -> {out}: {difference}");
    }
}

/// Images whose sides no tile of Winograd's divides, as wide as networks are.
#[test]
fn images_of_any_shape_agree() {
    for side in [[7, 5], [28, 28], [1, 1], [8, 16], [33, 2]] {
        for (channels, inputs) in [(32, 1), (32, 2), (32, 3), (64, 1), (64, 2), (64, 3)] {
            let rows = if side[0] * side[1] < 100 { 3 } else { 1 };
            let s = Sizes { rows, channels, out: 32, inputs, size: 3, seed: 7 };
            let plain = worst(&convolution::<f32>(s, side), &convolution::<f64>(s, side));
            assert!(plain < 1e-5, "{side:?}, {s:?}: {plain}");
            for jvp in [false, true] {
                let [fused, portable] = [
                    normed_convolution::<f32>(s, side, Some(0.1), jvp),
                    normed_convolution::<f64>(s, side, Some(0.1), jvp),
                ];
                let normed = worst(&fused, &portable);
                assert!(normed < TOLERANCE, "{side:?}, {s:?}, jvp {jvp}: {normed}");
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let s = Sizes { rows: 9, channels: 16, out: 24, inputs: 2, size: 3, seed: 5 };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(|| {
            let convolutions = (
                convolution::<f32>(s, [8, 8]),
                convolution::<f32>(Sizes { size: 1, ..s }, [8, 8]),
                normed_convolution::<f32>(s, [32, 32], Some(0.3), false),
                normed_convolution::<f32>(s, [8, 8], Some(0.3), true),
            );
            let attentions = (attention::<f32>(s, false), attention::<f32>(s, true));
            (convolutions, norm::<f32>(s, [8, 8], true, true), attentions)
        })
    };
    assert!(run(1) == run(3));
}

/// A row's numbers do not depend on the rows beside it, to the last bit.
#[test]
fn rows_do_not_depend_on_their_batch() {
    fn run(rows: usize) -> Vec<f32> {
        let device = Cpu::default();
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut draw = |len: usize| (0..len).map(|_| rng.gen_range(-1.0f32..1.0)).collect::<Vec<_>>();
        let weight = device.tensor_from_vec(draw(9 * 24 * 40), (216, 40));
        let x = draw(24 * 64);
        let others = draw(24 * 64 * (rows - 1));
        let x = device.tensor_from_vec([x, others].concat(), (rows, Const::<8>, Const::<8>, 24));
        let operator = Convolution { size: 3, weight: &weight, bias: None };
        Cpu::convolution(vec![x], &operator, None, None).as_vec()[..40 * 64].to_vec()
    }
    assert!(run(1) == run(2) && run(1) == run(13));
}
