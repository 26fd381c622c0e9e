//! A state whose type is forgotten.

use super::{OdeState, Tolerances};
use std::any::Any;
use std::fmt::Debug;

/// A batch of states of any type, so that a solver chosen by name steps states wherever they live.
///
/// All states of one solve have one type: they all come from its start.
///
/// # Panics
/// An operation on states of different types.
#[derive(Debug)]
pub struct AnyState(Box<dyn Erased>);

impl AnyState {
    /// Forgets the type of a state.
    pub fn new<Y: OdeState + 'static>(y: Y) -> Self {
        Self(Box::new(y))
    }

    /// The state, if it has this type.
    pub fn get<Y: OdeState + 'static>(&self) -> Option<&Y> {
        self.0.as_any().downcast_ref()
    }

    fn same<Y: OdeState + 'static>(&self) -> &Y {
        self.get().expect("the states of one solve have one type")
    }
}

impl Clone for AnyState {
    fn clone(&self) -> Self {
        self.0.cloned()
    }
}

/// [`OdeState`] without its type.
trait Erased: Debug {
    fn as_any(&self) -> &dyn Any;
    fn cloned(&self) -> AnyState;
    fn row_count(&self) -> usize;
    fn sum(&self, terms: &[(&[f64], &AnyState)]) -> AnyState;
    fn selected(&self, rows: &[usize]) -> AnyState;
    fn write(&mut self, rows: &[usize], from: &AnyState);
    fn norms(&self, before: &AnyState, after: &AnyState, tolerances: &Tolerances) -> Vec<f64>;
    fn are_finite(&self) -> Vec<bool>;
    fn zeros(&self) -> AnyState;
}

impl<Y: OdeState + 'static> Erased for Y {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn cloned(&self) -> AnyState {
        AnyState::new(self.clone())
    }
    fn row_count(&self) -> usize {
        self.rows()
    }
    fn sum(&self, terms: &[(&[f64], &AnyState)]) -> AnyState {
        let terms: Vec<(&[f64], &Y)> = terms.iter().map(|(c, k)| (*c, k.same())).collect();
        AnyState::new(self.add_scaled(&terms))
    }
    fn selected(&self, rows: &[usize]) -> AnyState {
        AnyState::new(self.select(rows))
    }
    fn write(&mut self, rows: &[usize], from: &AnyState) {
        self.scatter(rows, from.same());
    }
    fn norms(&self, before: &AnyState, after: &AnyState, tolerances: &Tolerances) -> Vec<f64> {
        Y::error_norm(self, before.same(), after.same(), tolerances)
    }
    fn are_finite(&self) -> Vec<bool> {
        self.finite()
    }
    fn zeros(&self) -> AnyState {
        AnyState::new(self.zeros_like())
    }
}

impl OdeState for AnyState {
    fn rows(&self) -> usize {
        self.0.row_count()
    }
    fn add_scaled(&self, terms: &[(&[f64], &Self)]) -> Self {
        self.0.sum(terms)
    }
    fn select(&self, rows: &[usize]) -> Self {
        self.0.selected(rows)
    }
    fn scatter(&mut self, rows: &[usize], from: &Self) {
        self.0.write(rows, from);
    }
    fn error_norm(error: &Self, before: &Self, after: &Self, tolerances: &Tolerances) -> Vec<f64> {
        error.0.norms(before, after, tolerances)
    }
    fn finite(&self) -> Vec<bool> {
        self.0.are_finite()
    }
    fn zeros_like(&self) -> Self {
        self.0.zeros()
    }
}
