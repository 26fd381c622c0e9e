//! Buffers that are kept between calls.

use std::cell::RefCell;
use std::sync::Mutex;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of `len` numbers that the process keeps between calls, whatever thread asks. Its content is arbitrary.
pub(super) fn lend<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
    let mut buffer = POOL.lock().ok().and_then(|mut pool| pool.pop()).unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = f(&mut buffer[..len]);
    if let Ok(mut pool) = POOL.lock() {
        pool.push(buffer);
    }
    result
}

/// Lends a buffer of `len` numbers that this thread keeps between calls. Its content is arbitrary.
pub(super) fn scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SCRATCH.with(|cell| std::mem::take(&mut *cell.borrow_mut()));
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = f(&mut buffer[..len]);
    SCRATCH.with(|cell| *cell.borrow_mut() = buffer);
    result
}
