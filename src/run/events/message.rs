//! The few messages of TensorBoard's `event.proto` and `summary.proto` that a run writes, in protobuf's wire format.

/// A message in the making: fields in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// How a field is stored.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(mut self, field: u64, kind: u64) -> Self {
        self.varint(field << 3 | kind);
        self
    }

    fn whole(self, field: u64, value: u64) -> Self {
        let mut message = self.key(field, VARINT);
        message.varint(value);
        message
    }

    fn double(self, field: u64, value: f64) -> Self {
        let mut message = self.key(field, FIXED_64);
        message.0.extend(value.to_le_bytes());
        message
    }

    fn float(self, field: u64, value: f32) -> Self {
        let mut message = self.key(field, FIXED_32);
        message.0.extend(value.to_le_bytes());
        message
    }

    fn bytes(self, field: u64, value: &[u8]) -> Self {
        let mut message = self.key(field, BYTES);
        message.varint(value.len() as u64);
        message.0.extend(value);
        message
    }

    fn message(self, field: u64, value: Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// Doubles without a key each.
    fn doubles(self, field: u64, values: impl Iterator<Item = f64>) -> Self {
        self.bytes(field, &values.flat_map(f64::to_le_bytes).collect::<Vec<_>>())
    }
}

/// `Event` with its `wall_time`, in seconds since 1970, and its `step`.
fn event(seconds: f64, step: u64) -> Message {
    Message::default().double(1, seconds).whole(2, step)
}

/// The first event of a file: `file_version`.
pub(super) fn version(seconds: f64) -> Message {
    Message::default().double(1, seconds).bytes(3, b"brain.Event:2")
}

/// `SessionLog` of status `START`: what an earlier file has of this step and later ones is to be forgotten.
pub(super) fn start(seconds: f64, step: u64) -> Message {
    event(seconds, step).message(7, Message::default().whole(1, 1))
}

/// An event of several `Summary.Value`.
pub(super) fn summary(seconds: f64, step: u64, values: impl IntoIterator<Item = Message>) -> Message {
    let values = values.into_iter().fold(Message::default(), |all, value| all.message(1, value));
    event(seconds, step).message(5, values)
}

/// A `Summary.Value` that is a number.
pub(super) fn scalar(tag: &str, value: f64) -> Message {
    Message::default().bytes(1, tag.as_bytes()).float(2, value as f32)
}

/// A `Summary.Value` that is a picture of the three colours, encoded as PNG.
pub(super) fn picture(tag: &str, (width, height): (u32, u32), png: &[u8]) -> Message {
    const RGB: u64 = 3;
    let image = Message::default().whole(1, height.into()).whole(2, width.into()).whole(3, RGB).bytes(4, png);
    Message::default().bytes(1, tag.as_bytes()).message(4, image)
}

/// A `Summary.Value` that is a histogram: from `min` on, bins that end at `limits` and weigh `weights`.
pub(super) fn histogram(tag: &str, min: f64, limits: &[f64], weights: &[f64]) -> Message {
    let mut left = min;
    let middles = limits.iter().map(|&limit| (left + std::mem::replace(&mut left, limit)) / 2.0);
    let middles: Vec<f64> = middles.map(|middle| if middle.is_finite() { middle } else { 0.0 }).collect();
    let moment = |power| middles.iter().zip(weights).map(|(x, weight)| weight * x.powi(power)).sum::<f64>();
    let histogram = Message::default()
        .double(1, min)
        .double(2, limits.last().copied().unwrap_or(min))
        .double(3, moment(0))
        .double(4, moment(1))
        .double(5, moment(2))
        .doubles(6, limits.iter().copied())
        .doubles(7, weights.iter().copied());
    Message::default().bytes(1, tag.as_bytes()).message(5, histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf's description of its encoding: 150 in field 1, "testing" in field 2.
    #[test]
    fn fields_are_protobufs() {
        assert_eq!(Message::default().whole(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        let testing = Message::default().bytes(2, b"testing").into_bytes();
        assert_eq!(testing, [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let inner = Message::default().message(3, Message::default().whole(1, 150)).into_bytes();
        assert_eq!(inner, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::default().whole(1, u64::MAX).into_bytes().len(), 11);
        assert_eq!(scalar("a", 1.0).into_bytes(), [0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f]);
        assert_eq!(version(0.0).into_bytes()[..11], [0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 13]);
    }
}
