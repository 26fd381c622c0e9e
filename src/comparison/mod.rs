//! Whether one run is better than another: differences of likelihoods, with their standard errors.
//!
//! Images differ in likelihood far more than models do, so a difference of two means says little beside the standard
//! errors of the means. Measured on the same images, the models' values `a_i` and `b_i` of image `i` are taken from each
//! other first:
//!
//! ```text
//! d_i = b_i - a_i,    mean(d) = mean(b) - mean(a),    paired standard error = sd(d) / sqrt(n)
//! ```
//!
//! beside which the unpaired one, `sqrt((sd(a)^2 + sd(b)^2) / n)`, is what the means alone would give. Both are over images, with
//! `n - 1` in `sd`; what a run's own draws and probes add is in them, as every image has its own. An image that has no value in
//! one of the runs is left out of both, and counted.
//!
//! Unlike numbers are refused, in one line that has both sides. Unlike are: two splits; data that differ in any part of the
//! fingerprint (grey levels, shape, number of images, hash); other images of the same data; two bounds; two numbers of importance
//! samples or of conditions; two units. [`Reference`]s are published figures under the same rules.

mod measured;
mod paired_difference;
mod reference;

pub use measured::{Bound, Measured, Unit};
pub use paired_difference::{Comparison, PairedDifference, ReferenceDifference};
pub use reference::Reference;

#[cfg(test)]
mod tests;
