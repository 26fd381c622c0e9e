//! The built-in names.

use super::{Entry, NoSettings, Registry};
use crate::config::Named;
use crate::parameterization::{Data, Noise, Score, Velocity};
use crate::schedule::{StraightPath, SubVariancePreserving, VarianceExploding, VariancePreserving};
use crate::solver::{ExplicitRk, OdeState, tables};

impl<Y: OdeState> Default for Registry<Y> {
    fn default() -> Self {
        let mut registry = Self::empty();
        schedules(&mut registry);
        parameterizations(&mut registry);
        solvers(&mut registry);
        registry
    }
}

/// One line a name that has no settings: the name, the value, its formula and its reference.
macro_rules! table {
    ($registry:ident.$add:ident: $($name:literal, $value:expr, $formula:literal, $reference:literal;)*) => {$(
        $registry.$add(
            $name,
            Entry { formula: $formula, reference: $reference },
            |_: NoSettings, _| Ok($value),
        );
    )*};
}

fn schedules<Y: OdeState>(registry: &mut Registry<Y>) {
    table! { registry.add_schedule:
        "vp", VariancePreserving,
            "alpha^2 + sigma^2 = 1: ln alpha = -1/2 ln(1 + e^gamma)",
            "Ho et al. 2020, arXiv 2006.11239; arXiv 2107.00630, section 3.2";
        "sp", StraightPath,
            "alpha + sigma = 1: ln alpha = -ln(1 + e^(gamma/2))",
            "arXiv 2305.03935; arXiv 2210.02747";
        "ve", VarianceExploding,
            "alpha = 1: ln alpha = 0",
            "Song et al. 2021, arXiv 2011.13456, section 3.4";
        "sub_vp", SubVariancePreserving,
            "alpha^2 + sigma = 1: ln alpha = -asinh(e^(gamma/2) / 2)",
            "Song et al. 2021, arXiv 2011.13456, section 3.4";
    }
}

fn parameterizations<Y: OdeState>(registry: &mut Registry<Y>) {
    table! { registry.add_parameterization:
        "velocity", Velocity,
            "F = (dz/dgamma) / N: a = sigma/(2N), b = p/N, N = hypot(p alpha, (p + 1/2) sigma)",
            "arXiv 2305.03935; Salimans and Ho 2022, arXiv 2202.00512";
        "noise", Noise,
            "F = eps: a = 1, b = 0",
            "Ho et al. 2020, arXiv 2006.11239, section 3.2";
        "data", Data,
            "F = x: a = -sigma/alpha, b = 1/alpha",
            "arXiv 2107.00630, section 3.3";
        "score", Score,
            "F = -eps/sigma: a = -1/sigma, b = 0",
            "Song et al. 2021, arXiv 2011.13456";
    }
}

fn solvers<Y: OdeState>(registry: &mut Registry<Y>) {
    for &tableau in tables::BUILT_IN {
        let entry = Entry { formula: tableau.formula, reference: tableau.reference };
        registry.add_solver(tableau.name, entry, move |_: NoSettings, _| Ok(ExplicitRk::new(tableau)));
    }
}
