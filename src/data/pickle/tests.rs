//! Pickles that Python and NumPy wrote, byte for byte, and corruption to them.

use super::Pickle;
use std::path::Path;

/// `{'data': arange(6, dtype=uint8).reshape(2, 3), 'labels': [3, 7], 'mean': float64(1.5)}`, protocol 2.
const PROTOCOL_2: &[u8] = b"\
      \x80\x02}q\x00(X\x04\x00\x00\x00dataq\x01cnumpy._core.multiarray\x0a_reconstruct\x0aq\
      \x02cnumpy\x0andarray\x0aq\x03K\x00\x85q\x04c_codecs\x0aencode\x0aq\x05X\x01\x00\x00\x00\
      bq\x06X\x06\x00\x00\x00latin1q\x07\x86q\x08Rq\x09\x87q\x0aRq\x0b(K\x01K\x02K\x03\x86q\
      \x0ccnumpy\x0adtype\x0aq\x0dX\x02\x00\x00\x00u1q\x0e\x89\x88\x87q\x0fRq\x10(K\x03X\x01\
      \x00\x00\x00|q\x11NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x12b\x89h\x05X\x06\x00\
      \x00\x00\x00\x01\x02\x03\x04\x05q\x13h\x07\x86q\x14Rq\x15tq\x16bX\x06\x00\x00\x00labelsq\
      \x17]q\x18(K\x03K\x07eX\x04\x00\x00\x00meanq\x19cnumpy._core.multiarray\x0ascalar\x0aq\
      \x1ah\x0dX\x02\x00\x00\x00f8q\x1b\x89\x88\x87q\x1cRq\x1d(K\x03X\x01\x00\x00\x00<q\x1eNNN\
      J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x1fbh\x05X\x09\x00\x00\x00\x00\x00\x00\x00\x00\
      \x00\xc3\xb8?q h\x07\x86q!Rq\x22\x86q#Rq$u.";

/// `{'data': arange(6, dtype=uint8).reshape(2, 3), 'labels': [3, 7], 'mean': float64(1.5)}`, protocol 3.
const PROTOCOL_3: &[u8] = b"\
      \x80\x03}q\x00(X\x04\x00\x00\x00dataq\x01cnumpy._core.multiarray\x0a_reconstruct\x0aq\
      \x02cnumpy\x0andarray\x0aq\x03K\x00\x85q\x04C\x01bq\x05\x87q\x06Rq\x07(K\x01K\x02K\x03\
      \x86q\x08cnumpy\x0adtype\x0aq\x09X\x02\x00\x00\x00u1q\x0a\x89\x88\x87q\x0bRq\x0c(K\x03X\
      \x01\x00\x00\x00|q\x0dNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89C\x06\x00\x01\
      \x02\x03\x04\x05q\x0ftq\x10bX\x06\x00\x00\x00labelsq\x11]q\x12(K\x03K\x07eX\x04\x00\x00\
      \x00meanq\x13cnumpy._core.multiarray\x0ascalar\x0aq\x14h\x09X\x02\x00\x00\x00f8q\x15\x89\
      \x88\x87q\x16Rq\x17(K\x03X\x01\x00\x00\x00<q\x18NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\
      \x00tq\x19bC\x08\x00\x00\x00\x00\x00\x00\xf8?q\x1a\x86q\x1bRq\x1cu.";

/// `{'data': arange(6, dtype=uint8).reshape(2, 3), 'labels': [3, 7], 'mean': float64(1.5)}`, protocol 4.
const PROTOCOL_4: &[u8] = b"\
      \x80\x04\x95\xf6\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x04data\x94\x8c\x16numpy._core.mu\
      ltiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94\
      K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02K\x03\x86\x94h\x05\x8c\x05dtype\x94\x93\
      \x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\
      \xff\xffK\x00t\x94b\x89C\x06\x00\x01\x02\x03\x04\x05\x94t\x94b\x8c\x06labels\x94]\x94(K\
      \x03K\x07e\x8c\x04mean\x94h\x02\x8c\x06scalar\x94\x93\x94h\x0e\x8c\x02f8\x94\x89\x88\x87\
      \x94R\x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bC\x08\x00\
      \x00\x00\x00\x00\x00\xf8?\x94\x86\x94R\x94u.";

/// `{'data': arange(6, dtype=uint8).reshape(2, 3), 'labels': [3, 7], 'mean': float64(1.5)}`, protocol 5.
const PROTOCOL_5: &[u8] = b"\
      \x80\x05\x95\xf8\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x04data\x94\x8c\x13numpy._core.nu\
      meric\x94\x8c\x0b_frombuffer\x94\x93\x94(\x96\x06\x00\x00\x00\x00\x00\x00\x00\x00\x01\
      \x02\x03\x04\x05\x94\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\
      \x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bK\x02K\x03\
      \x86\x94\x8c\x01C\x94t\x94R\x94\x8c\x06labels\x94]\x94(K\x03K\x07e\x8c\x04mean\x94\x8c\
      \x16numpy._core.multiarray\x94\x8c\x06scalar\x94\x93\x94h\x08\x8c\x02f8\x94\x89\x88\x87\
      \x94R\x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bC\x08\x00\
      \x00\x00\x00\x00\x00\xf8?\x94\x86\x94R\x94u.";

/// The same array as big-endian uint16, protocol 4.
const BIG_ENDIAN: &[u8] = b"\
      \x80\x04\x95\xa1\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x04data\x94\x8c\x16numpy._core.mul\
      tiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\
      \x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02K\x03\x86\x94h\x05\x8c\x05dtype\x94\x93\
      \x94\x8c\x02u2\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01>\x94NNNJ\xff\xff\xff\xffJ\xff\xff\
      \xff\xffK\x00t\x94b\x89C\x0c\x00\x00\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05\x94t\x94bs.";

