//! Data sets that come as numbered parts within a folder or an archive.

use crate::data::archive::for_each_file;
use crate::data::disk_cache::DiskCacheWriter;
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The images of all parts.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where each image is in the cache, by part number.
    pub(crate) order: Vec<usize>,
    /// The label of each, in that order, if every part has labels.
    pub(crate) labels: Option<Vec<u16>>,
}

/// Reads every wanted part of `path` into `cache`; `read` reads one and gives its labels.
///
/// Archives hold parts in any order, so the images are put in order afterwards. `number` tells which
/// part a file is, counted from 0, by the last component of its name; other files are passed over.
///
/// # Errors
/// If one of `count` parts is missing or there twice, or has not one label an image, or `read` fails.
pub(crate) fn read_parts(
    path: &Path,
    count: usize,
    title: &dyn Fn(usize) -> String,
    number: &dyn Fn(&str) -> Option<usize>,
    cache: &mut DiskCacheWriter,
    read: &mut dyn FnMut(&str, &mut dyn Read, &mut DiskCacheWriter) -> Result<Option<Vec<u16>>>,
) -> Result<Parts> {
    let mut found = vec![None; count];
    for_each_file(path, &mut |entry, reader| {
        let file = entry.rsplit('/').next().unwrap_or(entry);
        let Some(part) = number(file).filter(|&part| part < count) else { return Ok(()) };
        if found[part].is_some() {
            return Err(Error::format(path, "parts", format!("{} twice", title(part)), "each part once"));
        }
        let start = cache.images();
        let labels = read(entry, reader, cache)?;
        let range = start..cache.images();
        if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != range.len()) {
            let expected = format!("{}, one per image", range.len());
            return Err(Error::format(path, format!("{entry}: labels"), labels.len(), expected));
        }
        found[part] = Some((range, labels));
        Ok(())
    })?;
    let (mut order, mut all) = (Vec::with_capacity(cache.images()), Some(Vec::new()));
    for (part, of_part) in found.into_iter().enumerate() {
        match of_part {
            Some((range, labels)) => {
                order.extend(range);
                match (&mut all, labels) {
                    (Some(all), Some(labels)) => all.extend_from_slice(&labels),
                    _ => all = None,
                }
            }
            None => {
                let expected = format!("{count} of them, from {} on", title(0));
                return Err(Error::format(path, "parts", format!("no {}", title(part)), expected));
            }
        }
    }
    Ok(Parts { order, labels: all })
}
