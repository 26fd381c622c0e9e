//! 3x3 convolution with four times fewer multiplications than its definition: Winograd's F(4x4, 3x3).
//!
//! An output tile of 4x4 positions is `Y = A^T [(G g G^T) * (B^T d B)] A`, with `d` the 6x6 inputs that it sees,
//! `g` the taps and `*` element by element: 36 products where the definition has 144. Summed over channels they are
//! 36 matrix products over all tiles. The interpolation points are 0, `a`, `-a`, `1/a`, `-1/a` and infinity with
//! `a^2 = 1/2`: so close to each other that the error in `f32` is that of the definition summed in order, while
//! the usual 0, 1, -1, 2, -2 lose a factor of five.
//!
//! The algorithm is linear in `d` and in `g`, so its transposes are the two backward passes: with
//! `E = A gY A^T`, `gU = sum over tiles of V^T E`, `gg = G^T gU G`, and `gd = B (E U^T) B^T`.
//!
//! # Reference
//! Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (arXiv 1509.09308), section 4; on
//! points: Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution" (arXiv 1803.10986).

use super::micro::{PAD, Product, padded};
use super::points::{
    IN, OUT, both_sides_of_inputs, both_sides_of_outputs, input_map, input_transpose, output_map,
    output_transpose,
};
use pulp::{Simd, WithSimd};

/// The products of a tile and a pair of channels.
pub(super) const POINTS: usize = IN * IN;
/// Bytes of the blocks of transformed tiles that are worked on at once: they stay in the second-level cache.
const BLOCK_BYTES: usize = 640 << 10;

/// The sizes of a convolution over images of one shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) height: usize,
    pub(super) width: usize,
    /// The channels of all inputs.
    pub(super) channels: usize,
    pub(super) out: usize,
}

/// Several images side by side in memory, with this many channels.
pub(super) type Images<'a> = (&'a [f32], usize);

impl Sizes {
    fn across(self) -> usize {
        self.width.div_ceil(OUT)
    }

    /// The tiles of an image.
    pub(super) fn tiles(self) -> usize {
        self.height.div_ceil(OUT) * self.across()
    }

    /// The tiles that are worked on at once.
    pub(super) fn block(self) -> usize {
        let each = POINTS * size_of::<f32>() * (padded(self.channels) + padded(self.out));
        (BLOCK_BYTES / each / 8 * 8).clamp(8, 64)
    }

    /// The numbers of a block of transformed inputs and of one of transformed outputs.
    pub(super) fn block_lens(self) -> [usize; 2] {
        [self.channels, self.out].map(|channels| POINTS * self.plane(channels))
    }

    /// From one of a block's matrices to the next: a cache line more than it holds, since a cache can keep few lines
    /// whose addresses differ by a power of two.
    pub(super) fn plane(self, channels: usize) -> usize {
        self.block() * padded(channels) + PAD
    }

    /// The offsets, in numbers, of the positions of a square of a tile of `channels` channels, or `outside` for those
    /// outside the image. The square has `SIDE` positions a side and starts `reach` before the tile.
    #[inline(always)]
    fn square<const SIDE: usize>(self, tile: usize, reach: usize, channels: usize) -> [[usize; SIDE]; SIDE] {
        let (image, tile) = (tile / self.tiles(), tile % self.tiles());
        let (top, left) = (tile / self.across() * OUT, tile % self.across() * OUT);
        let mut offsets = [[OUTSIDE; SIDE]; SIDE];
        for (i, line) in offsets.iter_mut().enumerate() {
            for (j, offset) in line.iter_mut().enumerate() {
                let (y, x) = ((top + i).wrapping_sub(reach), (left + j).wrapping_sub(reach));
                if y < self.height && x < self.width {
                    *offset = ((image * self.height + y) * self.width + x) * channels;
                }
            }
        }
        offsets
    }
}

/// The offset of a position that is not in the image.
const OUTSIDE: usize = usize::MAX;

/// A vector of the numbers at `x`, as many as there are, and zeros after them.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, x: &[f32]) -> S::f32s {
    match S::as_simd_f32s(x) {
        ([first, ..], _) => *first,
        ([], rest) => simd.partial_load_f32s(rest),
    }
}

/// Writes as many numbers as `x` takes.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, x: &mut [f32], value: S::f32s) {
    match S::as_mut_simd_f32s(x) {
        ([first, ..], _) => *first = value,
        ([], rest) => simd.partial_store_f32s(rest, value),
    }
}

/// `V = B^T d B` of these tiles, no more than a block has, to `v`, which has `POINTS` matrices `tiles x padded channels`.
pub(super) struct Inputs<'a> {
    pub(super) sizes: Sizes,
    pub(super) inputs: &'a [Images<'a>],
    pub(super) tiles: std::ops::Range<usize>,
    pub(super) v: &'a mut [f32],
}

impl WithSimd for Inputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, inputs, tiles, v } = self;
        let (line, plane) = (padded(sizes.channels), sizes.plane(sizes.channels));
        assert!(v.len() >= POINTS * plane && tiles.len() <= sizes.block());
        for (t, tile) in tiles.enumerate() {
            let mut before = 0;
            for (x, channels) in inputs {
                let offsets = sizes.square::<IN>(tile, 1, *channels);
                for c in (0..*channels).step_by(S::F32_LANES) {
                    let lanes = (channels - c).min(S::F32_LANES);
                    let start = t * line + before + c;
                    both_sides_of_inputs(
                        #[inline(always)]
                        |d| input_map(simd, d),
                        #[inline(always)]
                        |i, j| match offsets[i][j] {
                            OUTSIDE => simd.splat_f32s(0.0),
                            offset => load(simd, &x[offset + c..][..lanes]),
                        },
                        #[inline(always)]
                        |i, j, d| store(simd, &mut v[(i * IN + j) * plane + start..][..lanes], d),
                    );
                }
                before += channels;
            }
        }
    }
}

