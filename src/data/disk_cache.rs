//! Data sets larger than memory: decoded once into a temporary file, then read by index.
//!
//! Archives can only be read from front to back; training visits images in any order. So each loader
//! writes the levels of its images, one after another, into an unnamed temporary file (in the system's
//! folder for such files, which the variable `TMPDIR` names) that vanishes with the set. Memory holds one
//! image and 16 bytes for each other.

use crate::data::dataset::check_visits;
use crate::data::depth::Depth;
use crate::data::fingerprint::{Fingerprint, Fingerprinter, bytes_per_level, encode};
use crate::data::labels::Labels;
use crate::data::shape::ImageShape;
use crate::data::shuffle::Visit;
use crate::data::source::{ImageSource, Split};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use rand::Rng;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Where an image lies in the temporary file, and how large it is before any crop.
#[derive(Clone, Copy, Debug)]
struct Record {
    offset: u64,
    height: u32,
    width: u32,
}

/// A data set on disk, read by index.
#[derive(Debug)]
pub struct StreamedSet {
    name: String,
    split: Split,
    shape: ImageShape,
    grid: PixelGrid,
    crop_seed: u64,
    origin: PathBuf,
    records: Vec<Record>,
    labels: Option<Labels>,
    passed_over: usize,
    file: Mutex<File>,
    fingerprint: OnceLock<Fingerprint>,
}

/// A streamed set in the making.
#[derive(Debug)]
pub(crate) struct DiskCacheWriter {
    origin: PathBuf,
    shape: ImageShape,
    grid: PixelGrid,
    crop_seed: Option<u64>,
    file: BufWriter<File>,
    offset: u64,
    records: Vec<Record>,
    kept: Vec<u16>,
    bytes: Vec<u8>,
}

impl DiskCacheWriter {
    /// Starts without images; `origin` is the file that errors name. With a crop seed, images may be
    /// larger than `shape`.
    pub(crate) fn new(
        origin: &Path,
        shape: ImageShape,
        grid: PixelGrid,
        crop_seed: Option<u64>,
    ) -> Result<Self> {
        if shape.dims() == 0 {
            return Err(Error::value("image shape", shape, "no side of length 0"));
        }
        let file = tempfile::tempfile().map_err(Error::io(std::env::temp_dir(), "create a file in"))?;
        Ok(Self {
            origin: origin.into(),
            shape,
            grid,
            crop_seed,
            file: BufWriter::with_capacity(1 << 20, file),
            offset: 0,
            records: Vec::new(),
            kept: Vec::new(),
            bytes: Vec::new(),
        })
    }

    /// The number of images so far.
    pub(crate) fn images(&self) -> usize {
        self.records.len()
    }

    /// Adds an image of `height` x `width` pixels; `entry` is what errors call it.
    pub(crate) fn push(
        &mut self,
        entry: &str,
        (height, width): (usize, usize),
        depth: Depth,
        levels: &[u16],
    ) -> Result<()> {
        let shape = self.shape;
        let found = ImageShape::new(height, width, shape.channels);
        let fits = if self.crop_seed.is_some() {
            height >= shape.height && width >= shape.width
        } else {
            found == shape
        };
        if !fits || levels.len() != found.dims() {
            let expected =
                if self.crop_seed.is_some() { format!("at least {shape}") } else { shape.to_string() };
            return Err(Error::format(&self.origin, format!("{entry}: shape"), found, expected));
        }
        self.kept.clear();
        for (j, &k) in levels.iter().enumerate() {
            let Some(kept) = depth.keep(k) else {
                let expected = format!("a level below {}", depth.stored());
                return Err(Error::format(&self.origin, format!("{entry}: value {j}"), k, expected));
            };
            self.kept.push(kept);
        }
        self.bytes.clear();
        encode(&self.kept, self.grid, &mut self.bytes);
        self.file.write_all(&self.bytes).map_err(Error::io(std::env::temp_dir(), "write to"))?;
        self.records.push(Record { offset: self.offset, height: height as u32, width: width as u32 });
        self.offset += self.bytes.len() as u64;
        Ok(())
    }

