//! Trains the recipe of this plugin for 600 steps, and the same with the velocity, and prints their bounds.
//!
//! ```text
//! cargo run --release -p idode-edm --example edm_two_pixel
//! ```

use idode::commands::{Destination, Trained, train};
use idode::config::{Named, Recipe};
use idode::error::{Error, Result};
use idode::progress::Silent;
use idode::registry::Registry;

fn main() -> Result<()> {
    let mut registry = Registry::default();
    idode_edm::register(&mut registry);
    let mut recipe = Recipe::parse("two_pixel.toml", include_str!("../recipes/two_pixel.toml"))?;
    (recipe.stage[0].steps, recipe.evaluation.images) = (600, Some(200));
    let folder = std::env::temp_dir().join(format!("idode-edm-{}", std::process::id()));
    for (name, named) in
        [("edm", Named::new("edm").with("data_std", 0.4)), ("velocity", Named::new("velocity"))]
    {
        recipe.parameterization = named;
        let destination = Destination::New(folder.join(name));
        let Trained::Finished(outcome) = train(&recipe, &registry, &destination, &mut Silent)? else {
            continue;
        };
        println!("{name}");
        for estimate in &outcome.estimates {
            let (bits, error) = (estimate.bits_per_dim, estimate.standard_error);
            println!("  {:22} {bits:.4} +- {error:.4} bits/dim", estimate.name);
        }
    }
    std::fs::remove_dir_all(&folder).map_err(Error::io(&folder, "remove"))
}
