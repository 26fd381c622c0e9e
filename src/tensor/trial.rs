//! Operations on drawn numbers: the answers of one way to compute them, how far they are from the truth, and their times.

use super::operation::{Norm, Operation, TERMS, WAVES};
use super::{
    AdamStep, Composed, Convolution, DropoutKey, Dual, GroupNorm, ImageBatch, Kernels, Mode, Moments, Plain,
    Preparation, Real, Updates, Waves, reshape, rows, update,
};
use dfdx::prelude::*;
use std::time::Instant;

/// The largest difference as a part of the largest entry, over all arrays; NaN if a number is not finite or one is missing.
pub(crate) fn error(found: &[Vec<f64>], truth: &[Vec<f64>]) -> f64 {
    let of_array = |(found, truth): (&Vec<f64>, &Vec<f64>)| {
        let largest = truth.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
        let finite = found.iter().chain(truth).all(|x| x.is_finite()) && found.len() == truth.len();
        let difference = found.iter().zip(truth).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
        if finite { difference / largest } else { f64::NAN }
    };
    let same = found.len() == truth.len();
    let errors = found.iter().zip(truth).map(of_array);
    errors
        .fold(if same { 0.0 } else { f64::NAN }, |most: f64, x| if x > most || x.is_nan() { x } else { most })
}

/// Numbers of (-1, 1) that `f32` holds, the same for every device: the finalizer of splitmix64.
fn drawn(first: u64, count: usize) -> impl Iterator<Item = f64> {
    (0..count as u64).map(move |i| {
        let mut x = (first << 32 | i).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x >> 40) as f64 + 0.5) / f64::from(1u32 << 23) - 1.0
    })
}

type Image<E, D, T = NoneTape> = Tensor<ImageBatch<usize, usize, usize>, E, D, T>;

/// An operation's inputs on a device.
pub(crate) struct Trial<E: Real, D: Kernels<E>> {
    operation: Operation,
    rows: usize,
    device: D,
    /// Values, then their tangents.
    images: Vec<Image<E, D>>,
    /// The residual and its tangent.
    residual: Vec<Image<E, D>>,
    /// Weights and shifts.
    matrices: Vec<Tensor<(usize, usize), E, D>>,
    /// A bias; or scale and bias of norms, and a bias.
    vectors: Vec<Tensor<(usize,), E, D>>,
    /// What gets no gradient: frequencies, and factors of each row; or what distances are to.
    constants: Vec<Tensor<(usize, usize), E, D>>,
}

/// Runs a method of [`Mode`] without a device's own kernels, or with them.
macro_rules! mode {
    ($portable:expr, $tape:ty, $method:ident($($argument:expr),*)) => {
        match $portable {
            true => <Composed<$tape> as Mode<E, D>>::$method($($argument),*),
            false => <Plain<$tape> as Mode<E, D>>::$method($($argument),*),
        }
    };
}

