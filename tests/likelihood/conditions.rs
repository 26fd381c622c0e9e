//! Rows with conditions: as if each had a network of its own.

use super::gaussian::{GaussianVelocity, straight, tight};
use idode::dequantization::TruncatedNormal;
use idode::divergence::Exact;
use idode::likelihood::{Evaluator, ProbabilityFlow, States};
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::solver::{ExplicitRk, HostState, tables};
use idode::time::Uniform;

const MEANS: [[f64; 2]; 3] = [[0.3, -0.6], [-0.2, 0.1], [0.5, 0.4]];
const VARIANCE: [f64; 2] = [0.09, 0.25];

/// Numbers that differ by rounding alone.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn a_row_with_conditions_is_one_of_a_network_that_has_them_built_in() {
    let diffusion = straight(17);
    let (from, to) = (diffusion.range().min(), diffusion.range().max());
    let network = GaussianVelocity { moved: true, ..GaussianVelocity::new(&diffusion, [0.0; 2], VARIANCE) };
    let own = MEANS.map(|mean| GaussianVelocity::new(&diffusion, mean, VARIANCE));
    let given = MEANS.concat();
    let z = [0.1, -0.2, 0.4, 0.0, -0.3, 0.9];
    for (states, batch) in [(States::Host, 1), (States::Host, 2), (States::Host, 9), (States::Device, 2)] {
        let flow = |network| {
            ProbabilityFlow::new(network, &diffusion)
                .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), tight())
                .with_batch(batch)
                .unwrap()
                .with_states(states)
        };
        let of = |network| Evaluator::new(flow(network)).with_divergence(Exact);
        let found = of(&network).with_conditioning(Some(&given)).log_prob(&z, from).unwrap();
        let start = HostState::new(2, z.to_vec()).unwrap();
        let moved = flow(&network).transport(start, from, to, Some(&given)).unwrap();
        for (row, own) in own.iter().enumerate() {
            let z = &z[2 * row..][..2];
            let alone = of(own).log_prob(z, from).unwrap()[0];
            assert_eq!(found[row].report, alone.report);
            assert!(close(found[row].log_density, alone.log_density), "{states:?} {batch}: {row}");
            let start = HostState::new(2, z.to_vec()).unwrap();
            let alone = flow(own).transport(start, from, to, None).unwrap();
            let pairs = moved.y.values()[2 * row..].iter().zip(alone.y.values());
            assert!(pairs.into_iter().all(|(a, b)| close(*a, *b)), "{states:?} {batch}: {row}");
        }
    }
}

#[test]
fn bounds_of_images_with_conditions() {
    let (diffusion, grid) = (straight(17), PixelGrid::new(17).unwrap());
    let network = GaussianVelocity { moved: true, ..GaussianVelocity::new(&diffusion, [0.0; 2], VARIANCE) };
    let own = MEANS.map(|mean| GaussianVelocity::new(&diffusion, mean, VARIANCE));
    let (given, pixels) = (MEANS.concat(), [3, 12, 7, 8, 0, 16]);
    let noise = TruncatedNormal::new(grid, diffusion.level(diffusion.range().min()));
    let time = Uniform::new(diffusion.range());
    for batch in [1, 3, 7, 64] {
        let of = |network| {
            let flow = ProbabilityFlow::new(network, &diffusion).with_batch(batch).unwrap();
            Evaluator::new(flow).with_divergence(Exact)
        };
        let found = of(&network).with_conditioning(Some(&given));
        let ode = found.bits_per_dim(&pixels, &noise, &mut Silent).unwrap().records;
        let vlb = found.vlb(&pixels, grid, 5, &time, &mut Silent).unwrap().records;
        let immse = found.immse(&pixels, grid, 5, &mut Silent).unwrap().records;
        for (row, own) in own.iter().enumerate() {
            let own = of(own);
            let exact = own.bits_per_dim(&pixels, &noise, &mut Silent).unwrap().records[row];
            assert!(close(ode[row].bits_per_dim, exact.bits_per_dim), "{batch}: {row}");
            let exact = own.vlb(&pixels, grid, 5, &time, &mut Silent).unwrap().records[row];
            assert!(close(vlb[row].bits_per_dim, exact.bits_per_dim), "{batch}: {row}");
            let exact = own.immse(&pixels, grid, 5, &mut Silent).unwrap().records[row];
            assert!(close(immse[row].bits_per_dim, exact.bits_per_dim), "{batch}: {row}");
        }
    }
}

#[test]
fn conditions_that_do_not_fit_are_refused() {
    let diffusion = straight(17);
    let network = GaussianVelocity { moved: true, ..GaussianVelocity::new(&diffusion, [0.0; 2], VARIANCE) };
    let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion));
    let from = diffusion.range().min();
    assert!(evaluator.log_prob_given(&[0.0; 4], from, Some(&[0.0; 4])).is_ok());
    let error = evaluator.log_prob_given(&[0.0; 4], from, Some(&[0.0; 6])).unwrap_err().to_string();
    assert_eq!(error, "conditioning = 6 numbers: expected 2 for each of 2 rows");
}
