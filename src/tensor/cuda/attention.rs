//! Attention: batched products of cuBLAS around the kernels of `source/attention.cu`, in chunks of images.
//!
//! Scores live in scratch memory, and the backward pass makes them again. With the names of `cpu::attention` and
//! `cpu::attention_jvp`, whose equations these are.

use super::group_norm::with_tape;
use super::launch::{Engine, Matrices, View, arguments, int};
use super::scratch::Room;
use super::storage::{Ghost, Store, done, output, take_tape, taken, view};
use dfdx::prelude::*;
use std::ops::Range;
use std::rc::Rc;

/// Images of positions and channels.
pub(super) type Tokens<T> = Tensor<(usize, usize, usize), f32, Cuda, T>;

/// The sizes of a batch, and the images of a chunk.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    n: usize,
    c: usize,
    chunk: usize,
}

impl Sizes {
    /// `buffers` is how many matrices of scores an image has.
    fn new(engine: &Engine, (rows, n, c): (usize, usize, usize), buffers: usize) -> Self {
        Self { rows, n, c, chunk: engine.chunk(buffers * n * n, rows) }
    }

    fn factor(self) -> f32 {
        1.0 / (self.c as f32).sqrt()
    }

    fn room(self, buffers: usize) -> usize {
        buffers * self.chunk * self.n * self.n
    }

    fn chunks(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.rows).step_by(self.chunk).map(move |first| first..(first + self.chunk).min(self.rows))
    }

    /// A chunk's matrices of positions and channels.
    fn tokens(self, batch: View, images: &Range<usize>) -> Matrices {
        let own = self.n * self.c;
        Matrices::full(batch.part(images.start * own, images.len() * own), self.n, self.c)
    }

    /// A chunk's matrices of scores.
    fn scores(self, room: &mut Room, images: usize) -> Matrices {
        Matrices::full(room.cut(images * self.n * self.n), self.n, self.n)
    }
}

/// The products and kernels on a chunk.
struct Chunk<'e> {
    engine: &'e Engine,
    sizes: Sizes,
    images: usize,
}

impl Chunk<'_> {
    /// `c = alpha a b`, or `c += alpha a b`.
    fn product(&self, alpha: f32, [a, b]: [Matrices; 2], keep: bool, c: Matrices) -> Result<(), CudaError> {
        self.engine.product(self.images, alpha, [a, b], if keep { 1.0 } else { 0.0 }, c)
    }

    fn rows(&self) -> usize {
        self.images * self.sizes.n
    }

    fn softmax(&self, p: Matrices) -> Result<(), CudaError> {
        self.engine.launch("softmax", self.rows(), arguments![p.view, int(self.sizes.n)])
    }

    fn softmax_tangent(&self, d: Matrices, p: Matrices) -> Result<(), CudaError> {
        self.engine.launch("softmax_tangent", self.rows(), arguments![d.view, p.view, int(self.sizes.n)])
    }
}

/// The operation with its backward pass: of values, or of values and tangents.
pub(super) fn attention<const N: usize, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    inputs: [[Tokens<T>; N]; 3],
) -> [Tokens<T>; N] {
    let mut tape = T::default();
    let xs = inputs.map(|x| x.map(|x| take_tape(x, &mut tape)));
    let (device, shape) = (xs[0][0].device().clone(), *xs[0][0].shape());
    let ys = [(); N].map(|()| output(&device, shape));
    let to = ys.each_ref().map(view);
    done(forward(&engine, Sizes::new(&engine, shape, N), views(&xs), to));

    if T::OWNS_TAPE {
        let outputs = ys.each_ref().map(Ghost::of);
        let ghosts = xs.each_ref().map(|x| x.each_ref().map(Ghost::of));
        tape.add_backward_op(move |store| {
            let mut gys = Vec::with_capacity(N);
            for output in &outputs {
                gys.push(output.take(store, &device)?);
            }
            let gys: [View; N] = std::array::from_fn(|i| taken(&gys[i]));
            let gxs = gradients(&ghosts, gys[0], store)?;
            let sizes = Sizes::new(&engine, shape, if N == 1 { 2 } else { 4 });
            match (N, &gys[..]) {
                (1, [gy]) => backward(&engine, sizes, views(&xs).map(|x| x[0]), *gy, gxs.map(|x| x[0])),
                (_, [gy, gdy]) => {
                    let both = |x: [View; N]| [x[0], x[N - 1]];
                    backward_of_both(&engine, sizes, views(&xs).map(both), [*gy, *gdy], gxs.map(both))
                }
                _ => Ok(()),
            }
        });
    }
    with_tape(ys, tape)
}

fn views<const N: usize>(xs: &[[Tokens<NoneTape>; N]; 3]) -> [[View; N]; 3] {
    xs.each_ref().map(|x| x.each_ref().map(view))
}

