//! The numbers that arrays in files are made of, as grey levels.

/// What kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Signed,
    Float,
}

/// A type of numbers as NumPy names it (`|u1`, `<u2`, `>f4`, ...), of which whole ones are levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    kind: Kind,
    bytes: usize,
    big_endian: bool,
}

impl Element {
    /// The type that `name` says; a name without a byte order means the low byte first.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (order, code) = match name.as_bytes() {
            [order @ (b'|' | b'<' | b'>' | b'='), ..] => (*order, &name[1..]),
            _ => (b'<', name),
        };
        let (kind, bytes) = match code {
            "b1" | "u1" => (Kind::Unsigned, 1),
            "u2" => (Kind::Unsigned, 2),
            "u4" => (Kind::Unsigned, 4),
            "u8" => (Kind::Unsigned, 8),
            "i1" => (Kind::Signed, 1),
            "i2" => (Kind::Signed, 2),
            "i4" => (Kind::Signed, 4),
            "i8" => (Kind::Signed, 8),
            "f2" => (Kind::Float, 2),
            "f4" => (Kind::Float, 4),
            "f8" => (Kind::Float, 8),
            _ => return None,
        };
        Some(Self { kind, bytes, big_endian: order == b'>' })
    }

    /// The type of an IDX file's third byte.
    pub(crate) fn of_idx(code: u8) -> Option<Self> {
        Self::parse(match code {
            0x08 => "|u1",
            0x09 => "|i1",
            0x0b => ">i2",
            0x0c => ">i4",
            0x0d => ">f4",
            0x0e => ">f8",
            _ => return None,
        })
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

    /// Appends the values of `bytes`; on a value that is no whole number from 0 to 65535, its index and itself.
    pub(crate) fn decode(self, bytes: &[u8], levels: &mut Vec<u16>) -> Result<(), (usize, String)> {
        if self.bytes == 1 && self.kind == Kind::Unsigned {
            levels.extend(bytes.iter().map(|&b| u16::from(b)));
            return Ok(());
        }
        for (i, value) in bytes.chunks_exact(self.bytes).enumerate() {
            let mut wide = [0; 8];
            for (j, &b) in value.iter().enumerate() {
                wide[if self.big_endian { self.bytes - 1 - j } else { j }] = b;
            }
            levels.push(self.level(u64::from_le_bytes(wide)).map_err(|shown| (i, shown))?);
        }
        Ok(())
    }

    /// The value with the bits `bits`, or how it is written if it is no level.
    fn level(self, bits: u64) -> Result<u16, String> {
        let unused = 64 - 8 * self.bytes as u32;
        match self.kind {
            Kind::Unsigned => u16::try_from(bits).map_err(|_| bits.to_string()),
            Kind::Signed => {
                let value = (bits as i64) << unused >> unused;
                u16::try_from(value).map_err(|_| value.to_string())
            }
            Kind::Float => {
                let value = match self.bytes {
                    2 => half(bits as u16),
                    4 => f64::from(f32::from_bits(bits as u32)),
                    _ => f64::from_bits(bits),
                };
                let is_level = value.fract() == 0.0 && (0.0..=65535.0).contains(&value);
                if is_level { Ok(value as u16) } else { Err(value.to_string()) }
            }
        }
    }
}

/// The value of a half-precision number: `(-1)^s (1 + f / 1024) 2^(e - 15)`, as IEEE 754 has it.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str, bytes: &[u8]) -> Result<Vec<u16>, (usize, String)> {
        let mut out = Vec::new();
        Element::parse(name).unwrap().decode(bytes, &mut out).map(|()| out)
    }

    fn refused(at: usize, shown: &str) -> Result<Vec<u16>, (usize, String)> {
        Err((at, shown.to_owned()))
    }

    #[test]
    fn every_type_of_integers_decodes() {
        assert_eq!(values("|u1", &[0, 255]), Ok(vec![0, 255]));
        assert_eq!(values("<u2", &[1, 2]), Ok(vec![0x201]));
        assert_eq!(values(">u2", &[1, 2]), Ok(vec![0x102]));
        assert_eq!(values("<i8", &[7, 0, 0, 0, 0, 0, 0, 0]), Ok(vec![7]));
        assert_eq!(values(">i4", &[0, 0, 1, 0]), Ok(vec![256]));
        assert_eq!(values("|i1", &[1, 255]), refused(1, "-1"));
        assert_eq!(values("<u4", &[0, 0, 1, 0]), refused(0, "65536"));
        assert_eq!(values("<u8", &[255; 8]), refused(0, "18446744073709551615"));
        for name in ["<c8", "|O", "|S3", "", "|", "u16", "<f16"] {
            assert_eq!(Element::parse(name), None, "{name}");
        }
    }

    #[test]
    fn whole_floats_are_levels_and_others_are_not() {
        let floats = [0.0f32, -0.0, 1.0, 255.0, 65535.0];
        let little: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
        let big: Vec<u8> = floats.iter().flat_map(|x| f64::from(*x).to_be_bytes()).collect();
        assert_eq!(values("<f4", &little), Ok(vec![0, 0, 1, 255, 65535]));
        assert_eq!(values(">f8", &big), Ok(vec![0, 0, 1, 255, 65535]));
        for (x, shown) in
            [(0.5, "0.5"), (-1.0, "-1"), (65536.0, "65536"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")]
        {
            assert_eq!(values("<f8", &x.to_le_bytes()), refused(0, shown));
        }
        // 0, 1, 2, 255, 2048, 65504, as NumPy writes them; then 0.5, the least positive number and infinity.
        let halves = [0u16, 0x3c00, 0x4000, 0x5bf8, 0x6800, 0x7bff];
        let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
        assert_eq!(values("<f2", &bytes), Ok(vec![0, 1, 2, 255, 2048, 65504]));
        for (half, shown) in [(0x3800u16, "0.5"), (0x0001, "0.00000005960464477539063"), (0x7c00, "inf")] {
            assert_eq!(values(">f2", &half.to_be_bytes()), refused(0, shown));
        }
    }
}
