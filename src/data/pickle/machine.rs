//! The stack machine: values lie in one list and refer to each other by index.
//!
//! Indices rather than nested values keep shared values shared, make cycles harmless, and need no
//! recursion, however deep a pickle nests.

use super::node::Node;
use super::numpy;
use super::opcodes::{Op, opcode};
use super::read::{Reader, long};
use crate::error::Result;
use std::collections::HashMap;

/// The machine at work on one pickle.
pub(crate) struct Machine<'a> {
    input: Reader<'a>,
    nodes: Vec<Node>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: HashMap<u32, usize>,
    // Bytes made by re-encoding text: each text is there once, so they are never more than the file's.
    encoded: u64,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(input: Reader<'a>) -> Self {
        let (nodes, stack, marks, memo) = Default::default();
        Self { input, nodes, stack, marks, memo, encoded: 0 }
    }

    /// Runs to the end; gives all values, and which of them is the pickle's.
    pub(crate) fn run(mut self) -> Result<(Vec<Node>, usize)> {
        loop {
            let [byte] = self.input.array()?;
            let Some(op) = opcode(byte) else {
                let found = format!("opcode {byte:#04x} ({:?})", char::from(byte));
                return Err(self.input.wrong(found, "an opcode of protocol 2 to 5 that builds plain data"));
            };
            if op == Op::Stop {
                let root = self.pop()?;
                self.input.end()?;
                return Ok((self.nodes, root));
            }
            self.step(op)?;
        }
    }

    fn step(&mut self, op: Op) -> Result<()> {
        match op {
            Op::Protocol => match self.input.array()? {
                [2..=5] => {}
                [other] => return Err(self.input.wrong(format!("protocol {other}"), "protocol 2 to 5")),
            },
            Op::Frame => drop(self.input.array::<8>()?),
            Op::Stop => {}
            Op::Mark => self.marks.push(self.stack.len()),
            Op::Pop => drop(self.pop()?),
            Op::PopMark => drop(self.above_mark()?),
            Op::Duplicate => {
                let top = self.top()?;
                self.stack.push(top);
            }
            Op::None => self.push(Node::None),
            Op::Bool(b) => self.push(Node::Bool(b)),
            Op::Integer(size) => {
                let value = self.input.number(size)?;
                self.push(Node::Integer(if size == 4 {
                    i64::from(value as u32 as i32)
                } else {
                    value as i64
                }));
            }
            Op::Long(size) => {
                let length = self.input.number(size)?;
                let bytes = self.input.bytes(length)?;
                let value = long(&bytes).ok_or_else(|| {
                    self.input.wrong(format!("an integer of {} bytes", bytes.len()), "at most 8 bytes")
                })?;
                self.push(Node::Integer(value));
            }
            Op::Float => {
                self.input.array::<8>()?;
                self.push(Node::Float);
            }
            Op::Bytes(size) => {
                let length = self.input.number(size)?;
                let bytes = self.input.bytes(length)?;
                self.push(Node::Bytes(bytes));
            }
            Op::Text(size) => {
                let length = self.input.number(size)?;
                let text = self.input.text(length)?;
                self.push(Node::Text(text));
            }
            Op::EmptyList => self.push(Node::List(Vec::new())),
            Op::EmptyTuple => self.push(Node::Tuple(Vec::new())),
            Op::EmptyDict => self.push(Node::Dict(Vec::new())),
            Op::Append => {
                let value = self.pop()?;
                self.extend(vec![value])?;
            }
            Op::Appends => {
                let values = self.above_mark()?;
                self.extend(values)?;
            }
            Op::List => {
                let values = self.above_mark()?;
                self.push(Node::List(values));
            }
            Op::Tuple => {
                let values = self.above_mark()?;
                self.push(Node::Tuple(values));
            }
            Op::TupleOf(length) => {
                let values = self.take(length)?;
                self.push(Node::Tuple(values));
            }
            Op::Dict => {
                let values = self.above_mark()?;
                self.push(Node::Dict(Vec::new()));
                self.set(values)?;
            }
            Op::SetItem => {
                let values = self.take(2)?;
                self.set(values)?;
            }
            Op::SetItems => {
                let values = self.above_mark()?;
                self.set(values)?;
            }
            Op::Put(size) => {
                let (number, top) = (self.input.number(size)? as u32, self.top()?);
                self.memo.insert(number, top);
            }
            Op::Memoize => {
                let top = self.top()?;
                self.memo.insert(self.memo.len() as u32, top);
            }
            Op::Get(size) => {
                let number = self.input.number(size)? as u32;
                let known = self.memo.get(&number).copied();
                let id = known
                    .ok_or_else(|| self.input.wrong(format!("memo {number}"), "one that was written"))?;
                self.stack.push(id);
            }
            Op::Global => {
                let (module, function) = (self.input.line()?, self.input.line()?);
                self.name(&module, &function)?;
            }
            Op::StackGlobal => {
                let pair = self.take(2)?;
                match (&self.nodes[pair[0]], &self.nodes[pair[1]]) {
                    (Node::Text(module), Node::Text(function)) => {
                        let (module, function) = (module.clone(), function.clone());
                        self.name(&module, &function)?;
                    }
                    _ => return Err(self.input.wrong("a name that is no text", "module and function")),
                }
            }
            Op::Reduce => {
                let pair = self.take(2)?;
                let (Node::Name(name), Node::Tuple(arguments)) = (&self.nodes[pair[0]], &self.nodes[pair[1]])
                else {
                    return Err(self
                        .input
                        .wrong("a call of what is no function", "plain data and NumPy arrays"));
                };
                let made = numpy::reduce(&self.nodes, *name, arguments);
                let node =
                    made.map_err(|expected| self.input.wrong(format!("another call of {name:?}"), expected))?;
                if let Node::Bytes(bytes) = &node {
                    self.encoded += bytes.len() as u64;
                    if self.encoded > self.input.offset() {
                        return Err(self.input.wrong("one text encoded again and again", "each text once"));
                    }
                }
                self.push(node);
            }
            Op::Build => {
                let (state, target) = (self.pop()?, self.top()?);
                let made = numpy::build(&self.nodes, &self.nodes[target], &self.nodes[state]);
                self.nodes[target] = made.map_err(|expected| self.input.wrong("another state", expected))?;
            }
        }
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    // The number of values that lie below the last mark and may not be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn take(&mut self, count: usize) -> Result<Vec<usize>> {
        match self.stack.len().checked_sub(count).filter(|&start| start >= self.floor()) {
            Some(start) => Ok(self.stack.split_off(start)),
            None => Err(self.input.wrong("an empty stack", "a value")),
        }
    }

    fn pop(&mut self) -> Result<usize> {
        self.take(1).map(|values| values[0])
    }

    fn top(&mut self) -> Result<usize> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    fn above_mark(&mut self) -> Result<Vec<usize>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark.min(self.stack.len()))),
            None => Err(self.input.wrong("no mark", "a mark on the stack")),
        }
    }

    fn extend(&mut self, values: Vec<usize>) -> Result<()> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) => list.extend(values),
            _ => return Err(self.input.wrong("no list to append to", "a list")),
        }
        Ok(())
    }

    fn set(&mut self, values: Vec<usize>) -> Result<()> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::Dict(pairs) if values.len().is_multiple_of(2) => {
                pairs.extend(values.chunks_exact(2).map(|kv| (kv[0], kv[1])));
            }
            _ => return Err(self.input.wrong("no dictionary to put pairs into", "a dictionary")),
        }
        Ok(())
    }

    fn name(&mut self, module: &str, function: &str) -> Result<()> {
        let Some(name) = numpy::name(module, function) else {
            let found = format!("the name {}", format!("{module}.{function}").escape_debug());
            return Err(self.input.wrong(found, "plain data and NumPy arrays; nothing was executed"));
        };
        self.push(Node::Name(name));
        Ok(())
    }
}
