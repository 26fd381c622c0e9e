//! Sizes known to the compiler, known at run time, and behind an object: the same network, to the last bit.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use idode::nn::{
    Attention, Checkpointed, Counted, DynNetwork, DynamicMlp, DynamicUNet, FadingFourier, Mlp, MlpConfig,
    ModeNetwork, Network, Operations, Parameters, Pass, Portable, SecondJvp, StaticMlp, StaticUNet, UNet,
    UNetConfig,
};
use idode::tensor::{Dual, Kernels, Real};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Everything that a network gives.
struct Answers {
    /// The bytes of each answer, by name.
    bytes: Vec<(String, Vec<u8>)>,
    operations: Operations,
    /// What the generator of a training pass draws next.
    next_draw: u64,
}

fn parts<X>(x: Dual<X>) -> [X; 2] {
    [x.value, x.tangent]
}

/// Values and both derivatives; with a tape and dropout the gradients of the input and of every parameter too.
fn answers<E: Real, N>(network: &N) -> Answers
where
    Cpu: Kernels<E>,
    N: SecondJvp<E, Cpu> + Parameters<E, Cpu> + Counted<E, Cpu>,
{
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (times, conditioning) = ([0.2, 0.5, 0.9], [0.0, 1.0, 0.3, 0.0, -1.0, 0.5]);
    let shape = network.batch(times.len());
    let mut draw = || {
        let numbers = (0..shape.num_elements()).map(|_| E::of(rng.gen_range(-1.0..1.0)));
        network.device().upload(&numbers.collect::<Vec<E>>(), shape)
    };
    let [z, v, w, u] = [(); 4].map(|()| draw());
    let mut bytes = Vec::new();
    let mut add = |name: String, numbers: &[E]| bytes.push((name, E::to_bytes(numbers)));

    let pass = || Pass::eval(&times).with_conditioning(Some(&conditioning));
    let both = Dual::new(Dual::new(z.clone(), v.clone()), Dual::new(w.clone(), u.clone()));
    add("value".into(), &network.forward(z.clone(), &mut pass()).as_vec());
    let y = network.jvp(both.value.clone(), &mut pass());
    add("derivative".into(), &parts(y).map(|y| y.as_vec()).concat());
    let y = network.second_jvp(both, &mut pass());
    let y = parts(y).map(|y| parts(y).map(|y| y.as_vec()).concat());
    add("second derivative".into(), &y.concat());

    let mut keys = ChaCha8Rng::seed_from_u64(11);
    let traced = |x: &Tensor<N::Batch, E, Cpu>| x.retaped::<OwnedTape<E, Cpu>>();
    for order in 0..3 {
        let mut pass = Pass::train(&times, &mut keys).with_conditioning(Some(&conditioning));
        let first = Dual::new(z.leaky_trace(), traced(&v));
        let outputs = match order {
            0 => vec![network.forward(z.leaky_trace(), &mut pass)],
            1 => parts(network.jvp(first, &mut pass)).into(),
            _ => {
                let second = Dual::new(traced(&w), traced(&u));
                let y = network.second_jvp(Dual::new(first, second), &mut pass);
                parts(y).map(parts).into_iter().flatten().collect()
            }
        };
        for (i, y) in outputs.iter().enumerate() {
            add(format!("taped {order}, output {i}"), &y.as_vec());
        }
        let losses = outputs.into_iter().map(|y| y.square().sum::<Rank0, _>());
        let mut gradients = losses.reduce(|a, b| a + b).unwrap().backward();
        add(format!("taped {order}, input"), &gradients.get(&z).as_vec());
        network.clone().parameters("", &mut |name, _, parameter| {
            add(format!("taped {order}, {name}"), &parameter.gradient(&mut gradients).as_vec());
        });
    }
    Answers { bytes, operations: network.operations(), next_draw: keys.r#gen() }
}

#[track_caller]
fn same(what: &str, a: &Answers, b: &Answers) {
    assert_eq!(a.bytes.len(), b.bytes.len(), "{what}");
    for ((name, a), (other, b)) in a.bytes.iter().zip(&b.bytes) {
        assert_eq!(name, other, "{what}");
        assert!(a == b, "{what}: {name}");
    }
    assert_eq!(a.operations, b.operations, "{what}");
    assert_eq!(a.next_draw, b.next_draw, "{what}");
}

/// Moves every parameter, so that no layer is left at its start of zeros.
fn moved<E: Real, N: Parameters<E, Cpu>>(mut network: N) -> N
where
    Cpu: Kernels<E>,
{
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    network.parameters("", &mut |_, _, parameter| {
        let numbers = parameter.numbers().into_iter();
        parameter.replace(numbers.map(|x| x + E::of(rng.gen_range(-0.1..0.1))).collect());
    });
    network
}

fn unet_config() -> UNetConfig {
    UNetConfig {
        blocks: 1,
        attention: Attention::EveryBlock,
        conditions: 2,
        dropout: 0.2,
        fourier: vec![0, 2],
        fading: Some([-8.0, 5.0]),
        checkpoint: false,
    }
}

fn unet<E: Real, H: Dim, W: Dim, C: Dim, WIDTH: Dim>(
    image: (H, W, C),
    width: WIDTH,
    config: &UNetConfig,
) -> UNet<H, W, C, WIDTH, E, Cpu>
where
    Cpu: Kernels<E>,
{
    moved(UNet::sized(image, width, config, &Cpu::default(), &mut ChaCha8Rng::seed_from_u64(5)).unwrap())
}

fn mlp<E: Real, N: Dim, WIDTH: Dim>(dims: N, width: WIDTH) -> Mlp<N, WIDTH, E, Cpu>
where
    Cpu: Kernels<E>,
{
    let fourier = Some(FadingFourier { exponents: vec![0, 2], gamma: [-8.0, 5.0] });
    let config = MlpConfig { blocks: 2, conditions: 2, fourier };
    moved(Mlp::sized(dims, width, &config, &Cpu::default(), &mut ChaCha8Rng::seed_from_u64(5)).unwrap())
}

fn sizes_agree<E: Real>()
where
    Cpu: Kernels<E>,
{
    let config = unet_config();
    let known = answers(&unet::<E, _, _, _, _>((Const::<5>, Const::<3>, Const::<2>), Const::<32>, &config));
    same("a U-Net", &known, &answers(&unet::<E, _, _, _, _>((5, 3, 2), 32, &config)));
    let mixed = unet::<E, _, _, _, _>((5, Const::<3>, 2), Const::<32>, &config);
    same("a U-Net of which some is known", &known, &answers(&mixed));
    let again = UNetConfig { checkpoint: true, ..config };
    same("a U-Net, checkpointed", &known, &answers(&unet::<E, _, _, _, _>((5, 3, 2), 32, &again)));
    let known = answers(&mlp::<E, _, _>(Const::<3>, Const::<16>));
    same("an MLP", &known, &answers(&mlp::<E, _, _>(3, 16)));
    same("an MLP of which some is known", &known, &answers(&mlp::<E, _, _>(3, Const::<16>)));
}

#[test]
fn sizes_of_the_compiler_and_of_run_time_give_the_same_bits() {
    sizes_agree::<f32>();
    sizes_agree::<f64>();
}

fn objects_agree<E: Real, N>(what: &str, network: &N)
where
    Cpu: Kernels<E>,
    N: ModeNetwork<E, Cpu> + Parameters<E, Cpu> + 'static,
{
    let own = answers::<E, _>(network);
    let dynamic = DynNetwork::new(network.clone());
    assert_eq!(Network::dims(&dynamic), Network::dims(network));
    assert_eq!(Network::conditions(&dynamic), 2);
    same(what, &own, &answers(&dynamic));
    same(what, &own, &answers(&DynNetwork::new(Checkpointed(network.clone()))));
    same(what, &own, &answers(&Checkpointed(dynamic.clone())));
    same(what, &own, &answers(&DynNetwork::new(dynamic)));
    let portable = Portable(network.clone());
    same(what, &answers(&portable), &answers(&DynNetwork::new(portable)));
}

#[test]
fn a_network_behind_an_object_gives_the_same_bits() {
    let (image, config) = ((Const::<5>, Const::<3>, Const::<2>), unet_config());
    let again = UNetConfig { checkpoint: true, ..unet_config() };
    objects_agree("f32 U-Net", &unet::<f32, _, _, _, _>(image, Const::<32>, &config));
    objects_agree("f64 U-Net", &unet::<f64, _, _, _, _>((5, 3, 2), 32, &config));
    objects_agree("f32 U-Net, checkpointed", &unet::<f32, _, _, _, _>((5, 3, 2), 32, &again));
    objects_agree("f32 MLP", &mlp::<f32, _, _>(Const::<3>, Const::<16>));
    objects_agree("f64 MLP", &mlp::<f64, _, _>(3, 16));
}

/// A clone shares what it holds until one of the two is written.
#[test]
fn clones_of_an_object_part_when_one_is_written() {
    let numbers = |network: &DynNetwork<f32, Cpu>| {
        let mut numbers = Vec::new();
        network.clone().parameters("", &mut |_, _, parameter| numbers.extend(parameter.numbers()));
        numbers
    };
    let network = DynNetwork::new(mlp::<f32, _, _>(3, 16));
    let (before, changed) = (numbers(&network), moved(network.clone()));
    assert!(numbers(&network) == before);
    assert!(numbers(&changed) != before);
}

#[test]
#[should_panic(expected = "a network behind an object has no mode")]
fn another_mode_around_an_object_is_said_so() {
    let network = DynNetwork::new(mlp::<f32, _, _>(3, 16));
    answers(&Portable(network));
}

#[test]
fn sizes_that_cannot_be_are_refused_in_one_line() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut unet = |image: (usize, usize, usize), width: usize| {
        let built = DynamicUNet::<f32, Cpu>::sized(image, width, &unet_config(), &Cpu::default(), &mut rng);
        built.unwrap_err().to_string()
    };
    let groups = "expected a multiple of 32, the groups of group norm";
    assert_eq!(unet((8, 8, 1), 48), format!("network.width = 48: {groups}"));
    assert_eq!(unet((8, 8, 1), 0), format!("network.width = 0: {groups}"));
    for (image, sides) in [((0, 8, 1), "[0, 8, 1]"), ((8, 0, 1), "[8, 0, 1]"), ((8, 8, 0), "[8, 8, 0]")] {
        let expected = "expected height, width and channels of at least 1";
        assert_eq!(unet(image, 32), format!("shape of an image = {sides}: {expected}"));
    }
    let mut mlp = |dims: usize, width: usize| {
        let config = MlpConfig::default();
        let built = DynamicMlp::<f32, Cpu>::sized(dims, width, &config, &Cpu::default(), &mut rng);
        built.unwrap_err().to_string()
    };
    assert_eq!(mlp(0, 16), "dimensions of a row = 0: expected at least 1");
    assert_eq!(mlp(3, 0), "network.width = 0: expected at least 1");
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    assert!(StaticUNet::<0, 8, 1, 32, f32, Cpu>::new(&unet_config(), &Cpu::default(), &mut rng).is_err());
    assert!(StaticMlp::<0, 8, f32, Cpu>::new(&MlpConfig::default(), &Cpu::default(), &mut rng).is_err());
}

#[test]
#[should_panic(expected = "a batch of another shape than the network's")]
fn images_of_another_size_are_not_taken() {
    let config = UNetConfig { blocks: 1, ..Default::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let device = Cpu::default();
    let network: DynamicUNet<f32, Cpu> = UNet::sized((4, 4, 1), 32, &config, &device, &mut rng).unwrap();
    network.forward(
        device.zeros_like(&(2, 4, 5, 1)),
        &mut Pass::eval(&[0.5, 0.5]).with_conditioning(Some(&[0.0; 2])),
    );
}
