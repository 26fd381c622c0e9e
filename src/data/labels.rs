//! What class each image is of.

use crate::error::{Error, Result};

/// The class of each image of a set, as a number below the number of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    values: Vec<u16>,
    classes: usize,
}

impl Labels {
    /// The most classes there may be: 65536.
    pub const MOST_CLASSES: usize = 1 << 16;

    /// One label an image, out of `classes`; `what` is what errors call them.
    ///
    /// # Errors
    /// Unless `1 <= classes <= 65536`, and every label is below `classes`.
    pub fn new(what: &str, values: Vec<u16>, classes: usize) -> Result<Self> {
        if !(1..=Self::MOST_CLASSES).contains(&classes) {
            return Err(Error::value(format!("{what}: number of classes"), classes, "1 to 65536"));
        }
        match values.iter().position(|&label| usize::from(label) >= classes) {
            None => Ok(Self { values, classes }),
            Some(image) => {
                let expected = format!("0 to {}, as there are {classes} classes", classes - 1);
                Err(Error::value(format!("{what}: label of image {image}"), values[image], expected))
            }
        }
    }

    /// The label of each image.
    pub fn values(&self) -> &[u16] {
        &self.values
    }

    /// The number of classes; labels are below it.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Those of the images of these indices.
    pub(crate) fn at(&self, indices: &[usize]) -> Self {
        Self { values: indices.iter().map(|&index| self.values[index]).collect(), classes: self.classes }
    }

    /// Those of the first `images` images.
    pub(crate) fn truncate(&mut self, images: usize) {
        self.values.truncate(images);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_below_the_number_of_classes() {
        let labels = Labels::new("f", vec![0, 2, 1], 3).unwrap();
        assert_eq!((labels.values(), labels.classes()), (&[0u16, 2, 1][..], 3));
        let line = |values, classes| Labels::new("f", values, classes).unwrap_err().to_string();
        assert_eq!(line(vec![0, 3], 3), "f: label of image 1 = 3: expected 0 to 2, as there are 3 classes");
        assert_eq!(line(vec![], 0), "f: number of classes = 0: expected 1 to 65536");
        assert!(Labels::new("f", vec![u16::MAX], 65536).is_ok());
    }
}
