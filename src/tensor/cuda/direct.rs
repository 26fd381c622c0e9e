//! 3x3 convolution by cuDNN.
//!
//! It takes the weight by outputs, of each the taps and of each tap the channels, so ours is transposed once a call; and its images in one piece, so
//! those of several inputs are put side by side. What is added to an output is put there first, and cuDNN adds to it.

use super::cudnn::{Cudnn, Failed, Pass, Problem, Shape};
use super::launch::{Engine, View, arguments, element_blocks, flag, index, int};
use super::layer::{Added, Inputs, Layer, Sizes, gradients};
use super::scratch::Room;
use super::storage::{Ghost, Image, Store, view};
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;
use dfdx::prelude::*;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

/// The taps.
const TAPS: usize = 9;
/// The numbers at whose multiples a piece of scratch memory begins: 256 bytes, as a buffer does.
const ALIGNMENT: usize = 64;
/// The images at whose multiples a chunk begins, so that its address is one of 16 bytes.
const IMAGES: usize = 4;

/// The numbers that count for an image: what a chunk reads and writes is to lie in a GPU's cache.
pub(super) fn room_of_image(sizes: &Sizes) -> usize {
    sizes.positions() * (sizes.channels + sizes.out)
}

/// The images of a chunk, where so many would do.
pub(super) fn chunk(images: usize, rows: usize) -> usize {
    images.next_multiple_of(IMAGES).min(rows.max(1))
}

fn padded(numbers: usize) -> usize {
    numbers.next_multiple_of(ALIGNMENT)
}

/// cuDNN's error as one of the device's, after a line that has its words, once a process.
fn error(failed: Failed) -> CudaError {
    static SAID: Mutex<BTreeSet<Failed>> = Mutex::new(BTreeSet::new());
    let is_new = SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(failed.clone());
    if is_new {
        eprintln!("warning: {failed}");
    }
    CudaError::Driver(DriverError(CUresult::CUDA_ERROR_NOT_SUPPORTED))
}

/// A layer's convolution: the chunks that it comes in, and the workspace of their passes.
struct Plan<'e> {
    engine: &'e Engine,
    cudnn: &'e Cudnn,
    sizes: &'e Sizes,
    /// Of a chunk, and of the last.
    problems: [Rc<Problem>; 2],
    /// The numbers of the workspace.
    workspace: usize,
}

impl<'e> Plan<'e> {
    fn new(engine: &'e Engine, sizes: &'e Sizes, passes: &[Pass]) -> Result<Self, CudaError> {
        let cudnn =
            engine.cudnn().map_err(|_| CudaError::Driver(DriverError(CUresult::CUDA_ERROR_NOT_FOUND)))?;
        engine.handle.bind_to_thread().map_err(CudaError::Driver)?;
        let last = sizes.chunks().last().map_or(sizes.chunk, |images| images.len());
        let of = |images| {
            let Sizes { height, width, channels, out, .. } = *sizes;
            cudnn.problem(Shape { images, height, width, channels, out, precision: engine.precision.get() })
        };
        let problems = [of(sizes.chunk).map_err(error)?, of(last).map_err(error)?];
        let rooms = problems.iter().flat_map(|problem| passes.iter().map(|pass| problem.room(*pass)));
        let workspace = padded(rooms.max().unwrap_or(0).div_ceil(size_of::<f32>()));
        Ok(Self { engine, cudnn, sizes, problems, workspace })
    }

    /// The numbers of a weight.
    fn weight(&self) -> usize {
        TAPS * self.sizes.channels * self.sizes.out
    }

    /// The numbers of a chunk's inputs side by side, if there are several.
    fn joined(&self) -> usize {
        let several = self.sizes.widths.len() > 1;
        if several { self.sizes.chunk * self.sizes.positions() * self.sizes.channels } else { 0 }
    }

    /// `to = f(factors) + beta to`, of so many images.
    ///
    /// # Panics
    /// If a view has not as many numbers as the sizes say.
    fn run(
        &self,
        images: usize,
        pass: Pass,
        factors: [View; 2],
        (beta, to): (f32, View),
        workspace: View,
    ) -> Result<(), CudaError> {
        let problem = &self.problems[usize::from(images != self.sizes.chunk)];
        let numbers = [factors[0], factors[1], to].map(View::len);
        let room = workspace.len() * size_of::<f32>();
        assert!(
            numbers == problem.numbers(pass) && problem.room(pass) <= room,
            "{pass:?}: {numbers:?} of {images} images"
        );
        self.engine.handle.bind_to_thread().map_err(CudaError::Driver)?;
        let factors = factors.map(View::address);
        // SAFETY: the numbers are within their views, as was just checked, which callers keep, and the thread is the device's.
        unsafe { self.cudnn.run(problem, pass, factors, beta, to.address(), workspace.address()) }
            .map_err(error)
    }

    /// `to`, of `columns` rows, is the transpose of `from`, or has it added.
    fn transpose(
        &self,
        to: View,
        from: View,
        [rows, columns]: [usize; 2],
        add: bool,
    ) -> Result<(), CudaError> {
        let of = arguments![to, from, index(to.len()), int(rows), int(columns), flag(add)];
        self.engine.launch("transposed", element_blocks(to.len()), of)
    }

