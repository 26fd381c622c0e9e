//! The arguments of a launch, one by one.

use crate::memory::{Element, elements};
use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;

/// A launch of a kernel: its arguments from the first, and its threads.
pub(crate) struct Arguments<'a> {
    next: *const *const c_void,
    pub(crate) block: usize,
    pub(crate) threads: usize,
    buffers: PhantomData<&'a [Cell<u8>]>,
}

impl<'a> Arguments<'a> {
    /// # Safety
    /// There are as many pointers as will be read, each to an argument of the type that is read; and the buffers are not
    /// freed, nor used by another thread, while this value lives.
    pub(crate) unsafe fn new(first: *const *const c_void, block: usize, threads: usize) -> Self {
        Self { next: first, block, threads, buffers: PhantomData }
    }

    fn pointer(&mut self) -> *const c_void {
        // SAFETY: there is one more, by the word of `new`.
        unsafe {
            let pointer = *self.next;
            self.next = self.next.add(1);
            pointer
        }
    }

    /// A number.
    pub(crate) fn number<T: Element>(&mut self) -> T {
        // SAFETY: the argument is a `T`, by the word of `new`.
        unsafe { self.pointer().cast::<T>().read_unaligned() }
    }

    /// An argument of no size.
    pub(crate) fn skip(&mut self) {
        self.pointer();
    }

    /// A buffer, from the address to its end; `None` for a null pointer.
    #[allow(clippy::panic)]
    pub(crate) fn buffer_or_null<T: Element>(&mut self) -> Option<&'a [Cell<T>]> {
        // SAFETY: the argument is an address, by the word of `new`.
        let address = unsafe { self.pointer().cast::<u64>().read_unaligned() };
        // SAFETY: nobody frees or uses it meanwhile, by the word of `new`.
        let found = (address != 0).then(|| unsafe { elements::<T>(address) });
        found.map(|found| {
            found.unwrap_or_else(|error| panic!("an argument is no buffer's address: {error:?}"))
        })
    }

    /// A buffer, from the address to its end.
    #[allow(clippy::expect_used)]
    pub(crate) fn buffer<T: Element>(&mut self) -> &'a [Cell<T>] {
        self.buffer_or_null().expect("an argument is a null pointer")
    }

    /// A table of lengths and strides.
    pub(crate) fn table(&mut self) -> Vec<usize> {
        self.buffer::<usize>().iter().map(Cell::get).collect()
    }
}
