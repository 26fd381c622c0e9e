//! Checkpoints: the gradients of what is run again are those of what was kept, bit for bit.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use idode::nn::{Checkpointed, Jvp, Parameters, Pass, ResidualBlock, StaticUNet, UNetConfig};
use idode::tensor::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Images = ImageBatch<Const<8>, Const<8>, Const<32>>;
type Image<E> = Tensor<Images, E, Cpu>;
type Taped<S, E> = Tensor<S, E, Cpu, OwnedTape<E, Cpu>>;

fn draw<S: Shape, E: Real>(shape: S, rng: &mut ChaCha8Rng) -> Tensor<S, E, Cpu>
where
    Cpu: Kernels<E>,
{
    let numbers = (0..shape.num_elements()).map(|_| E::of(rng.gen_range(-1.0f32..1.0).into())).collect();
    Cpu::default().tensor_from_vec(numbers, shape)
}

/// Moves every parameter, so that no layer is left at its start of zeros.
fn shake<E: Real>(part: &mut impl Parameters<E, Cpu>, rng: &mut ChaCha8Rng)
where
    Cpu: Kernels<E>,
{
    part.parameters("", &mut |_, _, parameter| {
        let moves = draw((parameter.numbers().len(),), rng).as_vec();
        let moved = parameter.numbers().into_iter().zip(moves).map(|(x, by)| x + by * E::of(0.1));
        parameter.replace(moved.collect());
    });
}

/// The gradient of every parameter.
fn collect<E: Real>(
    part: &impl Parameters<E, Cpu>,
    mut gradients: Gradients<E, Cpu>,
) -> impl Iterator<Item = Vec<E>>
where
    Cpu: Kernels<E>,
{
    let mut found = Vec::new();
    part.clone().parameters("", &mut |_, _, parameter| {
        found.push(parameter.gradient(&mut gradients).as_vec());
    });
    found.into_iter()
}

/// What a block is made of and given.
struct Problem<E: Real>
where
    Cpu: Kernels<E>,
{
    block: ResidualBlock<Const<32>, E, Cpu>,
    inputs: Vec<Image<E>>,
    tangents: Vec<Image<E>>,
    time: Tensor<(usize, usize), E, Cpu>,
}

