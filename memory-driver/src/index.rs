//! Where the elements of a tensor lie in memory.

/// The offsets of all elements of a tensor in the order of their indices, the last axis first; without end.
pub(crate) struct Offsets<'a> {
    dims: &'a [usize],
    strides: &'a [usize],
    index: Vec<usize>,
    at: usize,
}

impl<'a> Offsets<'a> {
    pub(crate) fn new(dims: &'a [usize], strides: &'a [usize]) -> Self {
        Self { dims, strides, index: vec![0; dims.len()], at: 0 }
    }
}

impl Iterator for Offsets<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.at;
        for axis in (0..self.dims.len()).rev() {
            self.index[axis] += 1;
            self.at += self.strides[axis];
            if self.index[axis] < self.dims[axis] {
                break;
            }
            // Past the end of the axis: back to its start, and one further on the axis before.
            self.at -= self.index[axis] * self.strides[axis];
            self.index[axis] = 0;
        }
        Some(at)
    }
}

/// The offset of one element.
pub(crate) fn offset(mut element: usize, dims: &[usize], strides: &[usize]) -> usize {
    let mut at = 0;
    for (dim, stride) in dims.iter().zip(strides).rev() {
        at += element % dim * stride;
        element /= dim;
    }
    at
}

/// The offset under other strides of what lies at an offset.
pub(crate) fn restrided(at: usize, dims: &[usize], strides: &[usize], others: &[usize]) -> usize {
    let axes = dims.iter().zip(strides).zip(others).filter(|((_, stride), _)| **stride != 0);
    axes.map(|((dim, stride), other)| at / stride % dim * other).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_each_element() {
        for (dims, strides) in
            [(vec![2, 3, 4], vec![12, 4, 1]), (vec![3, 2], vec![0, 1]), (vec![3, 2], vec![1, 3])]
        {
            let count: usize = dims.iter().product();
            let walked: Vec<usize> = Offsets::new(&dims, &strides).take(count + 1).collect();
            let each: Vec<usize> = (0..count).map(|i| offset(i, &dims, &strides)).collect();
            assert_eq!(walked[..count], each);
            assert_eq!(walked[count], 0);
        }
        assert_eq!(Offsets::new(&[], &[]).take(2).collect::<Vec<_>>(), [0, 0]);
    }

    #[test]
    fn restrided_finds_the_same_element() {
        let (dims, strides, others) = ([2, 3, 4], [12, 4, 1], [1, 0, 2]);
        for i in 0..24 {
            let (at, other) = (offset(i, &dims, &strides), offset(i, &dims, &others));
            assert_eq!(restrided(at, &dims, &strides, &others), other);
        }
    }
}