    /// The images of all inputs in one piece, which is the input if there is one, and else put to `to`.
    fn join(&self, inputs: &[View], to: View) -> Result<View, CudaError> {
        if let [input] = inputs {
            return Ok(*input);
        }
        let (mut before, mut numbers) = (0, 0);
        for (x, &channels) in inputs.iter().zip(&self.sizes.widths) {
            let [own, total, first] = [channels, self.sizes.channels, before].map(int);
            let of = arguments![to, *x, index(x.len()), own, total, first];
            self.engine.launch("joined", element_blocks(x.len()), of)?;
            (before, numbers) = (before + channels, numbers + x.len());
        }
        Ok(to.part(0, numbers))
    }

    /// The gradients of all inputs, of that of their images in one piece.
    fn split(&self, tos: &[View], from: View, add: bool) -> Result<(), CudaError> {
        let mut before = 0;
        for (to, &channels) in tos.iter().zip(&self.sizes.widths) {
            let [own, total, first] = [channels, self.sizes.channels, before].map(int);
            let of = arguments![*to, from, index(to.len()), own, total, first, flag(add)];
            self.engine.launch("split", element_blocks(to.len()), of)?;
            before += channels;
        }
        Ok(())
    }
}

/// Computes the outputs.
pub(super) fn forward<const N: usize>(
    engine: &Engine,
    sizes: &Sizes,
    layer: &Layer,
    xs: &[[Image<NoneTape>; N]],
    added: Added<'_, N>,
    ys: [View; N],
) -> Result<(), CudaError> {
    let plan = Plan::new(engine, sizes, &[Pass::Forward])?;
    let norms = layer.room_of_norms(sizes.chunk, sizes.positions());
    let own = [plan.workspace, plan.weight(), plan.joined(), norms].map(padded);
    engine.scratch(own.iter().sum::<usize>() + layer.room_of_prepared(sizes, N), |room| {
        let mut room = Room::new(room);
        let [workspace, weight, joined, work] = own.map(|numbers| room.cut(numbers));
        let weight = weight.part(0, plan.weight());
        plan.transpose(weight, view(&layer.weight), [TAPS * sizes.channels, sizes.out], false)?;
        for images in sizes.chunks() {
            let mut room = room;
            let prepared = layer.prepare(engine, sizes, &images, xs, (&mut room, work))?;
            for (i, y) in ys.iter().enumerate() {
                let inputs: Vec<View> = prepared.iter().map(|x| x[i]).collect();
                let x = plan.join(&inputs, joined)?;
                let y = layer.begin(engine, sizes, &images, added, (i, *y))?;
                plan.run(images.len(), Pass::Forward, [x, weight], (1.0, y), workspace)?;
            }
        }
        Ok(())
    })
}

/// Adds to the gradients of the inputs, the weights and the norms.
pub(super) fn backward<const N: usize>(
    engine: &Engine,
    sizes: &Sizes,
    layer: &Layer,
    (xs, ghosts): Inputs<'_, N>,
    gys: [View; N],
    store: &mut Store,
) -> Result<(), CudaError> {
    let plan = Plan::new(engine, sizes, &[Pass::Inputs, Pass::Weight])?;
    let norms = layer.room_of_norms(sizes.chunk, sizes.positions());
    let gxs = gradients(ghosts, gys[0], store)?;
    let own = [plan.workspace, plan.weight(), plan.weight(), plan.joined(), norms].map(padded);
    engine.scratch(own.iter().sum::<usize>() + layer.room_of_prepared(sizes, 2 * N), |room| {
        let mut room = Room::new(room);
        let [workspace, weight, gweight, joined, work] = own.map(|numbers| room.cut(numbers));
        let [weight, gweight] = [weight, gweight].map(|weight| weight.part(0, plan.weight()));
        let (rows, out) = (TAPS * sizes.channels, sizes.out);
        plan.transpose(weight, view(&layer.weight), [rows, out], false)?;
        let mut kept = 0.0;
        for images in sizes.chunks() {
            let mut room = room;
            let prepared = layer.prepare(engine, sizes, &images, xs, (&mut room, work))?;
            let [gas, gxs] = layer.chunk_gradients(sizes, &images, &gxs, &mut room);
            for (i, gy) in gys.iter().enumerate() {
                let gy = sizes.part(&images, *gy, out);
                let inputs: Vec<View> = prepared.iter().map(|x| x[i]).collect();
                let x = plan.join(&inputs, joined)?;
                plan.run(images.len(), Pass::Weight, [x, gy], (kept, gweight), workspace)?;
                kept = 1.0;
                let (gas, add) = (gas.iter().map(|ga| ga[i]).collect::<Vec<View>>(), layer.norms.is_none());
                if let [ga] = gas[..] {
                    let to = (if add { 1.0 } else { 0.0 }, ga);
                    plan.run(images.len(), Pass::Inputs, [weight, gy], to, workspace)?;
                } else {
                    // The inputs have been read.
                    plan.run(images.len(), Pass::Inputs, [weight, gy], (0.0, x), workspace)?;
                    plan.split(&gas, x, add)?;
                }
            }
            layer.norms_backward(engine, sizes, &images, xs, (&gas, &gxs), (work, store))?;
        }
        if kept > 0.0 {
            plan.transpose(Ghost::of(&layer.weight).gradient(store)?, gweight, [out, rows], true)?;
        }
        Ok(())
    })
}
