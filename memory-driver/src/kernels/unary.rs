//! Operations on one tensor: each number in memory, whatever the strides.

use super::{Kernel, Number};

/// A function of an element and of the operation's number.
type Value<T> = fn(T, T) -> T;

/// A derivative as a function of the element, of the function's value, and of the operation's number. dfdx gives one of the two
/// or none; what is not given is 0.
type Derivative<T> = fn(T, T, T) -> T;

/// Whether the operation has a number, its function, and its derivative.
fn table<T: Number>(name: &str) -> Option<(bool, Value<T>, Derivative<T>)> {
    let row: (bool, Value<T>, Derivative<T>) = match name {
        "sadd" => (true, |x, c| x + c, |_, _, _| T::one()),
        "ssub" => (true, |x, c| x - c, |_, _, _| T::one()),
        "smul" => (true, |x, c| x * c, |_, _, c| c),
        "sdiv" => (true, |x, c| x / c, |_, _, c| c.recip()),
        "pow" => (true, |x, c| x.powf(c), |x, _, c| c * x.powf(c - T::one())),
        "negate" => (false, |x, _| -x, |_, _, _| -T::one()),
        "abs" => (false, |x, _| x.abs(), |x, _, _| if x == T::zero() { x } else { x.signum() }),
        "square" => (false, |x, _| x * x, |x, _, _| x + x),
        "sqrt" => (false, |x, _| x.sqrt(), |_, y, _| (y + y).recip()),
        "recip" => (false, |x, _| x.recip(), |_, y, _| -y * y),
        "exp" => (false, |x, _| x.exp(), |_, y, _| y),
        "ln" => (false, |x, _| x.ln(), |x, _, _| x.recip()),
        "sin" => (false, |x, _| x.sin(), |x, _, _| x.cos()),
        "cos" => (false, |x, _| x.cos(), |x, _, _| -x.sin()),
        "tanh" => (false, |x, _| x.tanh(), |_, y, _| T::one() - y * y),
        "sigmoid" => (false, |x, _| (T::one() + (-x).exp()).recip(), |_, y, _| y * (T::one() - y)),
        "relu" => {
            (false, |x, _| x.max(T::zero()), |x, _, _| if x > T::zero() { T::one() } else { T::zero() })
        }
        _ => return None,
    };
    Some(row)
}

pub(super) fn find<T: Number>(name: &str) -> Option<Kernel> {
    if let Some(name) = name.strip_suffix("_fwd") {
        let (has_number, f, _) = table::<T>(name)?;
        return Some(Box::new(move |arguments| {
            let c = number(has_number, arguments);
            let (count, x, y) =
                (arguments.number::<usize>(), arguments.buffer_or_null::<T>(), arguments.buffer::<T>());
            // In place where there is no input.
            let x = x.unwrap_or(y);
            (0..count).for_each(|i| y[i].set(f(x[i].get(), c)));
        }));
    }
    let (has_number, _, df) = table::<T>(name.strip_suffix("_bwd")?)?;
    Some(Box::new(move |arguments| {
        let c = number(has_number, arguments);
        let (count, x, dx) =
            (arguments.number::<usize>(), arguments.buffer_or_null::<T>(), arguments.buffer::<T>());
        let (y, dy) = (arguments.buffer_or_null::<T>(), arguments.buffer::<T>());
        for i in 0..count {
            let at =
                |buffer: Option<&[std::cell::Cell<T>]>| buffer.map_or(T::zero(), |buffer| buffer[i].get());
            dx[i].set(dx[i].get() + df(at(x), at(y), c) * dy[i].get());
        }
    }))
}

/// The operation itself, the first argument.
fn number<T: Number>(has_number: bool, arguments: &mut crate::arguments::Arguments<'_>) -> T {
    if has_number {
        return arguments.number();
    }
    arguments.skip();
    T::zero()
}
