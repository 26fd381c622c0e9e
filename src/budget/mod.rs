//! The error budget of an estimate: which part of its uncertainty comes from where, and what would lower it.
//!
//! # The model
//! An estimate is the mean over `n` images of the mean over `m` draws of an image, each solved with one set of random probes.
//! A single value, the bound of image `i` from draw `j` with probes `p`, is
//!
//! ```text
//! y_ijp = mu + A_i + B_ij + C_ijp,    Var A = a (data),  Var B = b (draws of an image),  Var C = c (probes of a draw)
//! ```
//!
//! with uncorrelated effects, where `b` is the mean over images of a variance that may differ from image to image, and `c` the
//! mean over draws. Every draw of the estimate has probes of its own, so its mean has the variance
//!
//! ```text
//! a / n  +  b / (n m)  +  c / (n m):    data^2 + dequantization^2 + probe^2
//! ```
//!
//! With `K > 1` importance samples a draw is one K-sample bound, made of `K` draws of the dequantizer and `K` sets of probes: its
//! logarithm of a mean is not a mean of logarithms, so nothing is divided by `K`. What probes do to its *expectation* is no part of a
//! variance: see [`ProbeNoise`](crate::likelihood::ProbeNoise).
//!
//! # The design
//! The first images (64) are measured again with `J` (4) draws and `P` (4) sets of probes of each draw ([`Design`]), all nested and
//! balanced (`Nested`). With means `y_ij.`, `y_i..` and `y_...` over what a dot stands for, the mean squares
//!
//! ```text
//! MS_C = sum (y_ijp - y_ij.)^2 / (n J (P - 1)),       E = c
//! MS_B = P sum (y_ij. - y_i..)^2 / (n (J - 1)),       E = c + P b
//! MS_A = J P sum (y_i.. - y_...)^2 / (n - 1),         E = c + P b + J P a
//! ```
//!
//! give the unbiased `c = MS_C`, `b = (MS_B - MS_C) / P` and `a = (MS_A - MS_B) / (J P)`. A level that does not vary has one member:
//! one set of probes where the divergence is exact, one draw where nothing is drawn; its component is then exactly 0.
//!
//! The subset gives `b` and `c`. The data's part uses all `n` images: with `S^2` the variance over images of the estimate's own
//! values, `E S^2 = a + (b + c) / m`, so `a = S^2 - (b + c) / m`; then the sum of the three parts' squares is `S^2 / n`, the square of
//! the standard error that is reported anyway. An unbiased variance may come out below 0; it is then reported as 0 and named in
//! [`Budget::negative`]. Of one image `a` is not known, nor is the total.
//!
//! The solver's part is no variance: it is by how much the mean of the subset's values changes, with the same draws and probes, when
//! every tolerance is ten times smaller (or there are twice as many fixed steps). It has a sign, and stands in the total by its square.
//!
//! # Reference
//! Searle, Casella, McCulloch, "Variance Components" (Wiley, 1992): estimators of balanced nested designs.

mod measure;
mod nested;
mod parts;
mod plan;
#[cfg(test)]
mod tests;

pub use measure::{Again, Estimated, measure};
pub(crate) use nested::{Components, Nested};
pub(crate) use parts::Spread;
pub use parts::{Budget, Design};
pub(crate) use plan::{Effort, Limits, Plan, plan};
