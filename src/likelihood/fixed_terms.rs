//! The part of the VLB that training does not change.

use crate::data::Rows;
use crate::dequantization::{Dequantizer, Gaussian};
use crate::diffusion::Diffusion;
use crate::error::Result;
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;

/// The VLB's reconstruction and prior terms in nats per dimension, which no network changes: their mean over the first 64 rows.
///
/// Added to a step's mean first-order loss over its dimensions
/// ([`StepReport::first_order`](crate::train::StepReport::first_order)) it estimates the whole VLB. Of rows that are no images, in the
/// user's units.
///
/// # Errors
/// If the file below the rows cannot be read.
///
/// # Reference
/// The prior and reconstruction losses of arXiv 2107.00630.
pub fn fixed_terms<S: NoiseSchedule, P: Parameterization>(
    diffusion: &Diffusion<S, P>,
    rows: &Rows,
    seed: u64,
) -> Result<f64> {
    const ROWS: usize = 64;
    let (start, dims) = (diffusion.range().min(), rows.shape().dims());
    let first = rows.first(seed, ROWS)?;
    let (terms, numbers) = match rows {
        Rows::Images(images) => {
            let grid = images.source().grid();
            let dequantizer = Gaussian::new(grid, diffusion.level(start));
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(u64::MAX - 1);
            let pixels = first.levels.unwrap_or_default();
            let terms = pixels.chunks_exact(dims).map(|row| {
                diffusion.prior_kl(&grid.centres(row)) - dequantizer.draw(row, &mut rng).log_decoder
            });
            (terms.sum::<f64>(), pixels.len())
        }
        Rows::Table(table) => {
            let reconstruction = 0.5 * dims as f64 * (1.0 + TAU.ln() + start.0);
            let terms = first.x.chunks_exact(dims).map(|row| diffusion.prior_kl(row) + reconstruction);
            (terms.map(|nats| nats - table.schema.log_units()).sum::<f64>(), first.x.len())
        }
    };
    Ok(terms / numbers as f64)
}
