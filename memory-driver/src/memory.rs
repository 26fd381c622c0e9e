//! The device's memory: buffers of the host, by address.

use cudarc::driver::sys::CUresult;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// What a function of the driver answers.
pub(crate) type Answer<T = ()> = Result<T, CUresult>;

/// Words of a buffer, which align it for every element.
type Word = u128;

/// A buffer: its length as it was asked for, and the words that hold it.
struct Buffer {
    bytes: usize,
    words: *mut [Word],
}

// SAFETY: a buffer is reached through the map alone, behind a lock, or by a kernel of the thread that owns the device.
unsafe impl Send for Buffer {}

/// Every buffer by its first address, and the number of bytes in them.
#[derive(Default)]
struct Memory {
    buffers: BTreeMap<u64, Buffer>,
    used: usize,
}

static MEMORY: Mutex<Memory> = Mutex::new(Memory { buffers: BTreeMap::new(), used: 0 });

fn memory() -> MutexGuard<'static, Memory> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes the device has.
fn total() -> usize {
    static TOTAL: OnceLock<usize> = OnceLock::new();
    let asked = || std::env::var("IDODE_MEMORY_DRIVER_BYTES").ok()?.parse().ok();
    *TOTAL.get_or_init(|| asked().unwrap_or(isize::MAX as usize))
}

/// The bytes that are free, and all there are.
pub(crate) fn free_and_total() -> (usize, usize) {
    (total().saturating_sub(memory().used), total())
}

/// Words before a buffer and after it: what a kernel in C writes there is found.
const GUARD: usize = 16;

/// What they are full of: a signalling NaN, which arithmetic makes a quiet one, so that adding to it is found as well.
const UNTOUCHED: Word = 0xffa5_a5a5_ffa5_a5a5_ffa5_a5a5_ffa5_a5a5;

/// A new buffer, full of ones: NaN in every floating-point number.
pub(crate) fn allocate(bytes: usize) -> Answer<u64> {
    let mut memory = memory();
    if bytes > total().saturating_sub(memory.used) {
        return Err(CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    }
    // A buffer of nothing has an address of its own too.
    let words = vec![UNTOUCHED; bytes.div_ceil(size_of::<Word>()).max(1) + 2 * GUARD].into_boxed_slice();
    let words = Box::into_raw(words);
    // SAFETY: so many bytes of the words lie between the guards.
    unsafe { words.cast::<Word>().add(GUARD).cast::<u8>().write_bytes(u8::MAX, bytes) };
    let address = words.cast::<Word>().wrapping_add(GUARD) as u64;
    memory.used += bytes;
    memory.buffers.insert(address, Buffer { bytes, words });
    Ok(address)
}

impl Buffer {
    /// Whether what lies around the bytes is as it was.
    fn is_intact(&self) -> bool {
        // SAFETY: the words are the buffer's as long as it is in the map; kernels of other threads write within buffers of their own.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.words.cast::<u8>(), self.words.len() * size_of::<Word>())
        };
        let guard = GUARD * size_of::<Word>();
        let untouched = UNTOUCHED.to_ne_bytes();
        let around = (0..guard).chain(guard + self.bytes..bytes.len());
        around.into_iter().all(|at| bytes[at] == untouched[at % untouched.len()])
    }
}

/// Whether nothing was written around the buffer of an address.
pub(crate) fn is_intact(address: u64) -> bool {
    let memory = memory();
    memory.buffers.range(..=address).next_back().is_some_and(|(_, buffer)| buffer.is_intact())
}

/// Whether nothing was written around any buffer.
pub(crate) fn are_intact() -> bool {
    memory().buffers.values().all(Buffer::is_intact)
}

/// Gives a buffer back.
pub(crate) fn free(address: u64) -> Answer {
    let mut memory = memory();
    let buffer = memory.buffers.remove(&address).ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
    memory.used -= buffer.bytes;
    let intact = buffer.is_intact();
    // SAFETY: it was a box, and it has left the map.
    drop(unsafe { Box::from_raw(buffer.words) });
    if intact { Ok(()) } else { Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS) }
}

/// How many bytes of its buffer begin at an address.
fn rest(address: u64) -> Answer<usize> {
    let memory = memory();
    let before = memory.buffers.range(..=address).next_back();
    let rest = before.and_then(|(start, buffer)| buffer.bytes.checked_sub((address - start) as usize));
    rest.ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)
}

/// A piece of the device's memory for a copy.
pub(crate) fn bytes(address: u64, length: usize) -> Answer<*mut u8> {
    match length <= rest(address)? {
        true => Ok(address as *mut u8),
        false => Err(CUresult::CUDA_ERROR_INVALID_VALUE),
    }
}

/// An element of a buffer.
///
/// # Safety
/// Any bits are one, and a buffer's alignment is enough for it.
pub(crate) unsafe trait Element: Copy + 'static {}

// SAFETY: numbers; a `bool` of the device is a byte here.
unsafe impl Element for f32 {}
// SAFETY: as above.
unsafe impl Element for f64 {}
// SAFETY: as above.
unsafe impl Element for usize {}
// SAFETY: as above.
unsafe impl Element for u8 {}

/// All elements from an address to the end of its buffer.
///
/// # Safety
/// The buffer is not freed, and no other thread uses it, while the elements are in use.
pub(crate) unsafe fn elements<'a, T: Element>(address: u64) -> Answer<&'a [Cell<T>]> {
    let bytes = rest(address)?;
    if !address.is_multiple_of(align_of::<T>() as u64) {
        return Err(CUresult::CUDA_ERROR_MISALIGNED_ADDRESS);
    }
    // SAFETY: the buffer holds as many, any bits are an element, and cells may be aliased; the rest is the caller's word.
    Ok(unsafe { std::slice::from_raw_parts(address as *const Cell<T>, bytes / size_of::<T>()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_have_their_length_and_end() {
        let address = allocate(12).unwrap();
        // SAFETY: the buffer is this test's.
        let numbers = unsafe { elements::<f32>(address) }.unwrap();
        assert_eq!(numbers.len(), 3);
        assert!(numbers.iter().all(|x| x.get().is_nan()));
        // SAFETY: as above.
        assert_eq!(unsafe { elements::<f32>(address + 4) }.unwrap().len(), 2);
        assert!(bytes(address + 8, 4).is_ok());
        assert_eq!(bytes(address + 8, 5).unwrap_err(), CUresult::CUDA_ERROR_INVALID_VALUE);
        assert_eq!(free(address + 4).unwrap_err(), CUresult::CUDA_ERROR_INVALID_VALUE);
        free(address).unwrap();
        assert_eq!(free(address).unwrap_err(), CUresult::CUDA_ERROR_INVALID_VALUE);
    }

    #[test]
    fn buffers_of_nothing_are_apart() {
        let (a, b) = (allocate(0).unwrap(), allocate(0).unwrap());
        assert!(a != b);
        // SAFETY: the buffer is this test's.
        assert!(unsafe { elements::<f64>(a) }.unwrap().is_empty());
        free(a).unwrap();
        free(b).unwrap();
    }
}
