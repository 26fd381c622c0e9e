//! Writing a PNG so that a reader never sees half of one.

use crate::error::{Error, Result};
use image::{ImageEncoder, RgbImage, codecs::png::PngEncoder};
use std::path::Path;

/// Encodes `picture` and writes it to a temporary file beside `path`, which is then renamed.
pub(crate) fn save(picture: &RgbImage, path: &Path) -> Result<()> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    PngEncoder::new(&mut bytes)
        .write_image(picture.as_raw(), width, height, image::ExtendedColorType::Rgb8)
        .map_err(|e| Error::io(path, "write")(std::io::Error::other(e)))?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = std::fs::write(&temporary, &bytes).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|e| {
        // What is left of the temporary file is of no use; that it may not exist is no second error.
        let _ = std::fs::remove_file(&temporary);
        Error::io(path, "write")(e)
    })
}
