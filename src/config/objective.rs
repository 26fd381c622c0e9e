//! What a stage minimises.

use super::by_name::by_name;
use super::field_error::FieldError;
use super::limits::not_negative;
use super::unnamed::Unnamed;
use crate::objective::TraceEstimator;
use serde::{Deserialize, Serialize};

/// An objective by the highest order that it matches; the first order is always part of it.
#[allow(clippy::enum_variant_names)]
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Objective {
    /// `"first_order"`: the diffusion term of the VLB, `1/(2 a^2) |F - F*|^2` over gamma.
    #[default]
    FirstOrder,
    /// `"second_order"`: that, plus the Jacobian's trace and, if asked for, the Jacobian.
    SecondOrder(SecondOrder),
    /// `"third_order"`: those, plus the gradient of the trace.
    ThirdOrder(ThirdOrder),
    /// `"program"`: a program's own, which a recipe cannot train.
    Program(Unnamed),
}

by_name!(Objective { FirstOrder; SecondOrder(SecondOrder), ThirdOrder(ThirdOrder), Program(Unnamed) });

/// Settings of second-order matching.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondOrder {
    /// The weight of the trace's term: 0.1, as in the paper.
    pub trace: f64,
    /// How the trace's squared error is estimated: `"two_probes"`. The published code's is `"squared_probe"`.
    pub estimator: TraceEstimator,
    /// The weight of the sliced Jacobian's term: 0.
    pub jacobian: f64,
}

/// Settings of third-order matching.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThirdOrder {
    /// As in [`SecondOrder`]: 0.1.
    pub trace: f64,
    /// As in [`SecondOrder`]: `"two_probes"`.
    pub estimator: TraceEstimator,
    /// As in [`SecondOrder`]: 0.
    pub jacobian: f64,
    /// The weight of the term of the trace's gradient, sliced: 0.1.
    pub trace_gradient: f64,
}

impl Default for SecondOrder {
    fn default() -> Self {
        Self { trace: 0.1, estimator: TraceEstimator::default(), jacobian: 0.0 }
    }
}

impl Default for ThirdOrder {
    fn default() -> Self {
        let SecondOrder { trace, estimator, jacobian } = SecondOrder::default();
        Self { trace, estimator, jacobian, trace_gradient: 0.1 }
    }
}

impl Objective {
    /// The name in a recipe.
    pub fn name(&self) -> &str {
        match self {
            Self::FirstOrder => "first_order",
            Self::SecondOrder(_) => "second_order",
            Self::ThirdOrder(_) => "third_order",
            Self::Program(own) => &own.of,
        }
    }

    /// The settings of every term; weights of 0 for those it lacks.
    pub(crate) fn weights(&self) -> ThirdOrder {
        let none = ThirdOrder { trace: 0.0, jacobian: 0.0, trace_gradient: 0.0, ..ThirdOrder::default() };
        match *self {
            Self::FirstOrder | Self::Program(_) => none,
            Self::SecondOrder(SecondOrder { trace, estimator, jacobian }) => {
                ThirdOrder { trace, estimator, jacobian, ..none }
            }
            Self::ThirdOrder(all) => all,
        }
    }

    pub(super) fn check(&self) -> Result<(), FieldError> {
        let ThirdOrder { trace, jacobian, trace_gradient, .. } = self.weights();
        for (key, weight) in [("trace", trace), ("jacobian", jacobian), ("trace_gradient", trace_gradient)] {
            not_negative(key, weight)?;
        }
        Ok(())
    }
}
