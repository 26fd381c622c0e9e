//! Loops over parts of tensors by all threads.

use rayon::prelude::*;
use std::sync::Mutex;

/// Does `work` on every item and its index, by all threads.
///
/// The loop itself is compiled once, not for each `work`: a thread takes the item of the index that it has come to.
pub(crate) fn each<T: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(usize, T) + Sync) {
    let mut slots = Vec::new();
    for item in items {
        slots.push(Mutex::new(Some(item)));
    }
    on_all_threads(slots.len(), &|i| {
        let item = slots[i].lock().ok().and_then(|mut item| item.take());
        if let Some(item) = item {
            work(i, item);
        }
    });
}

fn on_all_threads(count: usize, work: &(dyn Fn(usize) + Sync)) {
    (0..count).into_par_iter().for_each(work);
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn every_item_is_worked_on_once_with_its_index() {
        let (mut to, from): (Vec<usize>, Vec<usize>) = (vec![0; 1001], (0..1001).collect());
        each(to.chunks_mut(10).zip(from.chunks(10)), |i, (to, from)| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from + 10_000 * i);
        });
        assert!(to.iter().enumerate().all(|(at, found)| *found == at + 10_000 * (at / 10)));
        each([(); 0], |_, ()| unreachable!());
    }
}
