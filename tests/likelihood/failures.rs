//! A network that fails on some rows.

use super::gaussian::{GaussianVelocity, straight};
use idode::dequantization::TruncatedNormal;
use idode::likelihood::{Evaluator, ImageStatus, ProbabilityFlow};
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::sample::Sampler;
use idode::solver::{ExplicitRk, Failure, RowStatus, Stepping, tables};
use idode::time::Uniform;

const IMAGES: [u16; 8] = [3, 4, 16, 8, 9, 9, 15, 2];

#[test]
fn rows_fail_alone_and_loudly() {
    let diffusion = straight(17);
    let network =
        |poison| GaussianVelocity { poison, ..GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]) };
    // Images 1 and 3 begin above 0.7.
    let (clean, bad, worse) = (network(f64::INFINITY), network(0.7), network(-10.0));
    let start = diffusion.level(diffusion.range().min());
    let dequantizer = TruncatedNormal::new(PixelGrid::new(17).unwrap(), start);
    let flow_of = |network, stepping| {
        ProbabilityFlow::new(network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), stepping)
    };
    for stepping in [Stepping::default(), Stepping::steps(40).unwrap()] {
        let good = Evaluator::new(flow_of(&clean, stepping.clone()));
        let good = good.bits_per_dim(&IMAGES, &dequantizer, &mut Silent).unwrap();
        assert_eq!(good.summary.failures, 0);
        let evaluator = Evaluator::new(flow_of(&bad, stepping.clone()));
        let found = evaluator.bits_per_dim(&IMAGES, &dequantizer, &mut Silent).unwrap();
        assert_eq!((found.summary.images, found.summary.failures), (2, 2));
        for (i, (record, good)) in found.records.iter().zip(&good.records).enumerate() {
            if i % 2 == 0 {
                assert_eq!(record, good);
            } else {
                assert!(record.bits_per_dim.is_nan());
                assert!(matches!(
                    record.status,
                    ImageStatus::Failed { draw: 0, reason: Failure::NonFinite, gamma, .. } if gamma == start.gamma().0
                ));
            }
        }
        let mean = 0.5 * (good.records[0].bits_per_dim + good.records[2].bits_per_dim);
        assert!((found.summary.bits_per_dim - mean).abs() < 1e-15);
    }

    // Where a draw has no value there is no noise of its probes.
    let evaluator = Evaluator::new(flow_of(&bad, Stepping::default())).with_draws(1, 2).unwrap();
    let found = evaluator.bits_per_dim(&IMAGES, &dequantizer, &mut Silent).unwrap();
    let known = found.records.iter().map(|record| record.probe_difference_nats.is_some());
    assert_eq!(known.collect::<Vec<_>>(), [true, false, true, false]);
    assert_eq!(found.probe_noise.unwrap().images, 2);

    let evaluator = Evaluator::new(ProbabilityFlow::new(&bad, &diffusion));
    let rows = evaluator.log_prob(&[0.2, 0.1, 0.9, 0.1, f64::NAN, 0.0], start.gamma()).unwrap();
    assert!(rows[0].finished() && rows[0].log_density.is_finite());
    for row in &rows[1..] {
        assert_eq!(row.report.status, RowStatus::Failed(Failure::NonFinite));
        assert!(row.log_density.is_nan());
    }

    let time = Uniform::new(diffusion.range());
    let grid = PixelGrid::new(17).unwrap();
    let vlb = evaluator.vlb(&IMAGES, grid, 16, &time, &mut Silent).unwrap();
    assert!(vlb.summary.failures >= 2 && vlb.summary.failures + vlb.summary.images == 4);

    let samples = Sampler::new(ProbabilityFlow::new(&worse, &diffusion), 0).sample(3, &mut Silent).unwrap();
    assert_eq!(samples.failures(), 3);
    assert!(samples.z().iter().all(|z| z.is_finite()));
}
