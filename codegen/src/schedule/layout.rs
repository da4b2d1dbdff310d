//! Layouts: affine maps from a tensor's canonical (row-major) index to a physical offset, with zero padding.
//!
//! Every level of SIMD sees 16 lanes. A value whose first extent is at least [`BLOCKED_FROM`] is stored in channel blocks,
//! `[C/16][rest…][16]`; smaller ones stay row-major ("rows"), because padding them to 16 lanes would waste more than it
//! gains. A layout knows only the canonical *order*, so that a reshape keeps it.

/// Lanes of a block, at every SIMD level.
pub const LANES: usize = 16;

/// From this extent on the first axis is stored in blocks.
pub const BLOCKED_FROM: usize = 5;

/// How a target lays values out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Vectors of 16 channels, `[C/16][rest…][16]`; few channels row-major.
    #[default]
    Blocked,
    /// Channels last (NHWC), without padding.
    ChannelsLast,
}

/// One canonical axis: `(i / block) · outer + (i % block) · inner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    pub extent: usize,
    /// 1 where the axis is not blocked; `inner` is 0 then.
    pub block: usize,
    pub outer: usize,
    pub inner: usize,
}

impl Axis {
    pub fn plain(extent: usize, stride: usize) -> Self {
        Axis { extent, block: 1, outer: stride, inner: 0 }
    }

    pub fn blocked(extent: usize, outer: usize, inner: usize) -> Self {
        Axis { extent, block: LANES, outer, inner }
    }

    fn offset(&self, i: usize) -> usize {
        if self.block == 1 { i * self.outer } else { i / self.block * self.outer + i % self.block * self.inner }
    }

