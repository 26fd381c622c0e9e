//! Arrays of images and of labels, whatever kind of file they come in.

use crate::data::checked_read::{fill, require_end};
use crate::data::columns::Rows;
use crate::data::element::Element;
use crate::data::shape::ImageShape;
use crate::data::unpack::unbounded;
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The longest side of an image, and the most values in one: a header cannot ask for all memory.
const LONGEST_SIDE: usize = 65536;
const MOST_VALUES: usize = 1 << 28;

/// What an array's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Array {
    pub(crate) element: Element,
    /// The length along each axis, outermost first.
    pub(crate) shape: Vec<usize>,
    /// Whether the first axis runs fastest (Fortran's order), not the last one.
    pub(crate) column_major: bool,
}

impl Array {
    /// The shape of the images: axes (image, height, width) or (image, height, width, channels).
    ///
    /// # Errors
    /// If the axes are others, or there is no image, or one that is empty or larger than any can be.
    pub(crate) fn image_shape(&self, path: &Path, entry: &str) -> Result<ImageShape> {
        let wrong = |expected: &str| {
            Err(Error::format(path, what(entry, "shape"), format!("{:?}", self.shape), expected))
        };
        let shape = match self.shape[..] {
            [_, height, width] => ImageShape::new(height, width, 1),
            [_, height, width, channels] => ImageShape::new(height, width, channels),
            _ => return wrong("3 or 4 axes (image, height, width, channels)"),
        };
        let sides = [shape.height, shape.width, shape.channels];
        if self.shape[0] == 0 {
            return wrong("at least one image");
        }
        if sides.iter().any(|side| !(1..=LONGEST_SIDE).contains(side)) {
            return wrong("images with sides of 1 to 65536");
        }
        if shape.dims() > MOST_VALUES {
            return wrong("images of at most 2^28 values");
        }
        Ok(shape)
    }

    /// [`image_shape`](Self::image_shape) where nobody has said what it is.
    ///
    /// # Errors
    /// As there, and if the channels seem to come first: images of a height of 1 or 3 with many channels.
    pub(crate) fn unsaid_shape(&self, path: &Path, entry: &str) -> Result<ImageShape> {
        let shape = self.image_shape(path, entry)?;
        match matches!(shape.height, 1 | 3) && shape.width > 4 && shape.channels > 4 {
            false => Ok(shape),
            true => {
                let expected =
                    "channels last, (image, height, width, channels), or data.shape to say that they are";
                Err(Error::format(path, what(entry, "shape"), format!("{:?}", self.shape), expected))
            }
        }
    }

    /// Hands each row (what the first index chooses) to `push` with what errors call it, and then the end of the file
    /// must come.
    pub(crate) fn rows(
        &self,
        path: &Path,
        entry: &str,
        reader: &mut dyn Read,
        push: &mut dyn FnMut(&str, &[u16]) -> Result<()>,
    ) -> Result<()> {
        let (images, d) = (self.shape[0], self.shape[1..].iter().product::<usize>());
        if d > MOST_VALUES {
            return Err(Error::format(path, what(entry, "values of an image"), d, "at most 2^28"));
        }
        let mut turned;
        let reader = match self.column_major {
            false => reader,
            true => {
                let (what, size) = (what(entry, "values"), self.element.bytes());
                turned = unbounded(Box::new(Rows::of_columns(path, &what, reader, size, &self.shape)?));
                &mut turned
            }
        };
        let (mut bytes, mut levels) = (vec![0; d * self.element.bytes()], Vec::with_capacity(d));
        for i in 0..images {
            let row = what(entry, &format!("image {i} of {images}"));
            fill(path, &row, reader, &mut bytes)?;
            levels.clear();
            self.decode(path, &row, 0, &bytes, &mut levels)?;
            push(&row, &levels)?;
        }
        require_end(path, &what(entry, "values"), reader)
    }

    /// All values, in the order that they have in the file.
    pub(crate) fn values(&self, path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Vec<u16>> {
        const CHUNK: usize = 1 << 14;
        let (count, mut values) = (self.shape.iter().product::<usize>(), Vec::new());
        let mut bytes = vec![0; CHUNK * self.element.bytes()];
        // The header is not trusted with an allocation: memory grows with what is really there.
        while values.len() < count {
            let first = values.len();
            let bytes = &mut bytes[..CHUNK.min(count - first) * self.element.bytes()];
            fill(path, &what(entry, &format!("value {first} of {count} and more")), reader, bytes)?;
            self.decode(path, entry, first, bytes, &mut values)?;
        }
        require_end(path, &what(entry, "values"), reader)?;
        Ok(values)
    }

    /// The values of an array of one label an image: axes (image) or (image, 1).
    pub(crate) fn labels(&self, path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Vec<u16>> {
        match self.shape[..] {
            [_] | [_, 1] => self.values(path, entry, reader),
            _ => {
                let expected = "1 axis, a label for each image";
                Err(Error::format(path, what(entry, "shape"), format!("{:?}", self.shape), expected))
            }
        }
    }

    fn decode(&self, path: &Path, entry: &str, first: usize, bytes: &[u8], to: &mut Vec<u16>) -> Result<()> {
        self.element.decode(bytes, to).map_err(|(at, found)| {
            let value = what(entry, &format!("value {}", first + at));
            Error::format(path, value, found, "a whole number from 0 to 65535")
        })
    }

    /// The bytes of all values, if the header does not ask for more than a file can have.
    pub(crate) fn size(&self) -> Option<usize> {
        let size = self.shape.iter().try_fold(self.element.bytes(), |n, &side| n.checked_mul(side));
        size.filter(|&size| size < 1 << 48)
    }
}

/// A part of an entry, as errors call it; an entry without a name is the file itself.
fn what(entry: &str, part: &str) -> String {
    if entry.is_empty() { part.to_owned() } else { format!("{entry}: {part}") }
}
