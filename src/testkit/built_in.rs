//! Every built-in of the scalar traits, by name, so that whoever adds one is tested.

use crate::config::{Named, Source};
use crate::error::Result;
use crate::level::GammaRange;
use crate::parameterization::Parameterization;
use crate::registry::{ParameterizationInputs, Registry, ScheduleInputs};
use crate::schedule::NoiseSchedule;
use std::sync::Arc;

/// The built-in schedule of this name.
///
/// # Errors
/// Where there is none, or it cannot be built without settings.
pub fn schedule(name: &str, range: GammaRange) -> Result<Arc<dyn NoiseSchedule>> {
    let inputs = ScheduleInputs { range };
    <Registry>::default().schedules.build(&Named::new(name), &inputs, &Source::default(), "schedule")
}

/// The built-in parameterization of this name.
///
/// # Errors
/// Where there is none, or it cannot be built without settings.
pub fn parameterization(
    name: &str,
    range: GammaRange,
    schedule: &Arc<dyn NoiseSchedule>,
) -> Result<Arc<dyn Parameterization>> {
    let inputs = ParameterizationInputs { range, schedule: schedule.clone() };
    let builders = <Registry>::default().parameterizations;
    builders.build(&Named::new(name), &inputs, &Source::default(), "parameterization")
}

/// Every built-in schedule with its name.
///
/// # Errors
/// Where one cannot be built without settings.
pub fn schedules(range: GammaRange) -> Result<Vec<(String, Arc<dyn NoiseSchedule>)>> {
    let builders = <Registry>::default().schedules;
    builders.names().into_iter().map(|name| Ok((name.to_owned(), schedule(name, range)?))).collect()
}

/// Every built-in parameterization with its name.
///
/// # Errors
/// Where one cannot be built without settings.
pub fn parameterizations(
    range: GammaRange,
    schedule: &Arc<dyn NoiseSchedule>,
) -> Result<Vec<(String, Arc<dyn Parameterization>)>> {
    let builders = <Registry>::default().parameterizations;
    let built = |name: &str| Ok((name.to_owned(), parameterization(name, range, schedule)?));
    builders.names().into_iter().map(built).collect()
}
