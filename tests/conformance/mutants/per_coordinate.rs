//! Broken dequantizers of single coordinates.

use super::{Mutant, mutants};
use idode::dequantization::{PerCoordinate, TruncatedNormal};
use idode::level::{Gamma, Level};
use idode::pixels::PixelGrid;
use idode::schedule::{NoiseSchedule, VariancePreserving};
use idode::testkit::Verdict;
use idode::testkit::per_coordinate::Subject;
use rand::RngCore;
use std::fmt;

fn grid() -> PixelGrid {
    PixelGrid::new(17).unwrap()
}

fn inner() -> TruncatedNormal {
    TruncatedNormal::new(grid(), VariancePreserving.level(Gamma(-6.4)))
}

/// Truncated-normal noise, but for what its functions do.
struct Broken {
    draw: fn(u16, f64) -> f64,
    log_density: fn(f64) -> f64,
    entropy: fn(f64) -> f64,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broken")
    }
}

impl PerCoordinate for Broken {
    fn start(&self) -> Level {
        inner().start()
    }
    fn draw_one(&self, k: u16, rng: &mut dyn RngCore) -> f64 {
        (self.draw)(k, inner().draw_one(k, rng))
    }
    fn log_density(&self, k: u16, z: f64) -> f64 {
        (self.log_density)(inner().log_density(k, z))
    }
    fn entropy_per_dim(&self) -> f64 {
        (self.entropy)(inner().entropy_per_dim())
    }
}

fn sound() -> Broken {
    Broken { draw: |_, z| z, log_density: |log_q| log_q, entropy: |nats| nats }
}

fn verdict(broken: &Broken, law: &dyn Fn(&Subject<'_>) -> Verdict) -> Verdict {
    law(&Subject { dequantizer: broken, grid: grid() })
}

#[test]
fn the_unbroken_one_passes() -> Verdict {
    verdict(&sound(), &idode::testkit::per_coordinate::all)
}

pub(super) fn mutants() -> Vec<Mutant> {
    mutants! { per_coordinate, verdict;
        normalized: "one in a million too much" => Broken { log_density: |log_q| log_q + 1e-6, ..sound() };
        normalized: "the mass that the cut leaves is forgotten" => Broken {
            log_density: |log_q| log_q + inner().mass().ln(),
            ..sound()
        };
        entropy: "of the normal that is not cut" => Broken {
            entropy: |_| 0.5 * (1.0 + idode::math::LN_2_PI) + inner().start().log_sigma(),
            ..sound()
        };
        support: "draws beyond the cut" => Broken {
            draw: |k, z| {
                let middle = inner().start().alpha() * grid().centre(k);
                middle + 1.1 * (z - middle)
            },
            ..sound()
        };
        support: "the bin of the next level" => Broken {
            draw: |_, z| z + inner().start().alpha() * grid().bin_width(),
            log_density: |_| 0.0,
            ..sound()
        };
    }
}
