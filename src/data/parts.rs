//! Data sets that come as numbered parts within a folder or an archive.

use crate::data::archive::for_each_file;
use crate::data::spool::Spool;
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// Reads every wanted part of `path` into `spool`; gives the order of images by part number.
///
/// Archives hold parts in any order, so the images are put in order afterwards. `number` tells which
/// part a file is, counted from 0, by the last component of its name; other files are passed over.
///
/// # Errors
/// If one of `count` parts is missing or there twice, or `read` fails.
pub(crate) fn read_parts(
    path: &Path,
    count: usize,
    title: &dyn Fn(usize) -> String,
    number: &dyn Fn(&str) -> Option<usize>,
    spool: &mut Spool,
    read: &mut dyn FnMut(&str, &mut dyn Read, &mut Spool) -> Result<()>,
) -> Result<Vec<usize>> {
    let mut ranges = vec![None; count];
    for_each_file(path, &mut |entry, reader| {
        let file = entry.rsplit('/').next().unwrap_or(entry);
        let Some(part) = number(file).filter(|&part| part < count) else { return Ok(()) };
        if ranges[part].is_some() {
            return Err(Error::format(path, "parts", format!("{} twice", title(part)), "each part once"));
        }
        let start = spool.images();
        read(entry, reader, spool)?;
        ranges[part] = Some(start..spool.images());
        Ok(())
    })?;
    let mut order = Vec::with_capacity(spool.images());
    for (part, range) in ranges.into_iter().enumerate() {
        match range {
            Some(range) => order.extend(range),
            None => {
                let expected = format!("{count} of them, from {} on", title(0));
                return Err(Error::format(path, "parts", format!("no {}", title(part)), expected));
            }
        }
    }
    Ok(order)
}
