//! What is added to gradients: another gradient, and sums over positions and rows, `source/elementwise.cu` and `source/sums.cu`.

use super::group_norm::{Images, Mask, SLAB};
use super::launch::{Engine, View, arguments, element_blocks, flag, index, int};
use super::scratch::Room;
use super::storage::{Ghost, Store};
use dfdx::prelude::*;

/// `y += x`.
pub(super) fn add(engine: &Engine, y: View, x: View) -> Result<(), CudaError> {
    let [key, threshold, kept, first] = Mask::new(None, 0).arguments();
    let count = x.len();
    engine.launch(
        "masked",
        element_blocks(count),
        arguments![y.part(0, count), x, index(count), key, threshold, kept, first, flag(true)],
    )
}

/// Adds the sums over positions to the gradient of the shift, and those of all rows to that of the bias.
pub(super) fn sums(
    engine: &Engine,
    images: Images,
    out: usize,
    gy: View,
    (shift, bias): (&Option<Ghost>, &Option<Tensor<(usize,), f32, Cuda>>),
    store: &mut Store,
) -> Result<(), CudaError> {
    if shift.is_none() && bias.is_none() {
        return Ok(());
    }
    let Images { rows, positions } = images;
    let slabs = images.slabs();
    engine.scratch(rows * out * (slabs + 1), |room| {
        let mut room = Room::new(room);
        let (part, row) = (room.cut(rows * slabs * out), room.cut(rows * out));
        let [channels, of_slabs] = [out, slabs].map(int);
        engine.launch(
            "sum_slabs",
            rows * slabs,
            arguments![part, gy, int(positions), channels, of_slabs, int(SLAB)],
        )?;
        let count = rows * out;
        let of = arguments![row, part, index(count), of_slabs, channels, flag(false)];
        engine.launch("sum_inner", element_blocks(count), of)?;
        if let Some(shift) = shift {
            add(engine, shift.gradient(store)?, row)?;
        }
        if let Some(bias) = bias {
            let to = Ghost::of(bias).gradient(store)?;
            let of = arguments![to, row, index(out), int(rows), channels, flag(true)];
            engine.launch("sum_inner", element_blocks(out), of)?;
        }
        Ok(())
    })
}
