//! The fused `f32` kernels against the portable operations in `f64`: values, gradients, derivatives along a
//! tangent, and gradients through those.

mod operations;

use dfdx::prelude::*;
use idode::tensor::*;
use operations::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `f32` rounds at 6e-8; sums of up to a few thousand terms and cancellation in the norms leave 1e-4.
const TOLERANCE: f64 = 1e-4;

macro_rules! agree {
    ($run:ident($($argument:expr),*)) => {
        let difference = worst(&$run::<f32, _>(&Cpu::default(), $($argument),*), &$run::<f64, _>(&Cpu::default(), $($argument),*));
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
        agree!(masked(rows, columns, seed, rate));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn features_agree(s in sizes(), side in side(), fading: bool, jvp: bool) {
        agree!(features(s, side, fading, jvp));
        agree!(sinusoids(s));
        agree!(chains(s, side));
    }

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
        let difference = worst(
            &convolution::<f32, _>(&Cpu::default(), s, [8, 8]),
            &convolution::<f64, _>(&Cpu::default(), s, [8, 8]),
        );
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
            let plain = worst(
                &convolution::<f32, _>(&Cpu::default(), s, side),
                &convolution::<f64, _>(&Cpu::default(), s, side),
            );
            assert!(plain < 1e-5, "{side:?}, {s:?}: {plain}");
            for jvp in [false, true] {
                let [fused, portable] = [
                    normed_convolution::<f32, _>(&Cpu::default(), s, side, Some(0.1), jvp),
                    normed_convolution::<f64, _>(&Cpu::default(), s, side, Some(0.1), jvp),
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
                convolution::<f32, _>(&Cpu::default(), s, [8, 8]),
                convolution::<f32, _>(&Cpu::default(), Sizes { size: 1, ..s }, [8, 8]),
                normed_convolution::<f32, _>(&Cpu::default(), s, [32, 32], Some(0.3), false),
                normed_convolution::<f32, _>(&Cpu::default(), s, [8, 8], Some(0.3), true),
            );
            let attentions = (
                attention::<f32, _>(&Cpu::default(), s, false),
                attention::<f32, _>(&Cpu::default(), s, true),
            );
            (convolutions, norm::<f32, _>(&Cpu::default(), s, [8, 8], true, true), attentions)
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