    /// Ends the set. `order`, if given, lists the pushed images in the order they shall have.
    pub(crate) fn finish(self, name: &str, split: Split, order: Option<&[usize]>) -> Result<StreamedSet> {
        let records = match order {
            None => self.records,
            Some(order) => order.iter().filter_map(|&i| self.records.get(i).copied()).collect(),
        };
        if records.is_empty() {
            return Err(Error::format(&self.origin, format!("{split} split"), "no image", "at least one"));
        }
        let file = self
            .file
            .into_inner()
            .map_err(|e| Error::io(std::env::temp_dir(), "write to")(e.into_error()))?;
        Ok(StreamedSet {
            name: name.into(),
            split,
            shape: self.shape,
            grid: self.grid,
            crop_seed: self.crop_seed.unwrap_or(0),
            origin: self.origin,
            records,
            labels: None,
            passed_over: 0,
            file: Mutex::new(file),
            fingerprint: OnceLock::new(),
        })
    }
}

impl StreamedSet {
    /// The same images with a class for each.
    ///
    /// # Errors
    /// Unless there is one label per image.
    pub fn with_labels(self, labels: Labels) -> Result<Self> {
        let (found, images) = (labels.values().len(), self.images());
        if found != images {
            let expected = format!("{images}, one per image");
            return Err(Error::format(
                &self.origin,
                format!("labels of the {} split", self.split),
                found,
                expected,
            ));
        }
        Ok(Self { labels: Some(labels), ..self })
    }

    /// The same images, with the number of files beside them that were passed over.
    pub(crate) fn beside(self, passed_over: usize) -> Self {
        Self { passed_over, ..self }
    }

    /// The file or folder that the images came from.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    fn read_one(
        &self,
        file: &mut File,
        visit: Visit,
        bytes: &mut Vec<u8>,
        rows: &mut Vec<u16>,
    ) -> Result<()> {
        let Record { offset, height, width } = self.records[visit.index];
        let (height, width) = (height as usize, width as usize);
        let (shape, size) = (self.shape, bytes_per_level(self.grid));
        bytes.resize(height * width * shape.channels * size, 0);
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(bytes))
            .map_err(Error::io(std::env::temp_dir(), "read back from"))?;
        let (mut top, mut left) = (0, 0);
        if (height, width) != (shape.height, shape.width) {
            let mut generator = visit.generator(self.crop_seed, "crop");
            top = generator.gen_range(0..=height - shape.height);
            left = generator.gen_range(0..=width - shape.width);
        }
        for y in top..top + shape.height {
            let start = (y * width + left) * shape.channels * size;
            let line = &bytes[start..start + shape.width * shape.channels * size];
            if size == 1 {
                rows.extend(line.iter().map(|&b| u16::from(b)));
            } else {
                rows.extend(line.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])));
            }
        }
        Ok(())
    }
}

impl ImageSource for StreamedSet {
    fn name(&self) -> &str {
        &self.name
    }

    fn split(&self) -> Split {
        self.split
    }

    fn shape(&self) -> ImageShape {
        self.shape
    }

    fn grid(&self) -> PixelGrid {
        self.grid
    }

    fn images(&self) -> usize {
        self.records.len()
    }

    fn read(&self, visits: &[Visit], rows: &mut Vec<u16>) -> Result<()> {
        check_visits(&self.name, self.images(), visits)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        visits.iter().try_for_each(|&visit| self.read_one(&mut file, visit, &mut bytes, rows))
    }

    fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// Reads the whole set (epoch 0 of each image) the first time it is asked for.
    fn fingerprint(&self) -> Result<Fingerprint> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known.clone());
        }
        let mut f = Fingerprinter::new(self.shape, self.grid);
        let mut rows = Vec::new();
        for index in 0..self.images() {
            rows.clear();
            self.read(&[index.into()], &mut rows)?;
            f.update(&rows);
        }
        Ok(self.fingerprint.get_or_init(|| f.finish()).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageSet;

    fn writer(levels: u32, crop: Option<u64>) -> DiskCacheWriter {
        let grid = PixelGrid::new(levels).unwrap();
        DiskCacheWriter::new(Path::new("f"), ImageShape::new(1, 2, 1), grid, crop).unwrap()
    }

    fn streamed_of(pixels: &[u16], levels: u32) -> StreamedSet {
        let (mut s, depth) = (writer(levels, None), Depth::of(levels).unwrap());
        for (i, row) in pixels.chunks(2).enumerate() {
            s.push(&format!("image {i}"), (1, 2), depth, row).unwrap();
        }
        s.finish("toy", Split::Train, None).unwrap()
    }

    #[test]
    fn a_streamed_set_is_the_set_in_memory() {
        for levels in [6, 1000] {
            let pixels: Vec<u16> = (0..6).map(|k| k * (levels as u16 / 6)).collect();
            let streamed = streamed_of(&pixels, levels);
            let held = ImageSet::new("toy", Split::Train, streamed.shape(), streamed.grid(), pixels.clone())
                .unwrap();
            assert_eq!(ImageSet::collect(&streamed).unwrap(), held);
            let labels = |values| Labels::new("toy", values, 2).unwrap();
            let line = streamed_of(&pixels, levels).with_labels(labels(vec![0])).unwrap_err().to_string();
            assert_eq!(line, "f: labels of the train split: found 1, expected 3, one per image");
            let labelled = streamed_of(&pixels, levels).with_labels(labels(vec![0, 1, 1])).unwrap();
            assert_eq!(labelled.labels().unwrap().values(), [0, 1, 1]);
            assert_eq!(ImageSet::collect(&labelled).unwrap().labels(), labelled.labels());
            assert_eq!(streamed.fingerprint().unwrap(), held.fingerprint().unwrap());
            let visits = [2.into(), 0.into()];
            assert_eq!(streamed.batch(&visits).unwrap(), held.batch(&visits).unwrap());
            assert!(streamed.batch(&[3.into()]).is_err());
        }
    }

    #[test]
    fn a_crop_is_drawn_per_visit() {
        let mut s = writer(256, Some(7));
        s.push("image 0", (4, 5), Depth::of(256).unwrap(), &(0..20).collect::<Vec<_>>()).unwrap();
        let set = s.finish("toy", Split::Train, None).unwrap();
        let at = |epoch| set.batch(&[Visit { index: 0, epoch }]).unwrap();
        let crops: Vec<Vec<u16>> = (0..200).map(at).collect();
        assert!(crops.iter().all(|c| c[1] == c[0] + 1 && c[0] % 5 < 4));
        let mut seen: Vec<u16> = crops.iter().map(|c| c[0]).collect();
        seen.sort_unstable();
        seen.dedup();
        // 16 places, 200 draws: the chance that one of them is missed is below 16 (15/16)^200 = 4e-5.
        assert_eq!(seen.len(), 16);
        assert_eq!(at(3), crops[3]);
    }

    #[test]
    fn bad_images_are_named() {
        let mut s = writer(6, None);
        let depth = Depth::of(6).unwrap();
        let line = |r: Result<()>| r.unwrap_err().to_string();
        assert_eq!(line(s.push("a", (2, 1), depth, &[0, 0])), "f: a: shape: found 2x1x1, expected 1x2x1");
        assert_eq!(
            line(s.push("a", (1, 2), depth, &[0, 6])),
            "f: a: value 1: found 6, expected a level below 6"
        );
        let none = s.finish("toy", Split::Test, None).unwrap_err().to_string();
        assert_eq!(none, "f: test split: found no image, expected at least one");
    }
}
