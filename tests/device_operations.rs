//! Every operation of dfdx that idode calls, value and gradient, on the device of the test against the processor; and dfdx's
//! bug in the gradient of a reshape, which the device's tests must be able to see.

#![allow(clippy::unwrap_used)]

mod device;

use device::{OnDevice, on_test_device};
use dfdx::prelude::*;
use idode::tensor::Kernels;

/// A tensor that records.
type Taped<S, D> = Tensor<S, f64, D, OwnedTape<f64, D>>;

/// What an operation gave, by its name.
type Answers = Vec<(String, Vec<f64>)>;

/// A tensor whose gradient is compared.
trait Input<D: Kernels<f64>> {
    fn gradient(&self, gradients: &Gradients<f64, D>) -> Vec<f64>;
}

impl<S: Shape, D: Kernels<f64>> Input<D> for Tensor<S, f64, D> {
    fn gradient(&self, gradients: &Gradients<f64, D>) -> Vec<f64> {
        gradients.get(self).as_vec()
    }
}

/// Numbers from 0.5 to 2.5 without an order.
fn numbers<S: Shape, D: Kernels<f64>>(device: &D, shape: S, seed: usize) -> Tensor<S, f64, D> {
    let number = |i: usize| 1.5 + (1.7 * (i + 31 * seed) as f64).sin();
    device.upload(&(0..shape.num_elements()).map(number).collect::<Vec<f64>>(), shape)
}

/// The value, and the gradients of a sum of all elements with weights.
fn record<S: Shape, D: Kernels<f64>>(
    found: &mut Answers,
    name: &str,
    y: Taped<S, D>,
    inputs: &[&dyn Input<D>],
) {
    found.push((name.to_owned(), y.as_vec()));
    let weights = numbers(&y.device().clone(), *y.shape(), 7);
    let gradients = (y * weights).sum::<Rank0, _>().backward();
    for (i, input) in inputs.iter().enumerate() {
        found.push((format!("{name}, gradient {i}"), input.gradient(&gradients)));
    }
}

type Matrix = (usize, usize);

fn of_one<D: Kernels<f64>>(found: &mut Answers, device: &D) {
    type Of<D> = fn(Taped<Matrix, D>) -> Taped<Matrix, D>;
    let operations: [(&str, Of<D>); 15] = [
        ("add a number", |x| x + 0.7),
        ("subtract a number", |x| x - 0.7),
        ("multiply by a number", |x| x * -0.7),
        ("divide by a number", |x| x / 0.7),
        ("square", |x| x.square()),
        ("sqrt", |x| x.sqrt()),
        ("recip", |x| x.recip()),
        ("sigmoid", |x| x.sigmoid()),
        ("sin", |x| x.sin()),
        ("cos", |x| x.cos()),
        ("exp", |x| x.exp()),
        ("ln", |x| x.ln()),
        ("abs", |x| (x - 1.5).abs()),
        ("negate", |x| -x),
        ("softmax", |x| x.softmax::<Axis<1>>()),
    ];
    for (name, of) in operations {
        let x = numbers(device, (3, 4), 1);
        record(found, name, of(x.leaky_trace()), &[&x]);
        let x = numbers(device, (4, 3), 2);
        record(found, &format!("{name}, permuted"), of(x.leaky_trace().permute::<_, Axes2<1, 0>>()), &[&x]);
        let x = numbers(device, (4,), 3);
        let broadcast = x.leaky_trace().broadcast_like::<_, Axis<0>>(&(3usize, 4usize));
        // The sum makes a tensor with all its numbers of what is broadcast.
        let zeros = device.zeros_like(&(3usize, 4usize));
        record(found, &format!("{name}, broadcast"), of(broadcast) + zeros, &[&x]);
    }
}

