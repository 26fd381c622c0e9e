//! Samples beside data.

use super::html::Html;
use super::source::{Source, grid};
use crate::data::Rows;
use crate::plot::Png;

/// So many held-out images stand beside the samples.
const SHOWN: usize = 64;

pub(super) fn section(source: &Source<'_>) -> Html {
    let path = source.run.samples();
    let drawn = match path.exists() {
        true => Html::drawn(Png::read(&path), "samples", "Samples of the model."),
        false => Html::missing("no samples yet: idode sample draws them"),
    };
    match &source.held_out {
        Ok(Rows::Images(images)) => {
            let first: Vec<usize> = (0..images.source().images().min(SHOWN)).collect();
            let caption = format!("The first {} held-out images.", first.len());
            let data = Html::drawn(grid(images, &first), "held-out images", &caption);
            Html::of_class("div", "pair", Html::all(&[drawn, data]))
        }
        // A corner plot has both.
        Ok(Rows::Table(_)) => drawn,
        Err(error) => Html::all(&[drawn, Html::missing(&format!("the data cannot be shown: {error}"))]),
    }
}
