//! Probing by blocks of pixels that are far from each other.

use super::directions::signs;
use super::{Divergence, Jacobian, ProbeSeed, Trace, for_each_form};
use crate::error::{Error, Result};

/// The sum over blocks of `v_b^T (dF/dz) v_b`, with random signs on the coordinates of block `b` and 0 elsewhere.
///
/// A block holds the pixels whose row and column agree modulo the stride `s`, in one channel: `s^2` products a channel. Unbiased
/// for every Jacobian, since different signs of a block are independent, and only pairs of coordinates of one
/// block add variance: neighbours, which a network of images couples most, are never such a pair. With a stride of the
/// image's side every block is one coordinate, and the trace is exact. The signs are drawn once per row and solve.
///
/// # Reference
/// Tang and Saad, Numer. Linear Algebra Appl. 19 (2012) 485-501; with random signs and hierarchical colourings:
/// Stathopoulos, Laeuchli and Orginos, arXiv 1302.4018.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    width: usize,
    channels: usize,
    /// Down and across.
    strides: [usize; 2],
    is_exact: bool,
}

impl Blocks {
    /// Blocks of images of `[height, width, channels]`, row-major, whose pixels are `stride` apart, or the image's side if
    /// that is less.
    ///
    /// # Errors
    /// When the stride or a side is 0.
    pub fn of_images([height, width, channels]: [usize; 3], stride: usize) -> Result<Self> {
        let sides = [("stride", stride), ("height", height), ("width", width), ("channels", channels)];
        if let Some((name, _)) = sides.iter().find(|(_, size)| *size == 0) {
            return Err(Error::value(*name, 0, "at least 1"));
        }
        let strides = [height.min(stride), width.min(stride)];
        Ok(Self { width, channels, strides, is_exact: strides == [height, width] })
    }

    /// How far apart the pixels of a block are.
    pub fn stride(&self) -> usize {
        self.strides[0].max(self.strides[1])
    }

    /// The number of blocks, which is that of products an evaluation.
    pub fn blocks(&self) -> usize {
        self.strides[0] * self.strides[1] * self.channels
    }

    /// The block of a coordinate.
    fn block(&self, coordinate: usize) -> usize {
        let (pixel, channel) = (coordinate / self.channels, coordinate % self.channels);
        let [down, across] = self.strides;
        let (y, x) = (pixel / self.width % down, pixel % self.width % across);
        (y * across + x) * self.channels + channel
    }

    /// A solve whose rows have these signs, `rows x dims`.
    pub(super) fn with_signs(&self, dims: usize, signs: Vec<f64>) -> Signed {
        Signed { blocks: self.blocks(), of: (0..dims).map(|i| self.block(i)).collect(), signs }
    }
}

impl Divergence for Blocks {
    fn begin(&self, dims: usize, seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(self.with_signs(dims, signs(dims, 1, seeds)))
    }

    /// For images of its own shape.
    fn is_exact(&self) -> bool {
        self.is_exact
    }
}

/// The signs of one solve.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    blocks: usize,
    /// The block of each coordinate.
    pub(super) of: Vec<usize>,
    /// `rows x dims`.
    signs: Vec<f64>,
}

impl Trace for Signed {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        let (blocks, dims) = (self.blocks, self.of.len());
        let mut traces = vec![0.0; rows.len()];
        let tangent = |pair: usize, tangent: &mut [f64]| {
            let signs = &self.signs[rows[pair / blocks] * dims..];
            for ((to, sign), block) in tangent.iter_mut().zip(signs).zip(&self.of) {
                *to = if *block == pair % blocks { *sign } else { 0.0 };
            }
            pair / blocks
        };
        for_each_form(jacobian, rows.len() * blocks, tangent, |pair, form| traces[pair / blocks] += form);
        traces
    }

    fn renew(&mut self, rows: &[usize], seeds: &[ProbeSeed]) {
        let dims = self.of.len();
        for (&row, own) in rows.iter().zip(signs(dims, 1, seeds).chunks_exact(dims.max(1))) {
            self.signs[row * dims..][..dims].copy_from_slice(own);
        }
    }
}