impl<E: Real, D: Kernels<E>> Trial<E, D> {
    pub(crate) fn new(device: &D, operation: Operation, rows: usize) -> Self {
        let [height, width, channels, out] = operation.sizes();
        let (images, residual, weight, norms) = match operation {
            Operation::Convolution { size, inputs, .. } => (inputs, 1, size * size * inputs, 0),
            Operation::NormConvolution { inputs, jvp: true, .. } => (2 * inputs, 2, 9 * inputs, inputs),
            Operation::NormConvolution { inputs, .. } => (inputs, 1, 9 * inputs, inputs),
            Operation::GroupNorm { jvp, .. } => (if jvp { 2 } else { 1 }, 0, 0, 1),
            Operation::Attention { jvp, .. } => (if jvp { 6 } else { 3 }, 0, 0, 0),
            Operation::AveragePool { .. }
            | Operation::Upsample { .. }
            | Operation::Dropout { .. }
            | Operation::Swish { jvp: false, .. }
            | Operation::ScaleRows { .. }
            | Operation::Distances { .. }
            | Operation::Waves { jvp: false, .. } => (1, 0, 0, 0),
            Operation::Update { .. }
            | Operation::FiniteRows { .. }
            | Operation::Swish { .. }
            | Operation::Waves { .. } => (2, 0, 0, 0),
            Operation::CombineRows { .. } => (TERMS + 1, 0, 0, 0),
            Operation::ErrorSums { .. } => (3, 0, 0, 0),
            Operation::Sinusoids { .. } => (0, 0, 0, 0),
        };
        let (mut trial, mut first) = (
            Self {
                operation,
                rows,
                device: device.clone(),
                images: Vec::new(),
                residual: Vec::new(),
                matrices: Vec::new(),
                vectors: Vec::new(),
                constants: Vec::new(),
            },
            0,
        );
        let mut draw = || {
            first += 1;
            first
        };
        let (input, output) = ((rows, height, width, channels), (rows, height, width, out));
        trial.images = (0..images).map(|_| trial.draw(draw(), input)).collect();
        trial.residual = (0..residual).map(|_| trial.draw(draw(), output)).collect();
        trial.vectors = (0..2 * norms.min(1)).map(|_| trial.draw(draw(), (norms * channels,))).collect();
        if weight > 0 {
            trial.matrices =
                vec![trial.draw(draw(), (weight * channels, out)), trial.draw(draw(), (rows, out))];
            trial.vectors.push(trial.draw(draw(), (out,)));
        }
        match operation {
            Operation::Waves { .. } => {
                // Some turns.
                let frequencies = trial.draw(draw(), (1, WAVES)) * E::of(8.0);
                trial.constants = vec![frequencies, trial.draw(draw(), (rows, WAVES))];
            }
            Operation::Distances { numbers } => trial.constants = vec![trial.draw(draw(), (rows, numbers))],
            Operation::FiniteRows { numbers } => {
                // Every other row ends in what is not finite.
                let of = |(i, last): (usize, f64)| {
                    let mut all: Vec<E> = drawn(i as u64, rows * numbers).map(E::of).collect();
                    (i..rows).step_by(2).for_each(|row| all[(row + 1) * numbers - 1] = E::of(last));
                    device.upload(&all, input)
                };
                trial.images = [f64::NAN, f64::INFINITY].into_iter().enumerate().map(of).collect();
            }
            _ => {}
        }
        trial
    }

    fn draw<S: Shape>(&self, first: u64, shape: S) -> Tensor<S, E, D> {
        // So that one of `f64` is noticed that goes through `f32`.
        let divisor = if self.operation.is_double() { 3.0 } else { 1.0 };
        let numbers: Vec<E> = drawn(first, shape.num_elements()).map(|x| E::of(x / divisor)).collect();
        self.device.upload(&numbers, shape)
    }

