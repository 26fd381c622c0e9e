//! Every law of a time sampler, alone and stratified.

use idode::level::GammaRange;
use idode::time::Stratified;
use idode_fitted::Fitted;

idode::testkit::time_sampler_suite!(fitted, Fitted::new(GammaRange::for_levels(256)));
idode::testkit::time_sampler_suite!(stratified, Stratified(Fitted::new(GammaRange::for_levels(17))));
