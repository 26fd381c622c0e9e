//! One scan of a JPEG: its codes are read, and their values thrown away.

use super::bits::{Bits, Huffman, Missing};
use super::frame::{Component, Frame};

/// What a scan's header says.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    /// The index of each component in the frame, with its tables.
    pub(super) components: Vec<(usize, Option<&'a Huffman>, Option<&'a Huffman>)>,
    /// The first and the last coefficient.
    pub(super) band: (usize, usize),
    /// The bit that an earlier scan ended with, 0 if there was none.
    pub(super) high: u8,
    /// Blocks, or groups of them, from one restart marker to the next; 0 for none.
    pub(super) restart: usize,
}

/// Why a scan is not whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It ends within this group of blocks, counted from 0, of so many.
    Ends(usize, usize),
    /// There is more of it after its last block.
    Longer,
}

impl Scan<'_> {
    /// Reads the scan's data from `at` on; gives where the next marker is.
    pub(super) fn read(&self, bytes: &[u8], at: usize, frame: &mut Frame) -> Result<usize, Flaw> {
        let (columns, rows) = frame.groups(&self.components.iter().map(|c| c.0).collect::<Vec<_>>());
        let total = columns * rows;
        let (mut bits, mut run) = (Bits::new(bytes, at), 0u32);
        for group in 0..total {
            if self.restart > 0 && group > 0 && group % self.restart == 0 {
                let next = bits.end().ok_or(Flaw::Longer)?;
                let number = (group / self.restart - 1) % 8;
                bits = Bits::new(bytes, after_restart(bytes, next, number).ok_or(Flaw::Ends(group, total))?);
                run = 0;
            }
            let (row, column) = (group / columns, group % columns);
            self.group(&mut bits, &mut run, frame, row, column)
                .map_err(|Missing| Flaw::Ends(group, total))?;
        }
        bits.end().ok_or(Flaw::Longer)
    }

    /// The blocks of a group: one of a component on its own, else of each as many as its sampling says.
    fn group(
        &self,
        bits: &mut Bits<'_>,
        run: &mut u32,
        frame: &mut Frame,
        row: usize,
        column: usize,
    ) -> Result<(), Missing> {
        let is_alone = self.components.len() == 1;
        for &(index, dc, ac) in &self.components {
            let progressive = frame.progressive;
            let component = &mut frame.components[index];
            let (wide, high) = if is_alone { (1, 1) } else { component.sampling };
            for y in 0..high {
                for x in 0..wide {
                    let block = component.block(row * high + y, column * wide + x);
                    if progressive {
                        self.progressive(bits, run, (dc, ac), component, block)?;
                    } else {
                        baseline(bits, dc.ok_or(Missing)?, ac.ok_or(Missing)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn progressive(
        &self,
        bits: &mut Bits<'_>,
        run: &mut u32,
        (dc, ac): (Option<&Huffman>, Option<&Huffman>),
        component: &mut Component,
        block: usize,
    ) -> Result<(), Missing> {
        let is_first = self.high == 0;
        if self.band.0 == 0 {
            return if is_first { difference(bits, dc.ok_or(Missing)?) } else { bits.take(1).map(drop) };
        }
        let nonzero = component.nonzero.get_mut(block).ok_or(Missing)?;
        let ac = ac.ok_or(Missing)?;
        if is_first { self.first(bits, run, ac, nonzero) } else { self.refinement(bits, run, ac, nonzero) }
    }

    /// The first bits of a band of coefficients.
    fn first(
        &self,
        bits: &mut Bits<'_>,
        run: &mut u32,
        ac: &Huffman,
        nonzero: &mut u64,
    ) -> Result<(), Missing> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let (mut k, last) = self.band;
        while k <= last {
            let (zeros, size) = halves(bits.symbol(ac)?);
            match (zeros, size) {
                (15, 0) => k += 16,
                (_, 0) => {
                    *run = (1 << zeros) - 1 + bits.take(zeros)?;
                    return Ok(());
                }
                _ => {
                    k += zeros as usize;
                    if k > last {
                        return Err(Missing);
                    }
                    *nonzero |= 1 << k;
                    bits.take(size)?;
                    k += 1;
                }
            }
        }
        Ok(())
    }

    /// A further bit of a band: one for each coefficient that is not zero, and those that become so.
    fn refinement(
        &self,
        bits: &mut Bits<'_>,
        run: &mut u32,
        ac: &Huffman,
        nonzero: &mut u64,
    ) -> Result<(), Missing> {
        let (mut k, last) = self.band;
        while *run == 0 && k <= last {
            let (mut zeros, size) = halves(bits.symbol(ac)?);
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            bits.take(size.min(1))?;
            while k <= last {
                if *nonzero >> k & 1 == 1 {
                    bits.take(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size > 0 {
                if k > last {
                    return Err(Missing);
                }
                *nonzero |= 1 << k;
            }
            k += 1;
        }
        if *run > 0 {
            let rest = u64::MAX << k & (u64::MAX >> (63 - last));
            for _ in 0..(*nonzero & rest).count_ones() {
                bits.take(1)?;
            }
            *run -= 1;
        }
        Ok(())
    }
}

/// A whole block of a baseline scan.
fn baseline(bits: &mut Bits<'_>, dc: &Huffman, ac: &Huffman) -> Result<(), Missing> {
    difference(bits, dc)?;
    let mut k = 1;
    while k < 64 {
        let (zeros, size) = halves(bits.symbol(ac)?);
        match (zeros, size) {
            (15, 0) => k += 16,
            (_, 0) => return Ok(()),
            _ => {
                bits.take(size)?;
                k += zeros + 1;
            }
        }
    }
    if k == 64 { Ok(()) } else { Err(Missing) }
}

/// The constant part of a block, as a difference.
fn difference(bits: &mut Bits<'_>, dc: &Huffman) -> Result<(), Missing> {
    let size = bits.symbol(dc)?;
    if size > 16 { Err(Missing) } else { bits.take(size.into()).map(drop) }
}

/// The run of zeros before a coefficient, and the number of its bits.
fn halves(symbol: u8) -> (u32, u32) {
    (u32::from(symbol >> 4), u32::from(symbol & 15))
}

/// Where the data goes on after restart marker `number`, if it is at `at`.
fn after_restart(bytes: &[u8], at: usize, number: usize) -> Option<usize> {
    let filling = bytes.get(at..)?.iter().take_while(|&&b| b == 0xff).count();
    let marker = *bytes.get(at + filling)?;
    (filling > 0 && usize::from(marker) == 0xd0 + number).then_some(at + filling + 1)
}
