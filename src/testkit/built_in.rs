//! Every built-in of the scalar traits, by name, so that whoever adds one is tested.

use crate::config::{Named, Source};
use crate::error::Result;
use crate::level::GammaRange;
use crate::parameterization::Parameterization;
use crate::registry::{ParameterizationInputs, Registry, ScheduleInputs};
use crate::schedule::NoiseSchedule;
use std::sync::Arc;

/// Every built-in schedule with its name.
///
/// # Errors
/// Where one cannot be built without settings.
pub fn schedules(range: GammaRange) -> Result<Vec<(String, Arc<dyn NoiseSchedule>)>> {
    let roster = <Registry>::default().schedules;
    let build = |name: &str| {
        let inputs = ScheduleInputs { range };
        roster.build(&Named::new(name), &inputs, &Source::default(), "schedule")
    };
    roster.names().into_iter().map(|name| Ok((name.to_owned(), build(name)?))).collect()
}

/// Every built-in parameterization with its name.
///
/// # Errors
/// Where one cannot be built without settings.
pub fn parameterizations(
    range: GammaRange,
    schedule: &Arc<dyn NoiseSchedule>,
) -> Result<Vec<(String, Arc<dyn Parameterization>)>> {
    let roster = <Registry>::default().parameterizations;
    let build = |name: &str| {
        let inputs = ParameterizationInputs { range, schedule: schedule.clone() };
        roster.build(&Named::new(name), &inputs, &Source::default(), "parameterization")
    };
    roster.names().into_iter().map(|name| Ok((name.to_owned(), build(name)?))).collect()
}
