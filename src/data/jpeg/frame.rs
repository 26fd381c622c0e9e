//! The frame of a JPEG: how large it is, of what components, and which bits of them have come.

/// A component: luma, chroma or another.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of a group, across and down.
    pub(super) sampling: (usize, usize),
    /// The blocks of a row, padding to whole groups included.
    pub(super) stride: usize,
    /// For each block, which of its coefficients are not zero so far; empty where nothing asks for it.
    pub(super) nonzero: Vec<u64>,
    /// For each coefficient, the lowest bit that has come.
    low: [Option<u8>; 64],
}

/// A frame.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) progressive: bool,
    width: usize,
    height: usize,
    pub(super) components: Vec<Component>,
}

impl Frame {
    /// Reads the frame's header; on one that cannot be used, what it is.
    pub(super) fn read(header: &[u8], progressive: bool) -> Result<Self, String> {
        let [precision, h1, h0, w1, w0, count, rest @ ..] = header else {
            return Err("a short header".into());
        };
        let (height, width) =
            (usize::from(*h1) << 8 | usize::from(*h0), usize::from(*w1) << 8 | usize::from(*w0));
        let count = usize::from(*count);
        if *precision != 8 {
            return Err(format!("a JPEG of {precision} bits a value"));
        }
        if height == 0 || width == 0 || !(1..=4).contains(&count) || rest.len() < 3 * count {
            return Err(format!("a JPEG of {height}x{width}x{count}"));
        }
        let mut components = Vec::new();
        for component in rest[..3 * count].chunks_exact(3) {
            let sampling = (usize::from(component[1] >> 4), usize::from(component[1] & 15));
            if !(1..=4).contains(&sampling.0) || !(1..=4).contains(&sampling.1) {
                return Err(format!("a component sampled {}x{}", sampling.0, sampling.1));
            }
            let (stride, nonzero, low) = (0, Vec::new(), [None; 64]);
            components.push(Component { id: component[0], sampling, stride, nonzero, low });
        }
        let mut frame = Self { progressive, width, height, components };
        let (columns, rows) = frame.groups(&(0..count).collect::<Vec<_>>());
        // A component alone has its blocks in groups of one.
        for component in &mut frame.components {
            let (wide, high) = if count == 1 { (1, 1) } else { component.sampling };
            component.stride = columns * wide;
            if progressive {
                component.nonzero = vec![0; component.stride * rows * high];
            }
        }
        Ok(frame)
    }

    /// The values that the decoded image has.
    pub(super) fn values(header: &[u8]) -> u64 {
        let side = |at: usize| header.get(at..at + 2).map_or(0, |b| u64::from(b[0]) << 8 | u64::from(b[1]));
        side(1) * side(3) * header.get(5).map_or(0, |&count| count.max(3).into())
    }

    /// The groups of blocks of a scan with these components, across and down.
    pub(super) fn groups(&self, components: &[usize]) -> (usize, usize) {
        let most = |side: fn(&Component) -> usize| self.components.iter().map(side).max().unwrap_or(1);
        let (widest, highest) = (most(|c| c.sampling.0), most(|c| c.sampling.1));
        match *components {
            [alone] => {
                let (wide, high) = self.components[alone].sampling;
                let side = |length: usize, own: usize, most: usize| (length * own).div_ceil(most).div_ceil(8);
                (side(self.width, wide, widest), side(self.height, high, highest))
            }
            _ => (self.width.div_ceil(8 * widest), self.height.div_ceil(8 * highest)),
        }
    }

    /// Notes that a scan had this band down to bit `low`.
    pub(super) fn note(&mut self, component: usize, (first, last): (usize, usize), low: u8) {
        self.components[component].low[first..=last].fill(Some(low));
    }

    /// The first component and coefficient of which not all bits have come.
    pub(super) fn lacking(&self) -> Option<(usize, usize)> {
        let lacks = |component: &Component| component.low.iter().position(|&low| low != Some(0));
        self.components.iter().enumerate().find_map(|(i, component)| Some((i, lacks(component)?)))
    }
}

impl Component {
    /// The index of a block.
    pub(super) fn block(&self, row: usize, column: usize) -> usize {
        row * self.stride + column
    }
}