    /// What is computed of the inputs, with a tape of its own each; nothing of an update.
    fn outputs<T: Tape<E, D> + 'static>(&self, portable: bool) -> Vec<Image<E, D, T>> {
        let mut images = self.images.iter().map(|x| x.retaped::<T>());
        let mut residual = self.residual.iter().map(|x| x.retaped::<T>());
        let shift = self.matrices.get(1).map(|shift| shift.retaped::<T>());
        let norm = |i: usize, channels: usize, Norm { groups, swish }: Norm| GroupNorm {
            scale: &self.vectors[0],
            bias: &self.vectors[1],
            first_channel: i * channels,
            groups,
            epsilon: 1e-3,
            swish,
        };
        let dual = |both: Dual<Image<E, D, T>>| vec![both.value, both.tangent];
        match self.operation {
            Operation::Convolution { size, .. } => {
                let operator = Convolution { size, weight: &self.matrices[0], bias: self.vectors.first() };
                let (images, residual) = (images.collect(), residual.next());
                vec![mode!(portable, T, convolution(images, &operator, shift, residual))]
            }
            Operation::NormConvolution { inputs, channels, norm: of, dropout, jvp, .. } => {
                let operator = Convolution { size: 3, weight: &self.matrices[0], bias: self.vectors.get(2) };
                let norms = (0..inputs).map(|i| norm(i, channels, of)).collect();
                let dropout = dropout.then_some(DROPOUT);
                let preparation = Preparation { norms, dropout };
                if !jvp {
                    let (images, residual) = (images.collect(), residual.next());
                    return vec![mode!(
                        portable,
                        T,
                        norm_convolution(images, &preparation, &operator, shift, residual)
                    )];
                }
                let values: Vec<_> = images.by_ref().take(inputs).collect();
                let both = values.into_iter().zip(images).map(|(x, dx)| Dual::new(x, dx)).collect();
                let residual = residual.next().zip(residual.next()).map(|(x, dx)| Dual::new(x, dx));
                dual(mode!(portable, T, norm_convolution_jvp(both, &preparation, &operator, shift, residual)))
            }
            Operation::GroupNorm { channels, norm: of, .. } => {
                let norm = norm(0, channels, of);
                match (images.next(), images.next()) {
                    (Some(x), Some(dx)) => dual(mode!(portable, T, group_norm_jvp(Dual::new(x, dx), &norm))),
                    (Some(x), None) => vec![mode!(portable, T, group_norm(x, &norm))],
                    _ => Vec::new(),
                }
            }
            Operation::Attention { tokens, channels, .. } => {
                let shape = (self.rows, tokens, channels);
                let all: Vec<_> = images.map(|x| reshape(x, shape)).collect();
                let outputs = match <[_; 6]>::try_from(all) {
                    Ok([q, k, v, dq, dk, dv]) => {
                        let [q, k, v] = [Dual::new(q, dq), Dual::new(k, dk), Dual::new(v, dv)];
                        let both = mode!(portable, T, attention_jvp(q, k, v));
                        vec![both.value, both.tangent]
                    }
                    Err(values) => match <[_; 3]>::try_from(values) {
                        Ok([q, k, v]) => vec![mode!(portable, T, attention(q, k, v))],
                        Err(_) => Vec::new(),
                    },
                };
                outputs.into_iter().map(|y| reshape(y, (self.rows, tokens, 1, channels))).collect()
            }
            Operation::AveragePool { .. } => images.map(|x| mode!(portable, T, average_pool(x))).collect(),
            Operation::Upsample { .. } => images.map(|x| mode!(portable, T, upsample(x))).collect(),
            Operation::Dropout { .. } => images.map(|x| mode!(portable, T, dropout(x, DROPOUT))).collect(),
            Operation::Swish { .. } => match (images.next(), images.next()) {
                (Some(x), Some(dx)) => dual(mode!(portable, T, swish_jvp(Dual::new(x, dx)))),
                (Some(x), None) => vec![mode!(portable, T, swish(x))],
                _ => Vec::new(),
            },
            Operation::Waves { factors: scaled, .. } => {
                let [frequencies, factors] = &self.constants[..] else { return Vec::new() };
                let of = Waves { frequencies, factors: scaled.then(|| factors.clone()) };
                match (images.next(), images.next()) {
                    (Some(x), Some(dx)) => mode!(portable, T, waves_jvp(Dual::new(x, dx), &of))
                        .into_iter()
                        .flat_map(dual)
                        .collect(),
                    (Some(x), None) => mode!(portable, T, waves(x, &of)).into(),
                    _ => Vec::new(),
                }
            }
            Operation::ScaleRows { .. } => {
                let scaled = if portable { rows::scale } else { D::scale_rows };
                images.map(|x| scaled(x, &self.coefficients(0))).collect()
            }
            Operation::Distances { .. } => {
                let distances = if portable { rows::distances } else { D::distances };
                let pairs = images.zip(&self.constants).map(|(a, b)| (reshape(a, *b.shape()), b));
                pairs.map(|(a, b)| reshape(distances(a, b), (self.rows, 1, 1, 1))).collect()
            }
            Operation::Sinusoids { numbers } => {
                let (times, half) = (self.coefficients(0), numbers / 3);
                let frequencies: Vec<f64> = drawn(1, half).map(|x| 8.0 * x).collect();
                let others: Vec<f64> = drawn(2, self.rows * ((numbers - 2 * half) / 2)).collect();
                let y = match portable {
                    true => rows::sinusoids(&self.device, &times, &frequencies, &others, numbers),
                    false => self.device.sinusoids(&times, &frequencies, &others, numbers),
                };
                vec![reshape(y.retaped::<T>(), (self.rows, numbers, 1, 1))]
            }
            Operation::CombineRows { .. } => {
                let combine = if portable { rows::combine } else { D::combine_rows };
                let coefficients: Vec<_> = (0..TERMS as u64).map(|term| self.coefficients(term)).collect();
                let (terms, base) = self.images.split_at(TERMS);
                let terms: Vec<_> = coefficients.iter().map(Vec::as_slice).zip(terms).collect();
                [None, base.first()].map(|base| combine(&terms, base).retaped::<T>()).into()
            }
            Operation::Update { .. } | Operation::ErrorSums { .. } | Operation::FiniteRows { .. } => {
                Vec::new()
            }
        }
    }

    /// A number for each row, which `f32` does not hold.
    fn coefficients(&self, term: u64) -> Vec<f64> {
        drawn(200 + term, self.rows).map(|x| x / 3.0).collect()
    }

    /// What is asked of rows, by an operation that gives no tensor.
    fn of_rows(&self, portable: bool) -> Vec<Vec<f64>> {
        let x: Vec<_> = self.images.iter().map(|x| reshape(x.clone(), (self.rows, x.shape().1))).collect();
        match (self.operation, &x[..]) {
            (Operation::ErrorSums { .. }, [error, before, after]) => {
                let sums = if portable { rows::error_sums } else { D::error_sums };
                vec![sums(error, before, after, 1e-3, 0.1)]
            }
            (Operation::FiniteRows { .. }, all) => {
                let finite = if portable { rows::finite } else { D::finite_rows };
                all.iter()
                    .map(|x| finite(x).into_iter().map(|yes| f64::from(u8::from(yes))).collect())
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The outputs, then the gradients of a drawn linear function of them with respect to everything that was drawn, if they have any.
    pub(crate) fn answers(&self, portable: bool) -> Vec<Vec<f64>> {
        let host = |numbers: Vec<E>| numbers.into_iter().map(Real::to64).collect::<Vec<f64>>();
        match self.operation {
            Operation::Update { .. } => {
                let (tensors, squares) = self.update(portable, &self.gradient(portable));
                return tensors.into_iter().map(|x| host(x.as_vec())).chain([vec![squares]]).collect();
            }
            Operation::ErrorSums { .. } | Operation::FiniteRows { .. } => return self.of_rows(portable),
            _ => {}
        }
        let outputs = self.outputs::<OwnedTape<E, D>>(portable);
        let mut found: Vec<Vec<f64>> = outputs.iter().map(|y| host(y.as_vec())).collect();
        if !self.operation.has_backward() {
            return found;
        }
        let terms = outputs.into_iter().zip(100..).map(|(y, first)| {
            let weights = self.draw(first, *y.shape());
            (y * weights).sum::<Rank0, _>()
        });
        if let Some(loss) = terms.reduce(|a, b| a + b) {
            let gradients = loss.backward();
            found.extend(self.images.iter().chain(&self.residual).map(|x| host(gradients.get(x).as_vec())));
            found.extend(self.matrices.iter().map(|x| host(gradients.get(x).as_vec())));
            found.extend(self.vectors.iter().map(|x| host(gradients.get(x).as_vec())));
        }
        found
    }

    /// Drawn numbers, as the copy of a gradient.
    fn gradient(&self, portable: bool) -> Tensor<(usize,), E, D> {
        let (x, drawn) = (&self.images[0], self.images[1].clone());
        let gradients = (x.retaped::<OwnedTape<E, D>>() * drawn).sum::<Rank0, _>().backward();
        let copy = || gradients.get(x);
        let copied = if portable { copy() } else { self.device.together(copy) };
        reshape(copied, (x.shape().num_elements(),))
    }

    /// A step of AdamW from a state of drawn numbers: parameter, moments and average; and the sum of the gradient's squares.
    fn update(
        &self,
        portable: bool,
        gradient: &Tensor<(usize,), E, D>,
    ) -> (Vec<Tensor<(usize,), E, D>>, f64) {
        let mut parameter = reshape(self.images[0].clone(), *gradient.shape());
        let (first, ema) = (parameter.clone(), gradient.clone());
        let mut moments = Moments { first, second: gradient.clone().square(), ema };
        let step = AdamStep {
            rate: 0.1,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            correction1: 0.1,
            correction2: 0.01,
            ema_decay: 0.9,
            gradient_scale: 0.5,
        };
        let squares = if portable {
            update::adamw(&mut parameter, gradient, &mut moments, DECAY, &step);
            update::sums_of_squares([gradient]).first().map_or(f64::NAN, |sum| *sum)
        } else {
            Updates::all(step, |updates| D::adamw(&mut parameter, gradient, &mut moments, DECAY, updates));
            D::sum_of_squares(gradient)
        };
        (vec![parameter, moments.first, moments.second, moments.ema], squares)
    }

    /// The least time of `repeats` forward passes, and of as many with a backward pass from a gradient of ones, after one each that does not
    /// count, if there is one; `finish` waits for the device.
    pub(crate) fn times(&self, portable: bool, repeats: usize, finish: &dyn Fn()) -> (f64, Option<f64>) {
        let least = |run: &dyn Fn()| {
            let timed = |_| {
                let begun = Instant::now();
                run();
                finish();
                begun.elapsed().as_secs_f64()
            };
            timed(0);
            (0..repeats).map(timed).fold(f64::INFINITY, f64::min)
        };
        finish();
        let forward = match self.operation {
            Operation::Update { .. } => {
                let gradient = self.gradient(portable);
                least(&|| drop(self.update(portable, &gradient)))
            }
            Operation::ErrorSums { .. } | Operation::FiniteRows { .. } => {
                least(&|| drop(self.of_rows(portable)))
            }
            _ => least(&|| drop(self.outputs::<NoneTape>(portable))),
        };
        let both = || least(&|| self.backward(self.outputs::<OwnedTape<E, D>>(portable)));
        (forward, self.operation.has_backward().then(both))
    }

    fn backward(&self, outputs: Vec<Image<E, D, OwnedTape<E, D>>>) {
        let (mut tape, mut ghosts) = (OwnedTape::<E, D>::default(), Vec::new());
        for y in outputs {
            let (y, own) = y.split_tape();
            tape = tape.merge(own);
            ghosts.push(y.ghost());
        }
        let device = self.device.clone();
        tape.add_backward_op(move |store| {
            ghosts.iter().try_for_each(|y| device.try_fill_with_ones(store.get_or_alloc_mut(y)?))
        });
        let nothing: Tensor<Rank0, E, D> = self.device.zeros();
        drop(nothing.put_tape(tape).backward());
    }
}

/// Of an update.
const DECAY: f64 = 0.01;
/// A mask that drops some.
const DROPOUT: DropoutKey = DropoutKey { key: 0x5eed, rate: 0.3 };

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: [usize; 2] = [5, 6];
    const NORM: Norm = Norm { groups: 4, swish: true };

    /// Every operation in both ways on the CPU, and in `f64`.
    #[test]
    fn every_operation_runs_and_both_ways_agree() {
        let channels = 8;
        let conv = |size, inputs| Operation::Convolution { size, side: SIDE, inputs, channels, out: 6 };
        let normed = |jvp| Operation::NormConvolution {
            side: SIDE,
            inputs: 2,
            channels,
            out: 6,
            norm: NORM,
            dropout: true,
            jvp,
        };
        let mut all = vec![conv(1, 2), conv(3, 1), normed(false), normed(true)];
        for jvp in [false, true] {
            all.push(Operation::GroupNorm { side: SIDE, channels, norm: NORM, jvp });
            all.push(Operation::Attention { tokens: 7, channels, jvp });
        }
        all.push(Operation::AveragePool { side: SIDE, channels });
        all.push(Operation::Upsample { side: SIDE, channels });
        all.extend([Operation::Dropout { numbers: 30 }, Operation::Update { numbers: 30 }]);
        all.extend(Operation::of_numbers(30));
        for operation in all {
            match operation.is_double() {
                true => both_ways_agree::<f64>(operation),
                false => both_ways_agree::<f32>(operation),
            }
        }
    }

    fn both_ways_agree<E: Real>(operation: Operation)
    where
        Cpu: Kernels<E>,
    {
        let device = Cpu::default();
        let truth = Trial::<f64, Cpu>::new(&device, operation, 2).answers(true);
        let trial = Trial::<E, Cpu>::new(&device, operation, 2);
        for portable in [false, true] {
            let found = error(&trial.answers(portable), &truth);
            assert!(found <= operation.bound(), "{operation}, portable {portable}: {found:e}");
            let (forward, both) = trial.times(portable, 1, &|| ());
            assert!(forward > 0.0 && both.is_some() == operation.has_backward());
        }
    }

    #[test]
    fn what_is_missing_or_no_number_is_an_error() {
        let truth = [vec![1.0, -2.0], vec![0.0]];
        assert_eq!(error(&[vec![1.0, -2.5], vec![0.0]], &truth), 0.25);
        assert!(error(&[vec![1.0, f64::NAN], vec![0.5]], &truth).is_nan());
        assert!(error(&[vec![f64::NAN, -2.0], vec![0.0]], &truth).is_nan());
        assert!(error(&[vec![1.0, -2.0]], &truth).is_nan());
        assert!(error(&[vec![1.0], vec![0.0]], &truth).is_nan());
    }
}
