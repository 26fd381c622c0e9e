//! Every law of a dequantizer: untrained, as trained for two pixels, and in training with the model.

use idode::data::ImageShape;
use idode::level::{Gamma, GammaRange};
use idode::pixels::PixelGrid;
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use idode_learned::{Learned, Training, WithModel};
use rand::SeedableRng;
use std::path::Path;

fn grid(levels: u32) -> PixelGrid {
    PixelGrid::new(levels).expect("a grid")
}

fn fresh() -> Learned {
    let (level, shape) = (StraightPath.level(Gamma(-6.0)), ImageShape::new(1, 1, 2));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    Learned::new(grid(17), level, shape, &mut rng).expect("a shape")
}

fn trained() -> Learned {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/two_pixel.safetensors");
    let range = GammaRange::for_levels(256);
    Learned::load(&path, grid(256), range, &VariancePreserving).expect("the file of the recipe")
}

idode::testkit::dequantizer_suite!(untrained, fresh(), grid(17), 2);
idode::testkit::dequantizer_suite!(two_pixels, trained(), grid(256), 2);
idode::testkit::dequantizer_suite!(with_model, WithModel::new(fresh(), Training::default()), grid(17), 2);
