//! dfdx 0.13's CUDA kernels by name, as functions of their launch arguments.
//!
//! Written from the arguments and the meaning of the CUDA sources in dfdx's `src/tensor_ops`. A kernel panics where it would leave a
//! buffer.

mod binary;
mod choice;
mod gather;
mod layout;
mod reduction;
mod unary;

use crate::arguments::Arguments;
use crate::memory::Element;
use num_traits::Float;

/// A kernel: reads its arguments, computes.
pub(crate) type Kernel = Box<dyn Fn(&mut Arguments<'_>)>;

/// A floating-point number of the device.
pub(crate) trait Number: Element + Float {}
impl<T: Element + Float> Number for T {}

/// The kernel of a name; `types` are those of its parameters where its module tells them.
pub(crate) fn find(name: &str, types: &[String]) -> Option<Kernel> {
    if let Some(kernel) = layout::compiled(name, types).or_else(|| choice::boolean(name)) {
        return Some(kernel);
    }
    let (name, kind) = name.rsplit_once('_')?;
    match kind {
        "f32" => of::<f32>(name),
        "f64" => of::<f64>(name),
        "usize" => layout::slice::<usize>(name),
        "bool" => layout::slice::<u8>(name),
        _ => None,
    }
}

fn of<T: Number>(name: &str) -> Option<Kernel> {
    let rooms: [fn(&str) -> Option<Kernel>; 8] = [
        unary::find::<T>,
        binary::find::<T>,
        reduction::find::<T>,
        gather::find::<T>,
        choice::choose::<T>,
        choice::comparison::<T>,
        layout::slice::<T>,
        layout::slice_gradient::<T>,
    ];
    rooms.iter().find_map(|find| find(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_their_whole_name() {
        let float = ["size_t".to_owned(), "float".to_owned(), "float".to_owned()];
        for name in ["square_fwd_f32", "bmul_bwd_rhs_f64", "sum_to_fwd_f32", "slice_fwd_usize", "boolean_and"]
        {
            assert!(find(name, &[]).is_some(), "{name}");
        }
        assert!(find("stack_bwd", &float).is_some());
        for name in ["square_fwd_f16", "square_f32", "cube_fwd_f32", "slice_bwd_usize", "stack_bwd", "square"]
        {
            assert!(find(name, &[]).is_none(), "{name}");
        }
    }
}
