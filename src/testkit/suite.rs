//! The laws' names, once for every trait, and the test suites made of them.

/// The laws of every trait: calls `$then!` with the room, its laws and the rest.
///
/// From this one list come the `LAWS` of each room, its `all`, and its suite, so none can be forgotten.
#[doc(hidden)]
#[macro_export]
macro_rules! __idode_laws {
    (schedule $then:ident $($rest:tt)*) => {
        $crate::$then! { schedule [derivative ratio monotone finite] $($rest)* }
    };
    (parameterization $then:ident $($rest:tt)*) => {
        $crate::$then! {
            parameterization [
                formula solvable round_trip drift invariance
                second_order third_order second_order_bound third_order_bound
            ] $($rest)*
        }
    };
    (time $then:ident $($rest:tt)*) => {
        $crate::$then! {
            time [normalized inverse ends unbiased value_stability adaptation resume] $($rest)*
        }
    };
    (dequantizer $then:ident $($rest:tt)*) => {
        $crate::$then! { dequantizer [normalized entropy bound more_draws reproducible resume] $($rest)* }
    };
    (per_coordinate $then:ident $($rest:tt)*) => {
        $crate::$then! { per_coordinate [normalized entropy support] $($rest)* }
    };
    (solver $then:ident $($rest:tt)*) => {
        $crate::$then! {
            solver [order estimate polynomials reversal rows first tolerance evaluations] $($rest)*
        }
    };
    (command_line $then:ident $($rest:tt)*) => {
        $crate::$then! { command_line [listed recipe misspelt trained resumed] $($rest)* }
    };
    (network $then:ident $($rest:tt)*) => {
        $crate::$then! { network [
                value jvp second_jvp rows conditions parameters evaluation devices
            ] $($rest)* }
    };
}

/// One `#[test]` a law.
#[doc(hidden)]
#[macro_export]
macro_rules! __idode_suite {
    ($room:ident [$($law:ident)*] $name:ident $arguments:tt) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[test]
                fn $law() -> $crate::testkit::Verdict {
                    $crate::testkit::$room::$law $arguments
                }
            )*
        }
    };
}

/// The constant `LAWS` and the function `all` of a room whose laws take one `Subject`.
#[doc(hidden)]
#[macro_export]
macro_rules! __idode_table {
    ($room:ident [$($law:ident)*]) => {
        /// The laws' names, as in the trait's documentation.
        pub const LAWS: &[&str] = &[$(stringify!($law)),*];

        /// Checks every law.
        ///
        /// # Errors
        /// The first that does not hold.
        pub fn all(subject: &Subject<'_>) -> $crate::testkit::Verdict {
            $($law(subject)?;)*
            Ok(())
        }
    };
}

/// Every law of a [`NoiseSchedule`](crate::schedule::NoiseSchedule), as one test each in a module
/// of the name given: `schedule_suite!(name, schedule)`, or with the range it is meant for as a
/// third argument; the default is [`usual_range`](crate::testkit::usual_range).
#[macro_export]
macro_rules! schedule_suite {
    ($name:ident, $schedule:expr $(,)?) => {
        $crate::schedule_suite!($name, $schedule, $crate::testkit::usual_range());
    };
    ($name:ident, $schedule:expr, $range:expr $(,)?) => {
        $crate::__idode_laws! { schedule __idode_suite $name
            (&$crate::testkit::schedule::Subject { schedule: &$schedule, range: $range })
        }
    };
}

/// Every law of a [`Parameterization`](crate::parameterization::Parameterization), as one test each
/// in a module of the name given.
///
/// `parameterization_suite!(name, parameterization, |level, x, eps| ...)`: the closure is what the
/// network regresses, as the paper defines it, in terms of the data and the noise of one coordinate:
/// the other side of the law `formula`. A range may follow.
#[macro_export]
macro_rules! parameterization_suite {
    ($name:ident, $parameterization:expr, $formula:expr $(,)?) => {
        $crate::parameterization_suite!($name, $parameterization, $formula, $crate::testkit::usual_range());
    };
    ($name:ident, $parameterization:expr, $formula:expr, $range:expr $(,)?) => {
        $crate::__idode_laws! { parameterization __idode_suite $name
            (&$crate::testkit::parameterization::Subject {
                parameterization: &$parameterization,
                formula: &$formula,
                range: $range,
            })
        }
    };
}

