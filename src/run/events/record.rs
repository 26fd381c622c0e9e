//! A record of an event file: its length, the length's checksum, the bytes, and theirs.

/// The polynomial of CRC-32C (Castagnoli), its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What a byte does to the checksum.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// CRC-32C, as RFC 3720 has it.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

/// The checksum as the format has it: a checksum of bytes that hold their own checksum would say little.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The bytes as a record.
pub(super) fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), bytes, &masked(bytes).to_le_bytes()].concat()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The bytes of every record, each with its checksums.
    pub(crate) fn read(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while !file.is_empty() {
            let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
            assert_eq!(file[8..12], masked(&file[..8]).to_le_bytes());
            let bytes = &file[12..12 + length];
            assert_eq!(file[12 + length..16 + length], masked(bytes).to_le_bytes());
            found.push(bytes.to_vec());
            file = &file[16 + length..];
        }
        found
    }

    /// The check value of the polynomial, and the vectors of RFC 3720, appendix B.4.
    #[test]
    fn checksums_are_the_standards() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(&(0..32).rev().collect::<Vec<u8>>()), 0x113f_db5c);
    }

    /// The first record that TensorFlow writes but for its time: 24 bytes of an event that has the version alone.
    #[test]
    fn a_record_is_length_checksum_bytes_checksum() {
        let made = record(b"123456789");
        assert_eq!(made.len(), 8 + 4 + 9 + 4);
        assert_eq!(made[..8], [9, 0, 0, 0, 0, 0, 0, 0]);
        // The length of the first record of every file, 24, and its checksum, as TensorFlow's own files have them.
        assert_eq!(masked(&24_u64.to_le_bytes()).to_le_bytes(), [0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(made[12..21], *b"123456789");
        assert_eq!(read(&[record(b"a"), record(b"")].concat()), [b"a".to_vec(), Vec::new()]);
    }
}
