//! Every law of a time sampler, alone and stratified.

use idode::level::GammaRange;
use idode::time::Stratified;
use idode_fitted::{Fitted, LeastVariance};

idode::testkit::time_sampler_suite!(fitted, Fitted::new(LeastVariance, GammaRange::for_levels(256)));
idode::testkit::time_sampler_suite!(
    stratified,
    Stratified(Fitted::new(LeastVariance, GammaRange::for_levels(17)))
);
