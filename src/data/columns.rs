//! Arrays whose first axis runs fastest, turned into rows.

use crate::data::checked_read::{read_error, require_end};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of the rows that are held at once.
const BLOCK: usize = 1 << 26;

/// The bytes of an array in row-major order, read from a temporary file that has them in column-major order.
#[derive(Debug)]
pub(crate) struct Rows {
    columns: File,
    images: usize,
    /// For each value of a row, which column of the file it is in.
    order: Vec<usize>,
    /// Bytes of a value.
    size: usize,
    next: usize,
    block: Vec<u8>,
    position: usize,
}

impl Rows {
    /// Copies the values that `reader` has, of `size` bytes each, to a temporary file, to be read from there by rows.
    ///
    /// # Errors
    /// If there are fewer or more bytes than `shape`, whose first axis is that of the rows, asks for.
    pub(crate) fn of_columns(
        path: &Path,
        what: &str,
        reader: &mut dyn Read,
        size: usize,
        shape: &[usize],
    ) -> Result<Self> {
        let temporary = std::env::temp_dir();
        let mut columns = tempfile::tempfile().map_err(Error::io(&temporary, "create a file in"))?;
        let expected = (size * shape.iter().product::<usize>()) as u64;
        let copied = copy(reader, &mut columns, expected).map_err(|failure| match failure {
            Failure::Read(e) => read_error(path, what, e),
            Failure::Written(e) => Error::io(&temporary, "write to")(e),
        })?;
        if copied < expected {
            let found = format!("a truncated file ({copied} bytes)");
            return Err(Error::format(path, what, found, format!("{expected} bytes, as the header says")));
        }
        require_end(path, what, reader)?;
        let (images, order) = (shape[0], order(&shape[1..]));
        Ok(Self { columns, images, order, size, next: 0, block: Vec::new(), position: 0 })
    }

    /// Turns the next rows, as many as fit a block.
    fn turn(&mut self) -> io::Result<()> {
        let (size, d) = (self.size, self.order.len());
        let rows = (BLOCK / (d * size).max(1)).clamp(1, self.images - self.next);
        self.block.resize(rows * d * size, 0);
        let mut column = vec![0; rows * size];
        for (value, &from) in self.order.iter().enumerate() {
            self.columns.seek(SeekFrom::Start(((from * self.images + self.next) * size) as u64))?;
            self.columns.read_exact(&mut column)?;
            for (row, bytes) in column.chunks_exact(size).enumerate() {
                let at = (row * d + value) * size;
                self.block[at..at + size].copy_from_slice(bytes);
            }
        }
        (self.next, self.position) = (self.next + rows, 0);
        Ok(())
    }
}

impl Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.block.len() && self.next < self.images {
            self.turn()?;
        }
        let n = buffer.len().min(self.block.len() - self.position);
        buffer[..n].copy_from_slice(&self.block[self.position..self.position + n]);
        self.position += n;
        Ok(n)
    }
}

/// The column of each value of a row whose axes are `sides`: with the last axis fastest here, the first there.
fn order(sides: &[usize]) -> Vec<usize> {
    let column = |value: usize| {
        let (mut rest, mut block, mut at) = (value, sides.iter().product::<usize>(), 0);
        for &side in sides.iter().rev() {
            block /= side;
            at += rest % side * block;
            rest /= side;
        }
        at
    };
    (0..sides.iter().product()).map(column).collect()
}

enum Failure {
    Read(io::Error),
    Written(io::Error),
}

/// Copies up to `limit` bytes, and tells reading that fails from writing that does.
fn copy(reader: &mut dyn Read, to: &mut File, limit: u64) -> Result<u64, Failure> {
    let (mut left, mut buffer) = (limit, vec![0; 1 << 16]);
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = match reader.read(&mut buffer[..most]) {
            Ok(0) => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(Failure::Read)?,
        };
        io::Write::write_all(to, &buffer[..n]).map_err(Failure::Written)?;
        left -= n as u64;
    }
    Ok(limit - left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_in_its_column() {
        // numpy.arange(24).reshape(2, 3, 4).ravel("F").argsort()
        let expected = [0, 6, 12, 18, 2, 8, 14, 20, 4, 10, 16, 22, 1, 7, 13, 19, 3, 9, 15, 21, 5, 11, 17, 23];
        assert_eq!(order(&[2, 3, 4]), expected);
        assert_eq!(order(&[5]), [0, 1, 2, 3, 4]);
    }
}