fn of_two<D: Kernels<f64>>(found: &mut Answers, device: &D) {
    type Of<D> = fn(Taped<Matrix, D>, Taped<Matrix, D>) -> Taped<Matrix, D>;
    let operations: [(&str, Of<D>); 6] = [
        ("add", |x, y| x + y),
        ("sub", |x, y| x - y),
        ("mul", |x, y| x * y),
        ("div", |x, y| x / y),
        ("maximum", |x, y| x.maximum(y)),
        ("choose", |x, y| x.ge(&y).choose(x, y)),
    ];
    let shape = (3usize, 4usize);
    for (name, of) in operations {
        let (x, y) = (numbers(device, shape, 1), numbers(device, shape, 2));
        record(found, name, of(x.leaky_trace(), y.leaky_trace()), &[&x, &y]);
        let y = numbers(device, (4, 3), 3);
        let permuted = y.leaky_trace().permute::<_, Axes2<1, 0>>();
        record(found, &format!("{name}, permuted"), of(x.leaky_trace(), permuted), &[&x, &y]);
        let y = numbers(device, (4,), 4);
        let rows = |y: &Tensor<(usize,), f64, D>| y.leaky_trace().broadcast_like::<_, Axis<0>>(&shape);
        record(found, &format!("{name}, a row"), of(x.leaky_trace(), rows(&y)), &[&x, &y]);
        record(found, &format!("{name}, a row first"), of(rows(&y), x.leaky_trace()), &[&x, &y]);
        let z = numbers(device, (3,), 5);
        let columns = z.leaky_trace().broadcast_like::<_, Axis<1>>(&shape);
        record(found, &format!("{name}, a column"), of(x.leaky_trace(), columns), &[&x, &z]);
        let columns = z.leaky_trace().broadcast_like::<_, Axis<1>>(&shape);
        record(found, &format!("{name}, a row and a column"), of(rows(&y), columns), &[&y, &z]);
    }
}

fn of_axes<D: Kernels<f64>>(found: &mut Answers, device: &D) {
    let x = numbers(device, (3usize, 200usize, 2usize), 1);
    let taped = || x.leaky_trace();
    record(found, "sum of the last", taped().sum::<(usize, usize), Axis<2>>(), &[&x]);
    record(found, "sum of the middle", taped().sum::<(usize, usize), Axis<1>>(), &[&x]);
    record(found, "sum of the first", taped().sum::<(usize, usize), Axis<0>>(), &[&x]);
    record(found, "sum of two", taped().sum::<(usize,), Axes2<0, 2>>(), &[&x]);
    record(found, "mean of two", taped().mean::<(usize,), Axes2<1, 2>>(), &[&x]);
    let of_all = taped().mean::<(), _>().broadcast_like::<_, Axis<0>>(&(2usize,));
    record(found, "mean of all", of_all, &[&x]);
    record(found, "max of the middle", taped().max::<(usize, usize), Axis<1>>(), &[&x]);
    let row = numbers(device, (4,), 2);
    let rows = row.leaky_trace().broadcast_like::<_, Axis<0>>(&(5usize, 4usize));
    record(found, "sum of what is broadcast", rows.sum::<(usize,), Axis<0>>(), &[&row]);
}

fn of_products<D: Kernels<f64>>(found: &mut Answers, device: &D) {
    let (x, y) = (numbers(device, (3usize, 4usize), 1), numbers(device, (4usize, 5usize), 2));
    record(found, "matmul", x.leaky_trace().matmul(y.leaky_trace()), &[&x, &y]);
    let y = numbers(device, (5usize, 4usize), 3);
    let turned = y.leaky_trace().permute::<_, Axes2<1, 0>>();
    record(found, "matmul with a transpose", x.leaky_trace().matmul(turned), &[&x, &y]);
    let x = numbers(device, (2usize, 3usize, 4usize), 4);
    let y = numbers(device, (2usize, 5usize, 4usize), 5);
    let turned = y.leaky_trace().permute::<_, Axes3<0, 2, 1>>();
    record(found, "matmul of a batch", x.leaky_trace().matmul(turned), &[&x, &y]);
}