fn gradients<const N: usize>(
    ghosts: &[[Ghost; N]; 3],
    like: View,
    store: &mut Store,
) -> Result<[[View; N]; 3], CudaError> {
    let mut gxs = [[like; N]; 3];
    for (gx, ghost) in gxs.iter_mut().flatten().zip(ghosts.iter().flatten()) {
        *gx = ghost.gradient(store)?;
    }
    Ok(gxs)
}

fn forward<const N: usize>(
    engine: &Engine,
    sizes: Sizes,
    [q, k, v]: [[View; N]; 3],
    y: [View; N],
) -> Result<(), CudaError> {
    engine.scratch(sizes.room(N), |room| {
        for images in sizes.chunks() {
            let mut room = Room::new(room);
            let chunk = Chunk { engine, sizes, images: images.len() };
            let [q, k, v, y] = [q, k, v, y].map(|x| x.map(|x| sizes.tokens(x, &images)));
            let p = sizes.scores(&mut room, images.len());
            chunk.product(sizes.factor(), [q[0], k[0].turned()], false, p)?;
            chunk.softmax(p)?;
            chunk.product(1.0, [p, v[0]], false, y[0])?;
            let ([_, dq], [_, dk], [_, dv], [_, dy]) = (&q[..], &k[..], &v[..], &y[..]) else { continue };
            let d = sizes.scores(&mut room, images.len());
            chunk.product(sizes.factor(), [*dq, k[0].turned()], false, d)?;
            chunk.product(sizes.factor(), [q[0], dk.turned()], true, d)?;
            chunk.softmax_tangent(d, p)?;
            chunk.product(1.0, [d, v[0]], false, *dy)?;
            chunk.product(1.0, [p, *dv], true, *dy)?;
        }
        Ok(())
    })
}

fn backward(
    engine: &Engine,
    sizes: Sizes,
    [q, k, v]: [View; 3],
    gy: View,
    gradients: [View; 3],
) -> Result<(), CudaError> {
    engine.scratch(sizes.room(2), |room| {
        for images in sizes.chunks() {
            let mut room = Room::new(room);
            let chunk = Chunk { engine, sizes, images: images.len() };
            let [q, k, v, gy] = [q, k, v, gy].map(|x| sizes.tokens(x, &images));
            let [gq, gk, gv] = gradients.map(|x| sizes.tokens(x, &images));
            let [p, d] = [(); 2].map(|()| sizes.scores(&mut room, images.len()));
            chunk.product(sizes.factor(), [q, k.turned()], false, p)?;
            chunk.softmax(p)?;
            chunk.product(1.0, [p.turned(), gy], true, gv)?;
            chunk.product(1.0, [gy, v.turned()], false, d)?;
            chunk.softmax_tangent(d, p)?;
            chunk.product(sizes.factor(), [d, k], true, gq)?;
            chunk.product(sizes.factor(), [d.turned(), q], true, gk)?;
        }
        Ok(())
    })
}

fn backward_of_both(
    engine: &Engine,
    sizes: Sizes,
    [q, k, v]: [[View; 2]; 3],
    gy: [View; 2],
    gradients: [[View; 2]; 3],
) -> Result<(), CudaError> {
    let factor = sizes.factor();
    engine.scratch(sizes.room(4), |room| {
        for images in sizes.chunks() {
            let mut room = Room::new(room);
            let chunk = Chunk { engine, sizes, images: images.len() };
            let [[q, dq], [k, dk], [v, dv], [gy, gdy]] =
                [q, k, v, gy].map(|x| x.map(|x| sizes.tokens(x, &images)));
            let [[gq, gdq], [gk, gdk], [gv, gdv]] = gradients.map(|x| x.map(|x| sizes.tokens(x, &images)));
            let [p, ds, gds, gs] = [(); 4].map(|()| sizes.scores(&mut room, images.len()));
            chunk.product(factor, [q, k.turned()], false, p)?;
            chunk.softmax(p)?;
            chunk.product(factor, [dq, k.turned()], false, ds)?;
            chunk.product(factor, [q, dk.turned()], true, ds)?;
            chunk.product(1.0, [gdy, v.turned()], false, gds)?;
            chunk.product(1.0, [gy, v.turned()], false, gs)?;
            chunk.product(1.0, [gdy, dv.turned()], true, gs)?;
            let of = arguments![ds.view, gds.view, gs.view, p.view, int(sizes.n)];
            engine.launch("softmax_back", chunk.rows(), of)?;
            // What were the tangents of the scores are now those of the weights.
            let dp = ds;
            chunk.product(1.0, [p.turned(), gy], true, gv)?;
            chunk.product(1.0, [dp.turned(), gdy], true, gv)?;
            chunk.product(1.0, [p.turned(), gdy], true, gdv)?;
            chunk.product(factor, [gs, k], true, gq)?;
            chunk.product(factor, [gds, dk], true, gq)?;
            chunk.product(factor, [gds, k], true, gdq)?;
            chunk.product(factor, [gs.turned(), q], true, gk)?;
            chunk.product(factor, [gds.turned(), dq], true, gk)?;
            chunk.product(factor, [gds.turned(), q], true, gdk)?;
        }
        Ok(())
    })
}
