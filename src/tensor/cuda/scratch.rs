//! Pieces of the engine's scratch memory.

use super::launch::View;

/// Room in scratch memory, from which pieces are cut; what is cut off a copy is free again for the next.
#[derive(Clone, Copy)]
pub(super) struct Room(View, usize);

impl Room {
    pub(super) fn new(view: View) -> Self {
        Self(view, 0)
    }

    pub(super) fn cut(&mut self, len: usize) -> View {
        self.1 += len;
        self.0.part(self.1 - len, len)
    }
}
