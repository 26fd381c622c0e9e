//! What would bring an estimate's total below a target.

use super::Budget;

/// Estimates of variances have errors of their own: a plan aims below its target by this factor.
const MARGIN: f64 = 0.95;

/// What is spent on an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Images.
    pub images: usize,
    /// Draws of each.
    pub draws: usize,
    /// Probes of each draw.
    pub probes: usize,
}

/// What can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The images that there are.
    pub images: usize,
    /// Whether an image can have more draws.
    pub drawn: bool,
    /// Whether a draw can have more probes.
    pub probed: bool,
}

/// How a target can be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plan {
    /// It is.
    Reached,
    /// With this effort.
    Spend(Effort),
    /// Not with these images.
    MoreImages {
        /// How many it takes, if that is known.
        images: Option<u64>,
        /// What the total cannot fall below with those that there are, where that is known.
        least: Option<f64>,
    },
    /// Not with these tolerances: the solver's part alone is above it.
    FinerSolver,
}

/// The least effort by which the total of `budget`, measured with the effort `now`, falls below `target`.
///
/// A total is `sqrt(a/n + b/(n m) + c/(n m q) + solver^2)` with `n` images, `m` draws and `q` probes, and costs `n m q` products of
/// the Jacobian an evaluation. An image lowers all three parts, a draw two of them and a probe one, for the same price; so images
/// come first, then draws, and probes where nothing is drawn. Nothing is taken back.
pub(crate) fn plan(budget: &Budget, now: Effort, limits: Limits, target: f64) -> Plan {
    if budget.total.is_some_and(|total| total <= target) {
        return Plan::Reached;
    }
    let solver = budget.solver.unwrap_or(0.0);
    if solver.abs() >= target {
        return Plan::FinerSolver;
    }
    let available = (MARGIN * target).powi(2) - solver.powi(2);
    let Some(data) = budget.data else {
        // Of one image nothing is known about the others.
        let images = super::Design::default().images.min(limits.images);
        return match images > now.images {
            true => Plan::Spend(Effort { images, ..now }),
            false => Plan::MoreImages { images: None, least: None },
        };
    };
    let (images, draws, probes) = (now.images as f64, now.draws as f64, now.probes as f64);
    let data = data.powi(2) * images;
    let draw = budget.dequantization.unwrap_or(0.0).powi(2) * images * draws;
    let probe = budget.probe.unwrap_or(0.0).powi(2) * images * draws * probes;
    let needed = |draws: f64, probes: f64| (data + draw / draws + probe / (draws * probes)) / available;
    if available <= 0.0 {
        return Plan::FinerSolver;
    }
    let count = needed(draws, probes).ceil();
    if count <= limits.images as f64 {
        return Plan::Spend(Effort { images: now.images.max(count as usize), ..now });
    }
    // All images, and of the other two what the rest of the target takes.
    let all = limits.images as f64;
    let rest = |fixed: f64| available * all - fixed;
    let (fixed, more) = match (limits.drawn, limits.probed) {
        (true, _) => (data, Some((draw + probe / probes) / rest(data))),
        (false, true) => (data + draw / draws, Some(probe / draws / rest(data + draw / draws))),
        (false, false) => (data + draw / draws + probe / (draws * probes), None),
    };
    match more {
        Some(more) if rest(fixed) > 0.0 && more < 1e9 => {
            let more = more.ceil().max(1.0) as usize;
            let effort = Effort { images: limits.images, ..now };
            Plan::Spend(match limits.drawn {
                true => Effort { draws: more.max(now.draws), ..effort },
                false => Effort { probes: more.max(now.probes), ..effort },
            })
        }
        _ => Plan::MoreImages {
            images: Some(count as u64),
            least: Some((fixed / all + solver.powi(2)).sqrt()),
        },
    }
}
