//! The network: from the pixels around a position to two numbers for each of its channels.

use dfdx::prelude::{Const, Cpu, NoneTape, Tape, Tensor};
use idode::data::ImageShape;
use idode::nn::{Dense, Init, Parameters, Visit};
use idode::tensor::{Kernels, Mode, Plain};
use rand::RngCore;

/// Pixels to either side that it sees.
const RADIUS: usize = 1;
const WIDTH: usize = 32;

/// `out(swish(second(swish(first(patch)))))`, the same at every position: a 3x3 convolution and two of 1x1.
///
/// # Shapes
/// A patch holds the centres of the channels of `3 x 3` pixels, and for each pixel whether it lies in the image.
#[derive(Clone, Debug)]
pub(crate) struct PatchNet {
    first: Dense<usize, Const<WIDTH>, f32, Cpu>,
    second: Dense<Const<WIDTH>, Const<WIDTH>, f32, Cpu>,
    output: Dense<Const<WIDTH>, usize, f32, Cpu>,
}

/// Numbers of a patch.
fn patch(channels: usize) -> usize {
    (2 * RADIUS + 1) * (2 * RADIUS + 1) * (channels + 1)
}

impl PatchNet {
    /// A network with fresh weights whose numbers are all 0.
    pub(crate) fn new(channels: usize, rng: &mut dyn RngCore) -> Self {
        let device = Cpu::default();
        Self {
            first: Dense::new(patch(channels), Const, Init::Lecun, &device, rng),
            second: Dense::new(Const, Const, Init::Lecun, &device, rng),
            output: Dense::new(Const, 2 * channels, Init::Zeros, &device, rng),
        }
    }

    /// The patches of images of `shape`, whose centres are given one image after the other.
    pub(crate) fn patches(shape: ImageShape, centres: &[f64]) -> Tensor<(usize, usize), f32, Cpu> {
        let ImageShape { height, width, channels } = shape;
        let rows = centres.len() / channels;
        let mut numbers = Vec::with_capacity(rows * patch(channels));
        let around = |middle: usize| (0..=2 * RADIUS).map(move |step| (middle + step).wrapping_sub(RADIUS));
        for image in centres.chunks_exact(shape.dims()) {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                for (y, x) in around(y).flat_map(|y| around(x).map(move |x| (y, x))) {
                    let inside = y < height && x < width;
                    numbers.push(if inside { 1.0 } else { 0.0 });
                    let at = if inside { (y * width + x) * channels } else { 0 };
                    let pixel = image[at..at + channels].iter();
                    numbers.extend(pixel.map(|&centre| if inside { centre as f32 } else { 0.0 }));
                }
            }
        }
        Cpu::default().upload(&numbers, (rows, patch(channels)))
    }

    /// Two numbers for each coordinate of each patch's middle.
    ///
    /// # Shapes
    /// `(positions, 2 channels)`.
    pub(crate) fn apply<T: Tape<f32, Cpu> + 'static>(
        &self,
        patches: Tensor<(usize, usize), f32, Cpu, T>,
    ) -> Tensor<(usize, usize), f32, Cpu, T> {
        let h = <Plain<T> as Mode<f32, Cpu>>::swish(self.first.apply::<Plain<T>>(patches));
        let h = <Plain<T> as Mode<f32, Cpu>>::swish(self.second.apply::<Plain<T>>(h));
        self.output.apply::<Plain<T>>(h)
    }

    /// The two numbers of every coordinate of images.
    pub(crate) fn numbers(&self, shape: ImageShape, centres: &[f64]) -> Vec<[f64; 2]> {
        pairs(&self.apply::<NoneTape>(Self::patches(shape, centres)))
    }
}

/// The output as pairs, one a coordinate.
pub(crate) fn pairs<T: Tape<f32, Cpu>>(output: &Tensor<(usize, usize), f32, Cpu, T>) -> Vec<[f64; 2]> {
    output.as_vec().as_chunks().0.iter().map(|pair: &[f32; 2]| pair.map(f64::from)).collect()
}

impl Parameters<f32, Cpu> for PatchNet {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, f32, Cpu>) {
        self.first.parameters(&format!("{prefix}first"), visit);
        self.second.parameters(&format!("{prefix}second"), visit);
        self.output.parameters(&format!("{prefix}output"), visit);
    }
}
