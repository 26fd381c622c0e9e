//! One array of a checkpoint.

/// Bytes of one value by NumPy's name of its type.
const SIZES: &[(&str, usize)] = &[
    ("bool", 1),
    ("int8", 1),
    ("uint8", 1),
    ("int16", 2),
    ("uint16", 2),
    ("float16", 2),
    ("bfloat16", 2),
    ("int32", 4),
    ("uint32", 4),
    ("float32", 4),
    ("int64", 8),
    ("uint64", 8),
    ("float64", 8),
];

/// A NumPy array: the name of its type, its shape, and its values in row-major order, low byte first.
#[derive(Clone, PartialEq, Eq)]
pub struct Array {
    dtype: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Array {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Array {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of shape {:?}", self.dtype, self.shape)
    }
}

impl Array {
    /// An array of `float32`.
    ///
    /// # Shapes
    /// `values` has as many values as `shape` says; else there is none.
    pub fn float32(shape: Vec<usize>, values: &[f32]) -> Option<Self> {
        let mut bytes = Vec::with_capacity(4 * values.len());
        for value in values {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        Self::new("float32", shape, bytes)
    }

    /// An array from its bytes, if the type is known and there are as many bytes as the shape says.
    pub fn new(dtype: &str, shape: Vec<usize>, bytes: Vec<u8>) -> Option<Self> {
        let (_, size) = SIZES.iter().find(|(name, _)| *name == dtype)?;
        let expected = shape.iter().try_fold(*size, |n, &side| n.checked_mul(side))?;
        (expected == bytes.len()).then(|| Self { dtype: dtype.to_owned(), shape, bytes })
    }

    /// NumPy's name of the type of a value.
    pub fn dtype(&self) -> &str {
        &self.dtype
    }

    /// The length along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, low byte first.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The values of an array of `float32`.
    pub fn values(&self) -> Option<Vec<f32>> {
        let value = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
        (self.dtype == "float32").then(|| self.bytes.as_chunks().0.iter().map(value).collect())
    }

    /// The value of a single number of 0 or more of an integer type.
    pub fn count(&self) -> Option<u64> {
        if !self.dtype.contains("int") || self.bytes.is_empty() || !self.shape.iter().all(|&side| side == 1) {
            return None;
        }
        let negative = !self.dtype.starts_with('u') && self.bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [0; 8];
        wide[..self.bytes.len()].copy_from_slice(&self.bytes);
        (!negative).then(|| u64::from_le_bytes(wide))
    }

    /// An array of the same type and shape that holds another count, if this one holds one and the type is wide enough.
    pub(crate) fn with_count(&self, count: u64) -> Option<Self> {
        self.count()?;
        let wide = count.to_le_bytes();
        let bytes = wide[..self.bytes.len()].to_vec();
        let changed = Self { bytes, ..self.clone() };
        (changed.count() == Some(count)).then_some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_must_be_as_many_as_the_shape_says() {
        assert!(Array::new("float32", vec![2, 3], vec![0; 24]).is_some());
        assert!(Array::new("float32", vec![2, 3], vec![0; 23]).is_none());
        assert!(Array::new("object", vec![0], vec![]).is_none());
        assert!(Array::new("float64", vec![usize::MAX, 2], vec![]).is_none());
        let ones = Array::float32(vec![2], &[1.0, f32::MIN_POSITIVE]).unwrap();
        assert_eq!(ones.values().unwrap(), [1.0, f32::MIN_POSITIVE]);
    }

    #[test]
    fn counts_keep_their_type() {
        let step = Array::new("int32", vec![], 7i32.to_le_bytes().into()).unwrap();
        assert_eq!(step.count(), Some(7));
        assert_eq!(step.with_count(300).unwrap().bytes(), 300i32.to_le_bytes());
        assert_eq!(step.with_count(1 << 31), None);
        assert_eq!(Array::new("int64", vec![], (-1i64).to_le_bytes().into()).unwrap().count(), None);
        assert_eq!(Array::new("uint8", vec![1], vec![255]).unwrap().count(), Some(255));
        assert_eq!(Array::float32(vec![], &[1.0]).unwrap().count(), None);
    }
}