impl<E: Real> Problem<E>
where
    Cpu: Kernels<E>,
{
    fn new(inputs: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut block = ResidualBlock::new(inputs, Const, 0.3, &Cpu::default(), &mut rng);
        shake(&mut block, &mut rng);
        let mut images = || (0..inputs).map(|_| draw((3, Const, Const, Const), &mut rng)).collect();
        Self { block, inputs: images(), tangents: images(), time: draw((3, 128), &mut rng) }
    }

    /// The output, and every gradient of a function of the outputs of two blocks and of an input.
    fn run<M: Mode<E, Cpu, Tape = OwnedTape<E, Cpu>>>(
        &self,
        checkpointed: bool,
        activation: impl Fn(&Image<E>, &Image<E>) -> M::Of<Images>,
        tensors: impl Fn(M::Of<Images>) -> Vec<Taped<Images, E>>,
    ) -> Vec<Vec<E>> {
        let times = [0.1, 0.5, 0.9];
        let mut keys = ChaCha8Rng::seed_from_u64(5);
        let mut pass = Pass::train(&times, &mut keys);
        let time = self.time.retaped();
        let inputs: Vec<_> = self.inputs.iter().zip(&self.tangents).map(|(x, v)| activation(x, v)).collect();
        // The first input is used beside the blocks too, before and after them.
        let before = M::square(M::share(&inputs[0]));
        let mut after = M::share(&inputs[0]);
        for _ in 0..2 {
            let own = inputs.iter().map(M::share).collect();
            let y = match checkpointed {
                true => self.block.apply_checkpointed::<M, Const<8>, Const<8>>(own, &time, &mut pass),
                false => self.block.apply::<M, Const<8>, Const<8>>(own, &time, &mut pass),
            };
            after = M::mul(after, y);
        }
        let outputs = tensors(M::add(before, after));
        let mut found: Vec<Vec<E>> = outputs.iter().map(|y| y.as_vec()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let terms = outputs.into_iter().map(|y| {
            let weights = draw(*y.shape(), &mut rng);
            (y * weights).sum::<Rank0, _>()
        });
        let gradients = terms.reduce(|a, b| a + b).unwrap().backward();
        found.extend(self.inputs.iter().map(|x| gradients.get(x).as_vec()));
        found.push(gradients.get(&self.time).as_vec());
        found.extend(collect(&self.block, gradients));
        found
    }
}

fn blocks_agree<E: Real>()
where
    Cpu: Kernels<E>,
{
    type P<E> = Plain<OwnedTape<E, Cpu>>;
    type F<E> = Forward<P<E>>;
    for inputs in [1, 2] {
        let problem = Problem::<E>::new(inputs);
        let plain = |checkpointed| problem.run::<P<E>>(checkpointed, |x, _| x.leaky_trace(), |y| vec![y]);
        assert!(plain(true) == plain(false), "values, {inputs} inputs");
        let forward = |checkpointed| {
            let dual = |x: &Image<E>, v: &Image<E>| Dual::new(x.leaky_trace(), v.retaped());
            problem.run::<F<E>>(checkpointed, dual, |y| vec![y.value, y.tangent])
        };
        assert!(forward(true) == forward(false), "values and tangents, {inputs} inputs");
        assert!(forward(true) != plain(true));
    }
}

#[test]
fn blocks_with_dropout_agree_in_both_modes() {
    blocks_agree::<f32>();
    blocks_agree::<f64>();
}

/// The loss, its gradients, and the next draw of the generator.
fn network_run<E: Real, N>(network: &N, z: &Tensor<N::Batch, E, Cpu>, jvp: bool) -> (Vec<Vec<E>>, u64)
where
    Cpu: Kernels<E>,
    N: Jvp<E, Cpu> + Parameters<E, Cpu>,
{
    let mut keys = ChaCha8Rng::seed_from_u64(11);
    let (times, conditioning) = ([0.2, 0.7], [0.0, 1.0]);
    let mut pass = Pass::train(&times, &mut keys).with_conditioning(Some(&conditioning));
    let y = if jvp {
        let v = z.clone().square();
        let y = network.jvp(Dual::new(z.leaky_trace(), v.retaped()), &mut pass);
        y.value + y.tangent
    } else {
        network.forward(z.leaky_trace(), &mut pass)
    };
    let mut found = vec![y.as_vec()];
    let gradients = y.square().sum::<Rank0, _>().backward();
    found.push(gradients.get(z).as_vec());
    found.extend(collect(network, gradients));
    (found, keys.r#gen())
}

#[test]
fn whole_networks_agree_and_draw_the_same() {
    fn check<E: Real>()
    where
        Cpu: Kernels<E>,
    {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let config =
            UNetConfig { blocks: 1, dropout: 0.2, fading: Some([-8.0, 4.0]), ..UNetConfig::default() };
        let mut network = StaticUNet::<8, 8, 3, 32, E, Cpu>::new(&config, &Cpu::default(), &mut rng).unwrap();
        shake(&mut network, &mut rng);
        let z = draw((2, Const, Const, Const), &mut rng);
        for jvp in [false, true] {
            let kept = network_run(&network, &z, jvp);
            let again = network_run(&Checkpointed(network.clone()), &z, jvp);
            assert!(kept == again, "jvp {jvp}");
            let twice = network_run(&Checkpointed(Checkpointed(network.clone())), &z, jvp);
            assert!(kept == twice, "twice, jvp {jvp}");
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn portable_convolutions_agree_with_kept_patches() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let shape = (2, Const::<5>, Const::<3>, 4);
    let inputs = [draw::<_, f64>(shape, &mut rng), draw(shape, &mut rng)];
    let weight: Tensor<(usize, usize), f64, Cpu> = draw((9 * 8, 6), &mut rng);
    let run = |kept: bool| {
        let taped: Vec<Taped<_, f64>> = inputs.iter().map(|x| x.leaky_trace()).collect();
        let y = if kept {
            let patches = portable::patches(taped, 3);
            patches.matmul(weight.clone()).reshape_like(&(2, Const::<5>, Const::<3>, 6))
        } else {
            let operator = Convolution { size: 3, weight: &weight, bias: None };
            portable::convolution(taped, &operator, None, None)
        };
        let value = y.as_vec();
        let gradients = y.square().sum::<Rank0, _>().backward();
        let of = |x: &Tensor<_, f64, Cpu>| gradients.get(x).as_vec();
        [value, of(&inputs[0]), of(&inputs[1]), gradients.get(&weight).as_vec()]
    };
    assert!(run(true) == run(false));
}
