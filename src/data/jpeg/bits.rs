//! Bits of the data of a scan, and the Huffman codes in them.

/// No more bits before the next marker, or no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing;

/// Reads bits, highest first, up to the next marker.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte that is not yet in `held`.
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0 }
    }

    /// Takes in bytes while there is room; `ff 00` stands for the byte `ff`.
    fn refill(&mut self) {
        while self.count <= 48 {
            let Some((byte, length)) = data_byte(self.bytes, self.at) else { return };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
            self.at += length;
        }
    }

    /// The next `n` bits, at most 16.
    pub(super) fn take(&mut self, n: u32) -> Result<u32, Missing> {
        if self.count < n {
            self.refill();
        }
        self.count = self.count.checked_sub(n).ok_or(Missing)?;
        Ok((self.held >> self.count) as u32 & ((1 << n) - 1))
    }

    /// The next symbol of a table.
    pub(super) fn symbol(&mut self, table: &Huffman) -> Result<u8, Missing> {
        if self.count < 16 {
            self.refill();
        }
        // The end of the data is followed by ones, of which no code consists.
        let next = match self.count {
            count @ 16.. => (self.held >> (count - 16)) as u16,
            count => (self.held << (16 - count)) as u16 | ((1u32 << (16 - count)) - 1) as u16,
        };
        let (symbol, length) = table.decode(next).ok_or(Missing)?;
        self.count = self.count.checked_sub(length).ok_or(Missing)?;
        Ok(symbol)
    }

    /// Where the next marker is, if nothing but filling comes before it: bytes `00` or `ff`, and less than a byte of bits.
    pub(super) fn end(mut self) -> Option<usize> {
        self.count -= self.count % 8;
        loop {
            let byte = if self.count > 0 {
                self.count -= 8;
                (self.held >> self.count) as u8
            } else if let Some((byte, length)) = data_byte(self.bytes, self.at) {
                self.at += length;
                byte
            } else {
                return Some(self.at);
            };
            if !matches!(byte, 0 | 0xff) {
                return None;
            }
        }
    }
}

/// The byte of data at `at` and how many bytes it takes, unless a marker or the end of the file is there.
fn data_byte(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    match bytes.get(at..)? {
        [0xff, 0, ..] => Some((0xff, 2)),
        [0xff, ..] | [] => None,
        [byte, ..] => Some((*byte, 1)),
    }
}

/// A table of codes.
#[derive(Clone, Debug)]
pub(super) struct Huffman {
    /// For each code length from 1 to 16: one more than the last code, moved to the left of 16 bits.
    ends: [u32; 16],
    /// For each length: what to add to a code to get the place of its symbol.
    offsets: [i32; 16],
    symbols: Vec<u8>,
    /// Symbol and length of every code of up to 8 bits, by the next 8 bits; length 0 is a longer code.
    short: Box<[(u8, u8); 256]>,
}

impl Huffman {
    /// The table with `counts[i]` codes of `i + 1` bits, in the order of `symbols`; none if there are more than fit.
    pub(super) fn new(counts: [u8; 16], symbols: Vec<u8>) -> Option<Self> {
        let (mut ends, mut offsets, mut short) = ([0; 16], [0; 16], Box::new([(0, 0); 256]));
        let (mut code, mut place) = (0u32, 0usize);
        for (i, &count) in counts.iter().enumerate() {
            let bits = i + 1;
            offsets[i] = place as i32 - code as i32;
            for _ in 0..count {
                if code >= 1 << bits {
                    return None;
                }
                let symbol = *symbols.get(place)?;
                if bits <= 8 {
                    let first = (code as usize) << (8 - bits);
                    short[first..first + (1 << (8 - bits))].fill((symbol, bits as u8));
                }
                (code, place) = (code + 1, place + 1);
            }
            ends[i] = code << (16 - bits);
            code <<= 1;
        }
        Some(Self { ends, offsets, symbols, short })
    }

    /// The symbol that the next 16 bits start with, and the length of its code.
    fn decode(&self, next: u16) -> Option<(u8, u32)> {
        let (symbol, length) = self.short[usize::from(next >> 8)];
        if length > 0 {
            return Some((symbol, length.into()));
        }
        let i = (8..16).find(|&i| u32::from(next) < self.ends[i])?;
        let place = (next >> (15 - i)) as i32 + self.offsets[i];
        Some((*self.symbols.get(usize::try_from(place).ok()?)?, i as u32 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes 00, 01, 100, and one of 9 bits.
    fn table() -> Huffman {
        let mut counts = [0; 16];
        (counts[1], counts[2], counts[8]) = (2, 1, 1);
        Huffman::new(counts, vec![5, 6, 7, 8]).unwrap()
    }

    #[test]
    fn symbols_and_bits_up_to_the_marker() {
        // 01, 100, 1010_0000_0 (the code of 9 bits), 00; a byte ff with its 00; 11_1111 and 00.
        let bytes = [0b0110_0101, 0, 0xff, 0, 0b1111_1100, 0xff, 0xd9];
        let (table, mut bits) = (table(), Bits::new(&bytes, 0));
        assert_eq!([0; 4].map(|_| bits.symbol(&table)), [Ok(6), Ok(7), Ok(8), Ok(5)]);
        assert_eq!((bits.take(8), bits.take(6)), (Ok(0xff), Ok(0x3f)));
        assert_eq!(
            (bits.take(3), bits.symbol(&table), bits.symbol(&table)),
            (Err(Missing), Ok(5), Err(Missing))
        );
        assert_eq!(bits.end(), Some(5));
    }

    #[test]
    fn what_is_left_is_filling_or_corruption() {
        let end = |bytes: &[u8], n| {
            let mut bits = Bits::new(bytes, 0);
            bits.take(n).unwrap();
            bits.end()
        };
        assert_eq!(end(&[0x80, 0, 0xff, 0xd9], 1), Some(2));
        assert_eq!(end(&[0x80, 0xff, 0, 0xff, 0xd9], 1), Some(3));
        assert_eq!(end(&[0x80, 3, 0xff, 0xd9], 1), None);
    }

    #[test]
    fn a_table_of_too_many_codes_is_none() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Huffman::new(counts, vec![1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Huffman::new(counts, vec![1]).is_none());
    }
}
