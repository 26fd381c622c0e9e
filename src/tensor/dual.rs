//! A value and its derivative along one direction.

/// `x` and `dx`, of the same type: a point and a tangent at it.
#[derive(Clone, Debug)]
pub struct Dual<X> {
    /// The point.
    pub value: X,
    /// The derivative along the probed direction.
    pub tangent: X,
}

impl<X> Dual<X> {
    /// Pairs a point with a tangent.
    pub fn new(value: X, tangent: X) -> Self {
        Self { value, tangent }
    }

    /// Applies a linear map to both parts.
    pub fn map<Y>(self, mut f: impl FnMut(X) -> Y) -> Dual<Y> {
        Dual { value: f(self.value), tangent: f(self.tangent) }
    }

    /// Combines two duals part by part, which is right for sums and differences.
    pub(crate) fn zip<Y, Z>(self, other: Dual<Y>, mut f: impl FnMut(X, Y) -> Z) -> Dual<Z> {
        Dual { value: f(self.value, other.value), tangent: f(self.tangent, other.tangent) }
    }
}