/// The same array as float64, protocol 4.
const FLOATS: &[u8] = b"\
      \x80\x04\x95\xc5\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x04data\x94\x8c\x16numpy._core.mul\
      tiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\
      \x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02K\x03\x86\x94h\x05\x8c\x05dtype\x94\x93\
      \x94\x8c\x02f8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\
      \xff\xffK\x00t\x94b\x89C0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0?\
      \x00\x00\x00\x00\x00\x00\x00@\x00\x00\x00\x00\x00\x00\x08@\x00\x00\x00\x00\x00\x00\x10@\
      \x00\x00\x00\x00\x00\x00\x14@\x94t\x94bs.";

/// The same array as uint8 in column-major order, protocol 4.
const COLUMN_MAJOR: &[u8] = b"\
      \x80\x04\x95\x9b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x04data\x94\x8c\x16numpy._core.mul\
      tiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\
      \x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02K\x03\x86\x94h\x05\x8c\x05dtype\x94\x93\
      \x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\
      \xff\xffK\x00t\x94b\x88C\x06\x00\x03\x01\x04\x02\x05\x94t\x94bs.";

/// `OrderedDict(data=1)`, protocol 2.
const OTHER_TYPE: &[u8] = b"\
      \x80\x02ccollections\x0aOrderedDict\x0aq\x00)Rq\x01X\x04\x00\x00\x00dataq\x02K\x01s.";

fn read(mut bytes: &[u8]) -> crate::error::Result<Pickle> {
    Pickle::read(Path::new("f"), "entry", &mut bytes)
}

fn line(bytes: &[u8]) -> String {
    let wrong = read(bytes).and_then(|p| p.array(Path::new("f"), "entry", "data").map(|_| ()));
    wrong.unwrap_err().to_string()
}

#[test]
fn every_protocol() {
    for bytes in [PROTOCOL_2, PROTOCOL_3, PROTOCOL_4, PROTOCOL_5, BIG_ENDIAN, FLOATS, COLUMN_MAJOR] {
        let pickle = read(bytes).unwrap();
        let (array, mut bytes) = pickle.array(Path::new("f"), "entry", "data").unwrap();
        assert_eq!(array.shape, [2, 3]);
        let mut rows = Vec::new();
        let mut push = |_: &str, row: &[u16]| {
            rows.push(row.to_vec());
            Ok(())
        };
        array.rows(Path::new("f"), "entry", &mut bytes, &mut push).unwrap();
        assert_eq!(rows, [[0, 1, 2], [3, 4, 5]]);
        for key in ["labels", "mean", "none"] {
            assert!(pickle.array(Path::new("f"), "entry", key).is_err());
        }
    }
}

#[test]
fn lists_and_arrays_are_labels() {
    let labels = |bytes: &[u8], key| read(bytes).unwrap().labels(Path::new("f"), "entry", key);
    assert_eq!(labels(PROTOCOL_2, "labels").unwrap(), Some(vec![3, 7]));
    assert_eq!(labels(PROTOCOL_5, "none").unwrap(), None);
    // A dictionary with an array of one axis: `{'labels': array([3, 7], dtype='<i8')}` is one of two axes here.
    let error = labels(PROTOCOL_4, "data").unwrap_err().to_string();
    assert!(error.contains("key \"data\": shape: found [2, 3], expected 1 axis"), "{error}");
    let error = labels(PROTOCOL_2, "mean").unwrap_err().to_string();
    assert!(error.contains("found no list, expected whole numbers"), "{error}");
}

#[test]
fn what_is_no_array_of_numbers_is_named() {
    // The type's name "f8" becomes "c8".
    let mut complex = FLOATS.to_vec();
    let at = complex.windows(2).position(|pair| pair == b"f8").unwrap();
    complex[at] = b'c';
    assert!(
        line(&complex).contains("key \"data\": found an array of other values, expected an array of numbers")
    );
    let other = line(OTHER_TYPE);
    assert!(
        other.contains("found the name collections.OrderedDict") && other.contains("nothing was executed")
    );
    assert_eq!(line(b"\x80\x02K\x01."), "f: entry: found no dictionary, expected a dictionary with \"data\"");
}

#[test]
fn corruption_is_an_error_and_never_a_panic() {
    for whole in [PROTOCOL_2, PROTOCOL_3, PROTOCOL_4, PROTOCOL_5] {
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            for flip in 1..=255 {
                let mut bytes = whole.to_vec();
                bytes[at] ^= flip;
                let array = read(&bytes).and_then(|p| p.array(Path::new("f"), "entry", "data").map(|_| ()));
                if let Err(e) = array {
                    let line = e.to_string();
                    assert!(line.starts_with("f: entry") && !line.contains('\n'), "{line}");
                }
            }
        }
    }
}

#[test]
fn hostile_programs_end_quickly() {
    // A length of 2^63, nesting of 100,000 lists, a list within itself, one text encoded many times.
    assert!(line(b"\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\x7f").contains("0 bytes of 9223372036854775807"));
    let deep = [b"\x80\x02".to_vec(), b"]".repeat(100_000), b"a".repeat(99_999), b".".to_vec()].concat();
    assert!(line(&deep).contains("no dictionary"));
    assert!(line(b"\x80\x02]q\x01h\x01a.").contains("no dictionary"));
    let mut again = b"\x80\x02c_codecs\nencode\nq\x00X\x00\x10\x00\x00".to_vec();
    again.extend([b'a'; 4096]);
    again.extend(b"X\x06\x00\x00\x00latin1\x86q\x01");
    again.extend(b"h\x00h\x01R".repeat(1000));
    assert!(line(&again).contains("encoded again and again"));
}
