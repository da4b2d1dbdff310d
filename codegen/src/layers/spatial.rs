//! Windows that slide over images and sequences: their arguments, PyTorch's rule of output sizes, and its limits.

use super::args::Result;
use super::site::Site;
use crate::diagnostics::{Diagnostic, Mistake};
use crate::graph::Value;
use crate::graph::op::WindowAxis;

/// A window along one axis.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub extent: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
}

impl Span {
    /// How many windows fit, or `None` if the kernel is larger than the padded input. In ceil mode the last window may
    /// hang over the end, but must begin inside the input or the padding before it.
    pub fn output(self, ceil: bool) -> Option<usize> {
        let reach = self.dilation * (self.kernel - 1) + 1;
        let room = (self.extent + 2 * self.padding).checked_sub(reach)?;
        if !ceil {
            return Some(room / self.stride + 1);
        }
        let windows = room.div_ceil(self.stride) + 1;
        let begins_outside = (windows - 1) * self.stride >= self.extent + self.padding;
        Some(windows - usize::from(begins_outside))
    }
}

/// `5`, or `[1, 7]`.
pub fn pair_text([a, b]: [usize; 2]) -> String {
    if a == b { a.to_string() } else { format!("[{a}, {b}]") }
}

/// What windows slide over. A sequence is an image one row high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Sequence,
    Image,
}

impl Space {
    /// The operand as an image, and its extents.
    pub fn operand(self, site: &mut Site) -> Result<(Value, [usize; 3])> {
        let x = site.inputs[0];
        match self {
            Space::Image => Ok((x, site.image()?)),
            Space::Sequence => {
                let [channels, length] = site.sequence()?;
                Ok((site.b.reshape(x, &[channels, 1, length]), [channels, 1, length]))
            }
        }
    }

    /// An image as the layer's result.
    pub fn result(self, site: &mut Site, y: Value) -> Value {
        match (self, site.b.dims(y)) {
            (Space::Sequence, &[channels, _, length]) => site.b.reshape(y, &[channels, length]),
            _ => y,
        }
    }

    fn text(self, [a, b]: [usize; 2]) -> String {
        match self {
            Space::Image => pair_text([a, b]),
            Space::Sequence => b.to_string(),
        }
    }

    /// `5×7`, or `7`.
    fn extents(self, [height, width]: [usize; 2]) -> String {
        match self {
            Space::Image => format!("{height}×{width}"),
            Space::Sequence => format!("{width}"),
        }
    }
}

/// The windows of a layer: of each number, that of the height and that of the width.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub space: Space,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
}

impl Windows {
    /// As a convolution has them: stride 1 where nothing else is said.
    pub fn of_convolution(site: &Site, space: Space) -> Result<Self> {
        Self::read(site, space, false)
    }

    /// As a pool has them: side by side where nothing else is said.
    pub fn of_pool(site: &Site, space: Space) -> Result<Self> {
        Self::read(site, space, true)
    }

    fn read(site: &Site, space: Space, side_by_side: bool) -> Result<Self> {
        let args = &site.args;
        if space == Space::Image {
            let kernel = args.pair("kernel")?;
            return Ok(Windows {
                space,
                kernel,
                stride: args.pair_or("stride", if side_by_side { kernel } else { [1, 1] })?,
                padding: args.padding("padding")?,
                dilation: args.pair_or("dilation", [1, 1])?,
            });
        }
        let kernel = args.size("kernel")?;
        Ok(Windows {
            space,
            kernel: [1, kernel],
            stride: [1, args.size_or("stride", if side_by_side { kernel } else { 1 })?],
            padding: [0, args.count_or("padding", 0)?],
            dilation: [1, args.size_or("dilation", 1)?],
        })
    }

    /// From the first element of a window to its last.
    pub fn reach(&self, i: usize) -> usize {
        self.dilation[i] * (self.kernel[i] - 1)
    }

