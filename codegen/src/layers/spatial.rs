//! Output sizes of windows that slide over an axis: PyTorch's rule.

use super::args::Result;
use super::site::Site;
use crate::diagnostics::Diagnostic;

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

/// The kernel does not fit.
pub fn too_large(
    site: &Site,
    kernel: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    input: [usize; 2],
) -> Diagnostic {
    let spread = |i: usize| dilation[i] * (kernel[i] - 1) + 1;
    let mut message = format!("kernel {}×{}", kernel[0], kernel[1]);
    if dilation != [1, 1] {
        message += &format!(" with dilation {} spans {}×{}, which", pair_text(dilation), spread(0), spread(1));
    }
    message += &format!(" is larger than the input {}×{}", input[0], input[1]);
    if padding != [0, 0] {
        message += &format!(" with padding {}", pair_text(padding));
    }
    let needed = |i: usize| spread(i).saturating_sub(input[i]).div_ceil(2);
    let help = format!("a smaller kernel, or `padding = {}`", pair_text([needed(0), needed(1)]));
    Diagnostic::new(site.args.source("kernel"), message).help(help).trail(site.trail.clone())
}

/// No window of a convolution sees only padding. PyTorch allows it, where it gives nothing but the bias.
pub fn check_padding(site: &Site, kernel: [usize; 2], padding: [usize; 2], dilation: [usize; 2]) -> Result<()> {
    for i in 0..2 {
        let most = dilation[i] * (kernel[i] - 1);
        if padding[i] > most {
            let message = format!(
                "`padding` of `{}` is {}, but with kernel {} windows beyond {most} see nothing of the input",
                site.args.layer, padding[i], kernel[i]
            );
            let help = format!("at most `padding = {most}`");
            return Err(Diagnostic::new(site.args.source("padding"), message).help(help).trail(site.trail.clone()));
        }
    }
    Ok(())
}

/// PyTorch's limit on a pool's padding: half of the kernel.
pub fn check_pool_padding(site: &Site, kernel: [usize; 2], padding: [usize; 2], dilation: [usize; 2]) -> Result<()> {
    for i in 0..2 {
        let most = (dilation[i] * (kernel[i] - 1)).div_ceil(2);
        if padding[i] > most {
            let message = format!(
                "`padding` of `{}` is {}, but half of kernel {} allows at most {most}",
                site.args.layer, padding[i], kernel[i]
            );
            return Err(Diagnostic::new(site.args.source("padding"), message).trail(site.trail.clone()));
        }
    }
    Ok(())
}
