//! 3x3 convolution and its transposes, as patches and a product by the crate `gemm`: images with the channels last, filters by outputs.

use gemm::Parallelism;

/// What a descriptor of images or of a filter holds: four sizes in the order that they were given in; nothing before that.
pub(crate) type Sizes = Option<[usize; 4]>;

/// A convolution's sizes.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) out: usize,
}

/// What is computed of what, as in cuDNN's names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Forward,
    Data,
    Filter,
}

impl Shape {
    /// Of images, outputs and a filter that belong together.
    pub(crate) fn of(x: Sizes, y: Sizes, filter: Sizes) -> Option<Self> {
        let ([images, channels, height, width], [k, c, 3, 3]) = (x?, filter?) else { return None };
        (c == channels && y? == [images, k, height, width]).then_some(Self {
            images,
            height,
            width,
            channels,
            out: k,
        })
    }

    pub(crate) fn positions(&self) -> usize {
        self.images * self.height * self.width
    }

    /// The numbers of images, outputs and filter.
    pub(crate) fn numbers(&self) -> [usize; 3] {
        [self.positions() * self.channels, self.positions() * self.out, 9 * self.channels * self.out]
    }

    /// For each position and tap, the position that the tap is at, if it is within the image.
    fn taps(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        let (height, width) = (self.height as isize, self.width as isize);
        (0..self.positions()).flat_map(move |position| {
            let (line, column) = ((position / self.width % self.height) as isize, position % self.width);
            (0..9).map(move |tap| {
                let (down, across) = (tap / 3 - 1, tap % 3 - 1);
                let (i, j) = (line + down, column as isize + across);
                ((0..height).contains(&i) && (0..width).contains(&j))
                    .then(|| (position as isize + down * width + across) as usize)
            })
        })
    }

    fn patches(&self, x: &[f32]) -> Vec<f32> {
        let mut patches = Vec::with_capacity(9 * x.len());
        for position in self.taps() {
            match position {
                Some(at) => patches.extend_from_slice(&x[at * self.channels..][..self.channels]),
                None => patches.resize(patches.len() + self.channels, 0.0),
            }
        }
        patches
    }
}

/// A row-major matrix, or the transpose of one: its numbers, and the steps from one column and row to the next.
type Matrix<'a> = (&'a [f32], isize, isize);

/// `C = A B + beta C`, all row-major; `C` is not read where `beta` is 0.
fn product([m, n, k]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>, beta: f32, c: &mut [f32]) {
    let to = c.as_mut_ptr();
    // SAFETY: callers give matrices of these sizes.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            to,
            1,
            n as isize,
            beta != 0.0,
            a.0.as_ptr(),
            a.1,
            a.2,
            b.0.as_ptr(),
            b.1,
            b.2,
            beta,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// The pass of two factors.
pub(crate) fn computed(
    shape: &Shape,
    pass: Pass,
    [first, second]: [&[f32]; 2],
    beta: f32,
    result: &mut [f32],
) {
    let (positions, out, columns) = (shape.positions(), shape.out, 9 * shape.channels);
    let step = |columns: usize| columns as isize;
    match pass {
        Pass::Forward => {
            let patches = shape.patches(first);
            let (a, b) = ((&*patches, 1, step(columns)), (second, step(columns), 1));
            product([positions, out, columns], a, b, beta, result);
        }
        Pass::Filter => {
            let patches = shape.patches(first);
            let (a, b) = ((second, step(out), 1), (&*patches, 1, step(columns)));
            product([out, columns, positions], a, b, beta, result);
        }
        Pass::Data => {
            let mut patches = vec![0.0; positions * columns];
            let (a, b) = ((second, 1, step(out)), (first, 1, step(columns)));
            product([positions, columns, out], a, b, 0.0, &mut patches);
            result.iter_mut().for_each(|x| *x = if beta == 0.0 { 0.0 } else { beta * *x });
            for (at, patch) in shape.taps().zip(patches.chunks_exact(shape.channels)) {
                let to = at.map(|at| &mut result[at * shape.channels..][..shape.channels]);
                to.into_iter().flatten().zip(patch).for_each(|(x, gradient)| *x += gradient);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition: `y[p, k] = sum over taps and c of x[p + tap, c] w[k, tap, c]`, and its transposes.
    #[test]
    fn passes_are_those_of_the_definition() {
        let shape = Shape { images: 2, height: 3, width: 4, channels: 2, out: 3 };
        let draw = |count: usize, factor: usize| -> Vec<f32> {
            (0..count).map(|i| (i * factor % 17) as f32 - 8.0).collect()
        };
        let [x, y, w] = shape.numbers();
        let (x, gy, w) = (draw(x, 5), draw(y, 7), draw(w, 3));
        let (mut values, mut gx, mut gw) = (vec![1.0; gy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
        for (i, at) in shape.taps().enumerate().filter_map(|(i, at)| Some((i, at?))) {
            let (position, tap) = (i / 9, i % 9);
            for (k, c) in (0..3).flat_map(|k| (0..2).map(move |c| (k, c))) {
                let [from, weight, to] = [at * 2 + c, (k * 9 + tap) * 2 + c, position * 3 + k];
                values[to] += x[from] * w[weight];
                gx[from] += gy[to] * w[weight];
                gw[weight] += gy[to] * x[from];
            }
        }
        let of = |pass, factors, beta, before: f32, count| {
            let mut found = vec![before; count];
            computed(&shape, pass, factors, beta, &mut found);
            found
        };
        // Whole numbers, so that no sum rounds.
        assert_eq!(of(Pass::Forward, [&x, &w], 1.0, 1.0, gy.len()), values);
        assert_eq!(of(Pass::Data, [&w, &gy], 0.0, f32::NAN, x.len()), gx);
        assert_eq!(of(Pass::Filter, [&x, &gy], 0.0, f32::NAN, w.len()), gw);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let (x, filter) = (Some([2, 3, 4, 5]), Some([7, 3, 3, 3]));
        assert!(Shape::of(x, Some([2, 7, 4, 5]), filter).is_some());
        assert!(Shape::of(x, Some([2, 8, 4, 5]), filter).is_none());
        assert!(Shape::of(x, Some([2, 7, 4, 5]), Some([7, 3, 1, 1])).is_none());
        assert!(Shape::of(None, Some([2, 7, 4, 5]), filter).is_none());
    }
}