/// `gd += B V B^T`, the transpose of [`Inputs`].
#[inline(always)]
pub(super) fn add_inputs<S: Simd>(
    simd: S,
    sizes: Sizes,
    inputs: &mut [(&mut [f32], usize)],
    tiles: std::ops::Range<usize>,
    v: &[f32],
) {
    let (line, plane) = (padded(sizes.channels), sizes.plane(sizes.channels));
    assert!(v.len() >= POINTS * plane && tiles.len() <= sizes.block());
    for (t, tile) in tiles.enumerate() {
        let mut before = 0;
        for (x, channels) in inputs.iter_mut() {
            let offsets = sizes.square::<IN>(tile, 1, *channels);
            for c in (0..*channels).step_by(S::F32_LANES) {
                let lanes = (*channels - c).min(S::F32_LANES);
                let start = t * line + before + c;
                both_sides_of_inputs(
                    #[inline(always)]
                    |v| input_transpose(simd, v),
                    #[inline(always)]
                    |i, j| load(simd, &v[(i * IN + j) * plane + start..][..lanes]),
                    #[inline(always)]
                    |i, j, d| {
                        if offsets[i][j] != OUTSIDE {
                            let x = &mut x[offsets[i][j] + c..][..lanes];
                            let sum = simd.add_f32s(load(simd, x), d);
                            store(simd, x, sum);
                        }
                    },
                );
            }
            before += *channels;
        }
    }
}

/// `Y = A^T M A` plus a term per image and channel and, perhaps, a residual. The tiles are those of [`Inputs`].
#[inline(always)]
pub(super) fn transform_outputs<S: Simd>(
    simd: S,
    sizes: Sizes,
    m: &[f32],
    tiles: std::ops::Range<usize>,
    (terms, residual): (Option<&[f32]>, Option<&[f32]>),
    y: &mut [f32],
) {
    let (out, line, plane) = (sizes.out, padded(sizes.out), sizes.plane(sizes.out));
    assert!(m.len() >= POINTS * plane && tiles.len() <= sizes.block());
    for (t, tile) in tiles.enumerate() {
        let offsets = sizes.square::<OUT>(tile, 0, out);
        let image = tile / sizes.tiles();
        for c in (0..out).step_by(S::F32_LANES) {
            let lanes = (out - c).min(S::F32_LANES);
            let term = match terms {
                Some(terms) => load(simd, &terms[image * out + c..][..lanes]),
                None => simd.splat_f32s(0.0),
            };
            let start = t * line + c;
            both_sides_of_inputs(
                #[inline(always)]
                |m| output_map(simd, m),
                #[inline(always)]
                |i, j| load(simd, &m[(i * IN + j) * plane + start..][..S::F32_LANES]),
                #[inline(always)]
                |i, j, sum| {
                    if offsets[i][j] != OUTSIDE {
                        let at = offsets[i][j] + c;
                        let mut sum = simd.add_f32s(sum, term);
                        if let Some(residual) = residual {
                            sum = simd.add_f32s(sum, load(simd, &residual[at..][..lanes]));
                        }
                        store(simd, &mut y[at..][..lanes], sum);
                    }
                },
            );
        }
    }
}

/// `E = A gY A^T`, the transpose of [`transform_outputs`].
#[inline(always)]
pub(super) fn spread_outputs<S: Simd>(
    simd: S,
    sizes: Sizes,
    gy: &[f32],
    tiles: std::ops::Range<usize>,
    e: &mut [f32],
) {
    let (out, line, plane) = (sizes.out, padded(sizes.out), sizes.plane(sizes.out));
    assert!(e.len() >= POINTS * plane && tiles.len() <= sizes.block());
    for (t, tile) in tiles.enumerate() {
        let offsets = sizes.square::<OUT>(tile, 0, out);
        for c in (0..out).step_by(S::F32_LANES) {
            let lanes = (out - c).min(S::F32_LANES);
            let start = t * line + c;
            both_sides_of_outputs(
                #[inline(always)]
                |g| output_transpose(simd, g),
                #[inline(always)]
                |i, j| match offsets[i][j] {
                    OUTSIDE => simd.splat_f32s(0.0),
                    offset => load(simd, &gy[offset + c..][..lanes]),
                },
                #[inline(always)]
                |i, j, g| store(simd, &mut e[(i * IN + j) * plane + start..][..S::F32_LANES], g),
            );
        }
    }
}

/// The 36 products `c_i (+)= a_i b_i`, each with its own matrices inside the slices.
#[inline(always)]
pub(super) fn products<S: Simd>(
    simd: S,
    sizes: (usize, usize, usize),
    (a, a_plane, a_strides): (&[f32], usize, (usize, usize)),
    (b, b_plane): (&[f32], usize),
    (c, c_plane): (&mut [f32], usize),
    keep: bool,
) {
    for point in 0..POINTS {
        let (a, b, c) = (&a[point * a_plane..], &b[point * b_plane..], &mut c[point * c_plane..]);
        simd.vectorize(Product { sizes, a, a_strides, b, c, c_line: sizes.2, keep });
    }
}