    /// How many windows fit along each axis.
    pub fn outputs(&self, site: &Site, input: [usize; 2], ceil: bool) -> Result<[usize; 2]> {
        let span = |i: usize| Span {
            extent: input[i],
            kernel: self.kernel[i],
            stride: self.stride[i],
            padding: self.padding[i],
            dilation: self.dilation[i],
        };
        match [span(0).output(ceil), span(1).output(ceil)] {
            [Some(rows), Some(columns)] => Ok([rows, columns]),
            _ => Err(self.too_large(site, input)),
        }
    }

    /// Windows over an image, channels apart.
    pub fn axes(&self, site: &Site, [channels, height, width]: [usize; 3], ceil: bool) -> Result<[WindowAxis; 3]> {
        self.check_pool_padding(site)?;
        let output = self.outputs(site, [height, width], ceil)?;
        let axis = |i: usize, input: usize| WindowAxis {
            input,
            output: output[i],
            kernel: self.kernel[i],
            stride: self.stride[i],
            dilation: self.dilation[i],
            padding: self.padding[i],
        };
        Ok([WindowAxis::trivial(channels), axis(0, height), axis(1, width)])
    }

    /// The kernel does not fit.
    fn too_large(&self, site: &Site, input: [usize; 2]) -> Diagnostic {
        let space = self.space;
        let spread = [self.reach(0) + 1, self.reach(1) + 1];
        let mut message = format!("kernel {}", space.extents(self.kernel));
        if self.dilation != [1, 1] {
            message += &format!(" with dilation {} spans {}, which", space.text(self.dilation), space.extents(spread));
        }
        message += &format!(" is larger than the input {}", space.extents(input));
        if self.padding != [0, 0] {
            message += &format!(" with padding {}", space.text(self.padding));
        }
        let needed = |i: usize| spread[i].saturating_sub(input[i]).div_ceil(2);
        let help = format!("a smaller kernel, or `padding = {}`", space.text([needed(0), needed(1)]));
        Mistake::new(site.args.source("kernel"), message).help(help).trail(site.trail.clone())
    }

    /// The same windows with no more padding than the kernel reaches over, so that each sees something of what it slides over,
    /// and how much padding is left on each side. PyTorch allows any padding of a convolution: who sees nothing but padding gives
    /// the bias. The layers write what is left as zeros around the image, so that no template and no fused chain meets such a
    /// window.
    pub fn within_reach(self) -> (Self, [usize; 2]) {
        let padding = [0, 1].map(|i| self.padding[i].min(self.reach(i)));
        let left = [0, 1].map(|i| self.padding[i] - padding[i]);
        (Windows { padding, ..self }, left)
    }

    /// PyTorch's limit on a pool's padding: half of the kernel.
    fn check_pool_padding(&self, site: &Site) -> Result<()> {
        for i in 0..2 {
            let most = self.reach(i).div_ceil(2);
            if self.padding[i] > most {
                let message = format!(
                    "`padding` of `{}` is {}, but half of kernel {} allows at most {most}",
                    site.args.layer, self.padding[i], self.kernel[i]
                );
                let help = format!("write `padding = {most}` or less, or a larger kernel");
                return Err(Mistake::new(site.args.source("padding"), message).trail(site.trail.clone()).help(help));
            }
        }
        Ok(())
    }
}

/// `groups` divides both.
pub fn check_groups(site: &Site, groups: usize, inputs: usize, outputs: usize) -> Result<()> {
    for (what, count) in [("input", inputs), ("output", outputs)] {
        if !count.is_multiple_of(groups) {
            let message = format!("`groups` = {groups} does not divide the {count} {what} channels");
            let both = |g: &usize| inputs.is_multiple_of(*g) && outputs.is_multiple_of(*g);
            let common: Vec<String> = (1..=inputs.min(outputs)).filter(both).map(|g| g.to_string()).collect();
            let help = format!("`groups` may be {}", common.join(", "));
            let diagnostic = Mistake::new(site.args.source("groups"), message).help(help);
            return Err(diagnostic.trail(site.trail.clone()));
        }
    }
    Ok(())
}
