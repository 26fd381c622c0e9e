//! NumPy's integer types, as grey levels.

/// An integer type as NumPy names it: `|u1`, `<u2`, `>i4`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IntegerType {
    signed: bool,
    bytes: usize,
    big_endian: bool,
}

impl IntegerType {
    /// The type that `name` says; a name without a byte order means the low byte first.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (order, code) = match name.as_bytes() {
            [order @ (b'|' | b'<' | b'>' | b'='), ..] => (*order, &name[1..]),
            _ => (b'<', name),
        };
        let (signed, bytes) = match code {
            "b1" | "u1" => (false, 1),
            "u2" => (false, 2),
            "u4" => (false, 4),
            "u8" => (false, 8),
            "i1" => (true, 1),
            "i2" => (true, 2),
            "i4" => (true, 4),
            "i8" => (true, 8),
            _ => return None,
        };
        Some(Self { signed, bytes, big_endian: order == b'>' })
    }

    /// The same type with the byte order of `order`, if that is one.
    pub(crate) fn with_order(self, order: &str) -> Option<Self> {
        match order {
            "|" | "<" | "=" => Some(Self { big_endian: false, ..self }),
            ">" => Some(Self { big_endian: true, ..self }),
            _ => None,
        }
    }

    /// Bytes of one value.
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// Appends the values of `bytes`; on a value that is no level gives its index and the value.
    pub(crate) fn decode(self, bytes: &[u8], levels: &mut Vec<u16>) -> Result<(), (usize, i64)> {
        if self.bytes == 1 && !self.signed {
            levels.extend(bytes.iter().map(|&b| u16::from(b)));
            return Ok(());
        }
        for (i, value) in bytes.chunks_exact(self.bytes).enumerate() {
            let mut wide = [0; 8];
            for (j, &b) in value.iter().enumerate() {
                wide[if self.big_endian { self.bytes - 1 - j } else { j }] = b;
            }
            let unused = 64 - 8 * self.bytes as u32;
            let unsigned = u64::from_le_bytes(wide);
            let value = match self.signed {
                true => (unsigned as i64) << unused >> unused,
                false => i64::try_from(unsigned).unwrap_or(i64::MAX),
            };
            levels.push(u16::try_from(value).map_err(|_| (i, value))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_decodes() {
        let values = |name: &str, bytes: &[u8]| {
            let mut out = Vec::new();
            IntegerType::parse(name).unwrap().decode(bytes, &mut out).map(|()| out)
        };
        assert_eq!(values("|u1", &[0, 255]), Ok(vec![0, 255]));
        assert_eq!(values("<u2", &[1, 2]), Ok(vec![0x201]));
        assert_eq!(values(">u2", &[1, 2]), Ok(vec![0x102]));
        assert_eq!(values("<i8", &[7, 0, 0, 0, 0, 0, 0, 0]), Ok(vec![7]));
        assert_eq!(values(">i4", &[0, 0, 1, 0]), Ok(vec![256]));
        assert_eq!(values("|i1", &[1, 255]), Err((1, -1)));
        assert_eq!(values("<u4", &[0, 0, 1, 0]), Err((0, 65536)));
        assert_eq!(values("<u8", &[255; 8]), Err((0, i64::MAX)));
        for name in ["<f4", "|O", "|S3", "", "|", "u16"] {
            assert_eq!(IntegerType::parse(name), None, "{name}");
        }
    }
}
