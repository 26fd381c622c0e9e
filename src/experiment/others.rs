//! Images that are not a run's own.

use crate::config::{Data, Recipe};
use crate::data::image_files::{self, Files};
use crate::data::{Depth, RowShape, Rows, Split, idx, npy};
use crate::error::{Error, Result};
use std::path::Path;

/// The images of a file or folder, which are like those of a recipe: an array (`.npy`, `.npz`), an IDX file (`.idx`, `.gz`, `-ubyte`), or
/// image files in a folder or an archive. They are called by the file's name.
///
/// # Errors
/// A recipe of a table or of classes, a file that cannot be read, or images of another shape or other levels.
pub(super) fn images(recipe: &Recipe, path: &Path) -> Result<Rows> {
    let (Some(levels), RowShape::Image(shape)) = (recipe.data.levels(), recipe.row_shape()?) else {
        return Err(Error::value("run", "one of rows of a table", "one of images, which others can be like"));
    };
    if recipe.data.conditions() > 0 {
        let found = "one that is conditioned on classes";
        return Err(Error::value("run", found, "one without conditions: other images have no labels"));
    }
    if !path.exists() {
        return Err(Error::format(path, "images", "nothing", "a file or a folder"));
    }
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let file = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let stored = match &recipe.data {
        Data::Npy(files) | Data::Idx(files) => files.stored(),
        Data::Npz(files) => files.stored(),
        Data::Cifar10(_) | Data::Imagenet32(_) => 256,
        _ => levels,
    };
    let ends = |endings: &[&str]| endings.iter().any(|ending| file.ends_with(ending));
    let set = match path.is_file() {
        true if ends(&[".npy", ".npz"]) => {
            npy::load(path, None, &name, Split::Test, Depth::reduced(stored, levels)?)?
        }
        true if ends(&[".idx", "-ubyte", "-ubyte.gz", ".idx.gz"]) => {
            idx::load(path, &name, Split::Test, Depth::reduced(stored, levels)?)?
        }
        _ => image_files::load(path, &name, Split::Test, Files::new(shape, levels))?,
    };
    let rows = Rows::images(set);
    if rows.shape() != RowShape::Image(shape) {
        let expected = format!("{shape}, as the run's own");
        return Err(Error::format(path, "shape of the images", rows.shape(), expected));
    }
    Ok(rows)
}
