//! Every law of a noise schedule.

use idode_superellipse::Superellipse;

idode::testkit::schedule_suite!(between_the_built_ins, Superellipse::default());
idode::testkit::schedule_suite!(below, Superellipse { q: idode::positive!(0.7) });
idode::testkit::schedule_suite!(above, Superellipse { q: idode::positive!(4.0) });