/// Every law of a [`TimeSampler`](crate::time::TimeSampler), as one test each in a module of the
/// name given: `time_sampler_suite!(name, sampler)`.
///
/// The expression is evaluated whenever a fresh sampler is needed. A list of numbers may follow, the
/// first draws with seed 1, to pin them: `time_sampler_suite!(name, sampler, [-3.2, 0.1, -7.5])`.
#[macro_export]
macro_rules! time_sampler_suite {
    ($name:ident, $sampler:expr $(,)?) => {
        $crate::time_sampler_suite!($name, $sampler, []);
    };
    ($name:ident, $sampler:expr, $pinned:expr $(,)?) => {
        $crate::__idode_laws! { time __idode_suite $name
            (&$crate::testkit::time::Subject {
                make: &|| ::std::boxed::Box::new($sampler),
                pinned: &$pinned,
            })
        }
    };
}

/// Every law of a [`Dequantizer`](crate::dequantization::Dequantizer), as one test each in a module
/// of the name given: `dequantizer_suite!(name, dequantizer, grid, dims)`, with the pixels' grid and
/// the number of dimensions of an image, which should be few. The expression is evaluated whenever
/// one that has learned nothing is needed.
#[macro_export]
macro_rules! dequantizer_suite {
    ($name:ident, $dequantizer:expr, $grid:expr, $dims:expr $(,)?) => {
        $crate::__idode_laws! { dequantizer __idode_suite $name
            (&$crate::testkit::dequantizer::Subject {
                dequantizer: &$dequantizer,
                make: &|| ::std::boxed::Box::new($dequantizer),
                grid: $grid,
                dims: $dims,
            })
        }
    };
}

/// Every law of a [`PerCoordinate`](crate::dequantization::PerCoordinate) dequantizer, as one test each in
/// a module of the name given: `per_coordinate_suite!(name, dequantizer, grid)`. Those of the
/// [`Dequantizer`](crate::dequantization::Dequantizer) that it is are another suite.
#[macro_export]
macro_rules! per_coordinate_suite {
    ($name:ident, $dequantizer:expr, $grid:expr $(,)?) => {
        $crate::__idode_laws! { per_coordinate __idode_suite $name
            (&$crate::testkit::per_coordinate::Subject { dequantizer: &$dequantizer, grid: $grid })
        }
    };
}

/// Every law of an [`OdeSolver`](crate::solver::OdeSolver), as one test each in a module of the name
/// given: `solver_suite!(name, solver)`.
///
/// A list of numbers may follow, the evaluations of each problem, to pin them:
/// `solver_suite!(name, solver, [62, 38])`; see
/// [`evaluations`](crate::testkit::solver::evaluations).
#[macro_export]
macro_rules! solver_suite {
    ($name:ident, $solver:expr $(,)?) => {
        $crate::solver_suite!($name, $solver, []);
    };
    ($name:ident, $solver:expr, $pinned:expr $(,)?) => {
        $crate::__idode_laws! { solver __idode_suite $name
            (&$crate::testkit::solver::Subject { solver: &$solver, pinned: &$pinned })
        }
    };
}

/// Every law of a network, as one test each in a module of the name given.
///
/// `network_suite!(name, network)` takes a network in `f64` on the CPU whose parameters are not zero; `network_suite!(name, builder, settings, inputs)`
/// a [`BuildNetwork`](crate::registry::BuildNetwork), whose network it builds, and checks it in `f32` with the processor's own kernels too.
#[macro_export]
macro_rules! network_suite {
    ($name:ident, $builder:expr, $settings:expr, $inputs:expr $(,)?) => {
        $crate::__idode_laws! { network __idode_suite $name
            (&$crate::testkit::network::built(&$builder, &$settings, &$inputs).expect("settings that it takes"))
        }

        #[test]
        fn single() -> $crate::testkit::Verdict {
            $crate::testkit::network::single(&$builder, &$settings, &$inputs)
        }
    };
    ($name:ident, $network:expr $(,)?) => {
        $crate::__idode_laws! { network __idode_suite $name (&$network) }
    };
}

/// Every law of a plugin's binary, as one test each: `command_line_suite!(name, binary, recipe)`.
///
/// - `name`: what the plugin adds, and the module of the tests.
/// - `binary`: `env!("CARGO_BIN_EXE_my-plugin")`.
/// - `recipe`: a recipe that uses the name, as seen from the crate's folder, or from a fourth argument: the folder that the
///   binary is to run in.
#[macro_export]
macro_rules! command_line_suite {
    ($name:ident, $binary:expr, $recipe:expr $(,)?) => {
        $crate::command_line_suite!($name, $binary, $recipe, env!("CARGO_MANIFEST_DIR"));
    };
    ($name:ident, $binary:expr, $recipe:expr, $folder:expr $(,)?) => {
        $crate::__idode_laws! { command_line __idode_suite $name
            (&$crate::testkit::command_line::Subject {
                name: stringify!($name),
                binary: $binary,
                folder: $folder,
                recipe: $recipe,
            })
        }
    };
}
