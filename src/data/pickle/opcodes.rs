//! The opcodes that build plain data, and how long each one's argument is.

/// What a byte of a pickle tells the machine to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Protocol,
    Frame,
    Stop,
    Mark,
    Pop,
    PopMark,
    Duplicate,
    None,
    Bool(bool),
    /// A little-endian integer of so many bytes; four of them are signed.
    Integer(usize),
    /// A two's complement integer whose length is a number of so many bytes.
    Long(usize),
    Float,
    /// Bytes whose length is a number of so many bytes.
    Bytes(usize),
    /// UTF-8 text whose length is a number of so many bytes.
    Text(usize),
    EmptyList,
    Append,
    Appends,
    List,
    EmptyTuple,
    /// A tuple of everything above the mark.
    Tuple,
    /// A tuple of so many values.
    TupleOf(usize),
    EmptyDict,
    Dict,
    SetItem,
    SetItems,
    /// Remembers the top under a number of so many bytes.
    Put(usize),
    /// Remembers the top under the next free number.
    Memoize,
    /// Pushes what was remembered under a number of so many bytes.
    Get(usize),
    /// A name: module and function, each a line of text.
    Global,
    /// A name: module and function, taken from the stack.
    StackGlobal,
    Reduce,
    Build,
}

/// The opcode of a byte, if it builds plain data in protocols 2 to 5.
pub(crate) fn opcode(byte: u8) -> Option<Op> {
    Some(match byte {
        0x80 => Op::Protocol,
        0x95 => Op::Frame,
        b'.' => Op::Stop,
        b'(' => Op::Mark,
        b'0' => Op::Pop,
        b'1' => Op::PopMark,
        b'2' => Op::Duplicate,
        b'N' => Op::None,
        0x88 => Op::Bool(true),
        0x89 => Op::Bool(false),
        b'K' => Op::Integer(1),
        b'M' => Op::Integer(2),
        b'J' => Op::Integer(4),
        0x8a => Op::Long(1),
        0x8b => Op::Long(4),
        b'G' => Op::Float,
        b'U' | b'C' => Op::Bytes(1),
        b'T' | b'B' => Op::Bytes(4),
        0x8e | 0x96 => Op::Bytes(8),
        0x8c => Op::Text(1),
        b'X' => Op::Text(4),
        0x8d => Op::Text(8),
        b']' => Op::EmptyList,
        b'a' => Op::Append,
        b'e' => Op::Appends,
        b'l' => Op::List,
        b')' => Op::EmptyTuple,
        b't' => Op::Tuple,
        0x85 => Op::TupleOf(1),
        0x86 => Op::TupleOf(2),
        0x87 => Op::TupleOf(3),
        b'}' => Op::EmptyDict,
        b'd' => Op::Dict,
        b's' => Op::SetItem,
        b'u' => Op::SetItems,
        b'q' => Op::Put(1),
        b'r' => Op::Put(4),
        0x94 => Op::Memoize,
        b'h' => Op::Get(1),
        b'j' => Op::Get(4),
        b'c' => Op::Global,
        0x93 => Op::StackGlobal,
        b'R' => Op::Reduce,
        b'b' => Op::Build,
        _ => return None,
    })
}