    /// A block that continues where the last one ended is no block.
    fn simplified(self) -> Self {
        if self.block > 1 && (self.outer == self.block * self.inner || self.extent <= self.block) {
            Axis::plain(self.extent, self.inner)
        } else {
            self
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// In canonical order; may split a tensor's axes further than its extents do.
    pub axes: Vec<Axis>,
    /// Floats, padding included: the distance of samples.
    pub size: usize,
}

pub fn blocks(extent: usize) -> usize {
    extent.div_ceil(LANES)
}

fn padded(floats: usize) -> usize {
    blocks(floats) * LANES
}

impl Layout {
    /// Row-major without padding: how callers hand values in.
    pub fn dense(dims: &[usize]) -> Self {
        let mut axes = Vec::with_capacity(dims.len());
        let mut stride = 1;
        for &extent in dims.iter().rev() {
            axes.push(Axis::plain(extent, stride));
            stride *= extent;
        }
        axes.reverse();
        Layout { axes, size: stride }
    }

    /// Row-major, the sample padded to whole vectors. A single element is not padded.
    pub fn rows(dims: &[usize]) -> Self {
        let mut layout = Self::dense(dims);
        if layout.size > 1 {
            layout.size = padded(layout.size);
        }
        layout
    }

    /// `[C/16][rest…][16]`
    pub fn blocked(dims: &[usize]) -> Self {
        let rest: usize = dims[1..].iter().product();
        let mut axes = vec![Axis::blocked(dims[0], rest * LANES, 1)];
        let mut stride = rest * LANES;
        for &extent in &dims[1..] {
            stride /= extent.max(1);
            axes.push(Axis::plain(extent, stride));
        }
        Layout { axes, size: blocks(dims[0]) * rest * LANES }
    }

    /// `[rest…][C]`, without padding.
    pub fn channels_last(dims: &[usize]) -> Self {
        let Some((&channels, rest)) = dims.split_first() else { return Self::dense(dims) };
        let mut layout = Self::dense(rest);
        for axis in &mut layout.axes {
            axis.outer *= channels;
        }
        layout.axes.insert(0, Axis::plain(channels, 1));
        layout.size *= channels;
        layout
    }

    /// What values have unless a kernel asks for something else.
    pub fn standard(order: Order, dims: &[usize]) -> Self {
        match order {
            Order::Blocked if is_blocked(dims) => Self::blocked(dims),
            Order::Blocked => Self::rows(dims),
            Order::ChannelsLast => Self::channels_last(dims),
        }
    }

    /// `[O, K]` as the forward contraction reads it: `[O/16][K][16]`, or row-major.
    pub fn linear_weight(order: Order, dims: &[usize]) -> Self {
        if order == Order::ChannelsLast {
            return Self::dense(dims);
        }
        let (o, k) = (dims[0], dims[1]);
        Layout { axes: vec![Axis::blocked(o, k * LANES, 1), Axis::plain(k, LANES)], size: blocks(o) * k * LANES }
    }

    /// `[O, C, KH, KW]` as the forward convolution reads it: `[O/16][C/16][KH][KW][16][16]`, or over row-major input
    /// (`planar`) `[O/16][C][KH][KW][16]`; channels last `[O][KH][KW][C]`.
    pub fn conv_weight(order: Order, dims: &[usize], planar: bool) -> Self {
        if order == Order::ChannelsLast {
            let mut layout = Self::channels_last(&dims[1..]);
            layout.axes.insert(0, Axis::plain(dims[0], layout.size));
            layout.size *= dims[0];
            return layout;
        }
        let [o, c, kh, kw] = *dims else { panic!("a convolution's weight has 4 axes, not {}", dims.len()) };
        let (tap, c_axis, c_size) = if planar {
            (LANES, Axis::plain(c, kh * kw * LANES), c)
        } else {
            (LANES * LANES, Axis::blocked(c, kh * kw * LANES * LANES, LANES), padded(c))
        };
        let sheet = c_size * kh * kw * LANES;
        let axes = vec![Axis::blocked(o, sheet, 1), c_axis, Axis::plain(kh, kw * tap), Axis::plain(kw, tap)];
        Layout { axes, size: blocks(o) * sheet }
    }

    /// Physical offset of a canonical linear index.
    pub fn offset(&self, linear: usize) -> usize {
        let mut rest = linear;
        let mut offset = 0;
        for axis in self.axes.iter().rev() {
            offset += axis.offset(rest % axis.extent);
            rest /= axis.extent;
        }
        offset
    }

    /// The shortest description of the same map.
    fn normal(&self) -> Vec<Axis> {
        normal(&self.axes)
    }

    /// The shortest descriptions of the map's first `rows` canonical places and of those within each of them. `None` where
    /// an axis has some of both.
    pub fn split(&self, rows: usize) -> Option<(Vec<Axis>, Vec<Axis>)> {
        let mut extent = 1;
        let mut count = 0;
        while extent < rows {
            extent *= self.axes.get(count)?.extent;
            count += 1;
        }
        (extent == rows).then(|| (normal(&self.axes[..count]), normal(&self.axes[count..])))
    }

    /// Whether every canonical index lies at the same offset.
    pub fn same_map(&self, other: &Layout) -> bool {
        self.normal() == other.normal()
    }
}

fn normal(axes: &[Axis]) -> Vec<Axis> {
    let mut out: Vec<Axis> = Vec::new();
    for axis in axes.iter().filter(|a| a.extent != 1).map(|a| a.simplified()) {
        match out.last_mut() {
            Some(last) if last.block == 1 && axis.block == 1 && last.outer == axis.extent * axis.outer => {
                *last = Axis::plain(last.extent * axis.extent, axis.outer);
            }
            _ => out.push(axis),
        }
    }
    out
}

/// Whether values of these extents are stored in channel blocks.
pub fn is_blocked(dims: &[usize]) -> bool {
    dims.len() >= 2 && dims[0] >= BLOCKED_FROM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_unique_and_inside() {
        for layout in [
            Layout::dense(&[3, 5, 7]),
            Layout::rows(&[3, 5, 7]),
            Layout::blocked(&[19, 3, 2]),
            Layout::channels_last(&[19, 3, 2]),
            Layout::linear_weight(Order::Blocked, &[10, 7]),
            Layout::conv_weight(Order::Blocked, &[18, 20, 3, 2], false),
            Layout::conv_weight(Order::Blocked, &[6, 1, 5, 5], true),
            Layout::conv_weight(Order::ChannelsLast, &[6, 3, 5, 4], true),
        ] {
            let count: usize = layout.axes.iter().map(|a| a.extent).product();
            let mut seen = vec![false; layout.size];
            for i in 0..count {
                let at = layout.offset(i);
                assert!(!std::mem::replace(&mut seen[at], true), "{layout:?} reaches {at} twice");
            }
        }
    }

    #[test]
    fn trivial_reshapes_are_the_same_map() {
        let standard = |dims: &[usize]| Layout::standard(Order::Blocked, dims);
        assert!(standard(&[120, 1, 1]).same_map(&standard(&[120])));
        assert!(standard(&[1, 28, 28]).same_map(&standard(&[784])));
        assert!(!standard(&[16, 5, 5]).same_map(&standard(&[400])));
    }
}