fn of_layout<D: Kernels<f32> + Kernels<f64>>(found: &mut Answers, device: &D) {
    let x = numbers(device, (2usize, 3usize, 4usize), 1);
    let y = numbers(device, (2usize, 2usize, 4usize), 2);
    let shape = (6usize, 4usize);
    record(found, "reshape", x.leaky_trace().reshape_like(&shape), &[&x]);
    let permuted = x.leaky_trace().permute::<_, Axes3<2, 0, 1>>();
    record(found, "reshape, permuted", permuted.reshape_like(&shape), &[&x]);
    let both = (x.leaky_trace(), y.leaky_trace()).concat_along(Axis::<1>);
    record(found, "concatenation within", both, &[&x, &y]);
    let z = numbers(device, (3usize, 3usize, 4usize), 3);
    let both = (x.leaky_trace(), z.leaky_trace()).concat_along(Axis::<0>);
    record(found, "concatenation", both, &[&x, &z]);
    found.push(("slice".to_owned(), x.clone().slice((0..2usize, 1..3usize, 1..4usize)).as_vec()));
    let stack = vec![numbers(device, (4usize,), 4), numbers(device, (4usize,), 5)].stack();
    found.push(("stack".to_owned(), stack.as_vec()));
    let single = x.clone().to_dtype::<f32>();
    found.push(("in single precision".to_owned(), single.square().to_dtype::<f64>().as_vec()));

    let index = |taken: &[usize]| device.tensor_from_vec(taken.to_vec(), (taken.len(),));
    let rows = numbers(device, (4usize, 3usize), 6);
    record(found, "gather rows", rows.leaky_trace().gather(index(&[2, 0, 2, 3, 1])), &[&rows]);
    let each = index(&[2, 0, 2, 1]).broadcast_like::<_, Axis<0>>(&(2usize, 4usize));
    record(found, "gather within", x.leaky_trace().gather(each), &[&x]);
    let vector = numbers(device, (6usize,), 8);
    record(found, "gather numbers", vector.leaky_trace().gather(index(&[5, 5, 0])), &[&vector]);
}

#[test]
fn every_operation_is_that_of_the_processor() {
    struct Compute;
    impl OnDevice for Compute {
        type Out = Answers;
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) -> Answers {
            let mut found = Vec::new();
            of_one(&mut found, &device);
            of_two(&mut found, &device);
            of_axes(&mut found, &device);
            of_products(&mut found, &device);
            of_layout(&mut found, &device);
            found
        }
    }
    let (here, there) = (Compute.run(Cpu::default()), on_test_device(Compute));
    assert_eq!(here.len(), there.len());
    for ((name, here), (_, there)) in here.iter().zip(&there) {
        assert_eq!(here.len(), there.len(), "{name}");
        let largest = here.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        for (a, b) in here.iter().zip(there) {
            // Sums of up to 400 terms in another order.
            assert!((a - b).abs() <= 1e-13 * largest, "{name}: {here:?} {there:?}");
        }
    }
    println!("{} answers", here.len());
}

/// The gradient at three numbers that are broadcast to two rows and reshaped, `to` being the way to the other shape.
fn reshaped<D: Kernels<f64>>(device: &D, to: impl Fn(Taped<Matrix, D>) -> Taped<(usize,), D>) -> Vec<f64> {
    let x: Tensor<(usize,), f64, D> = device.upload(&[1.0, 2.0, 3.0], (3,));
    let weights = device.upload(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (6,));
    let y = to(x.leaky_trace().broadcast_like::<_, Axis<0>>(&(2, 3)));
    (y * weights).sum::<Rank0, _>().backward().get(&x).as_vec()
}

/// What is reshaped is no tensor with all its numbers: on CUDA dfdx loses the second row, and every test of a device that compares
/// gradients would see it. (Should this fail since dfdx is right one day, the rule of `tensor::reshape` can go.)
#[test]
fn dfdx_loses_the_gradient_of_a_broadcast_tensor_that_is_reshaped() {
    struct Reshape;
    impl OnDevice for Reshape {
        type Out = (bool, Vec<f64>);
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) -> Self::Out {
            (<D as Kernels<f64>>::ON_HOST, reshaped(&device, |x| x.reshape_like(&(6,))))
        }
    }
    let right = vec![5.0, 7.0, 9.0];
    assert_eq!(Reshape.run(Cpu::default()), (true, right.clone()));
    let (on_host, there) = on_test_device(Reshape);
    assert_eq!(there, if on_host { right } else { vec![1.0, 2.0, 3.0] });
}

/// So our one way to another shape refuses it, on every device.
#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "a broadcast tensor of shape (2, 3) is reshaped")]
fn our_reshape_refuses_it() {
    use idode::tensor::{Mode, Plain};

    struct Reshape;
    impl OnDevice for Reshape {
        type Out = ();
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) {
            reshaped(&device, |x| <Plain<OwnedTape<f64, D>> as Mode<f64, D>>::reshape(x, (6,)));
        }
    }
    on_test_device(Reshape);
}
