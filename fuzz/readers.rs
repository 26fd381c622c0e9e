//! Every kind of file that the program reads, each as one function of a path; for the fuzz targets and for `tests/mutations.rs`.

use idode::config::Recipe;
use idode::data::image_files::{self, Files};
use idode::data::table::{Choice, Table, TableFile};
use idode::data::{Depth, ImageShape, Split, cifar10, idx, npy};
use idode::error::Result;
use idode::flax::{TrainState, Tree};
use idode::result::{Outcome, StageRecord};
use idode::run::{LevelLosses, MetricsLog, StepLog};
use idode::train::Checkpoint;
use std::path::Path;

/// What reads a file.
pub(crate) type Reader = fn(&Path) -> Result<()>;

/// Every reader, by the kind of its file; the name is that of a fuzz target too.
pub(crate) const READERS: [(&str, Reader); 16] = [
    ("npy", |path| npy::load(path, None, "fuzz", Split::Test, Depth::of(256)?).map(drop)),
    ("npz", |path| npy::load(path, Some("a"), "fuzz", Split::Test, Depth::of(256)?).map(drop)),
    ("idx", |path| idx::load(path, "fuzz", Split::Test, Depth::of(256)?).map(drop)),
    ("idx_labels", |path| idx::labels(path).map(drop)),
    ("png", images),
    ("jpeg", images),
    ("tar", images),
    ("zip", images),
    ("pickle", |path| cifar10::load(path, Split::Test, 256).map(drop)),
    ("safetensors", |path| {
        let bytes = std::fs::read(path).map_err(idode::error::Error::io(path, "read"))?;
        Checkpoint::parse(path, &bytes).map(drop)
    }),
    ("flax", |path| TrainState::parse(path, Tree::load(path)?).map(drop)),
    ("csv", |path| Table::read(&TableFile::new(path), None, &Choice::default()).map(drop)),
    ("table_npz", |path| Table::read(&TableFile::new(path), None, &Choice::default()).map(drop)),
    ("toml", |path| Recipe::load(path).map(drop)),
    ("json", |path| Outcome::read(path).map(drop).or(StageRecord::read(path).map(drop))),
    ("jsonl", |path| MetricsLog::read(path).map(drop).or(StepLog::<LevelLosses>::read(path).map(drop))),
];

/// Images of 4x4 pixels in a folder, in a tar or in a zip; a lone picture is read as its folder.
fn images(path: &Path) -> Result<()> {
    let is_picture = path.extension().is_some_and(|kind| kind == "png" || kind == "jpg");
    let folder = path.parent().filter(|_| is_picture).unwrap_or(path);
    image_files::load(folder, "fuzz", Split::Test, Files::new(ImageShape::new(4, 4, 3), 256)).map(drop)
}
