//! Patches of images as rows of a matrix.

use std::cell::RefCell;
use std::sync::Mutex;

/// A batch of images as a convolution sees it: several inputs side by side.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) rows: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// 1 or 3 taps a side.
    pub(super) size: usize,
}

impl Geometry {
    /// The lines of pixels of the whole batch.
    pub(super) fn lines(&self) -> usize {
        self.rows * self.height
    }

    /// The lines of one unit of work: about 512 positions, so that a unit's patches stay in the
    /// second-level cache and the packing of the weights is paid once for many of them.
    pub(super) fn lines_per_unit(&self) -> usize {
        (512 / self.width.max(1)).clamp(1, self.lines().max(1))
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of zeros that the process keeps between calls, whatever thread asks.
pub(super) fn pooled<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
    let mut buffer = POOL.lock().ok().and_then(|mut pool| pool.pop()).unwrap_or_default();
    buffer.clear();
    buffer.resize(len, 0.0);
    let result = f(&mut buffer);
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

/// Writes the patches of the positions of `lines` to `out`: a row per position, holding the
/// channels of all `inputs` side by side for each tap in row-major order, zeros outside the image.
///
/// Each input is `(numbers, channels)`.
pub(super) fn patches(
    geometry: &Geometry,
    inputs: &[(&[f32], usize)],
    lines: std::ops::Range<usize>,
    out: &mut [f32],
) {
    let (height, width) = (geometry.height, geometry.width);
    let reach = geometry.size / 2;
    let channels: usize = inputs.iter().map(|(_, c)| c).sum();
    let columns = geometry.size * geometry.size * channels;
    for (line, out) in lines.zip(out.chunks_exact_mut(width * columns)) {
        let y = line % height;
        for dy in 0..geometry.size {
            let outside = y + dy < reach || y + dy >= height + reach;
            for (x, patch) in out.chunks_exact_mut(columns).enumerate() {
                let row = &mut patch[dy * geometry.size * channels..][..geometry.size * channels];
                if outside {
                    row.fill(0.0);
                    continue;
                }
                let source = (line + dy - reach) * width;
                if let [(data, c)] = inputs {
                    // The taps of one line are neighbours in memory: one copy, cut at the borders.
                    let first = x.saturating_sub(reach);
                    let last = (x + reach).min(width - 1);
                    let skip = (first + reach - x) * c;
                    let len = (last + 1 - first) * c;
                    row[..skip].fill(0.0);
                    row[skip..skip + len].copy_from_slice(&data[(source + first) * c..][..len]);
                    row[skip + len..].fill(0.0);
                } else {
                    for (dx, tap) in row.chunks_exact_mut(channels).enumerate() {
                        if x + dx < reach || x + dx >= width + reach {
                            tap.fill(0.0);
                            continue;
                        }
                        let mut tap = tap;
                        for (data, c) in inputs {
                            let (own, rest) = tap.split_at_mut(*c);
                            own.copy_from_slice(&data[(source + x + dx - reach) * c..][..*c]);
                            tap = rest;
                        }
                    }
                }
            }
        }
    }
}
