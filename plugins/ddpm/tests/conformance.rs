//! Every law of a network, on images that are not square, and of two resolutions.

use idode::data::{ImageShape, RowShape};
use idode::testkit::network::inputs;
use idode_ddpm::{Ddpm, Settings};

fn small() -> Settings {
    Settings { width: 32, multipliers: vec![1, 2], blocks: 1, attention: vec![2], ..Settings::default() }
}

idode::testkit::network_suite!(ddpm, Ddpm, small(), inputs(RowShape::Image(ImageShape::new(4, 6, 2)), 3));
