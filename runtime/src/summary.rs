//! `LeNet5::summary()`: a network as a table.

use crate::plan::Plan;
use std::fmt;

/// A network as a table; print it. One line a layer: output shape, parameters, FLOPs of one forward pass of one sample,
/// and the inference kernels that hold its operations.
#[derive(Clone, Copy)]
pub struct Summary {
    plan: &'static Plan,
    name: &'static str,
}

impl Summary {
    pub(crate) fn new(plan: &'static Plan, name: &'static str) -> Self {
        Summary { plan, name }
    }

    /// Kernels of `forward` that hold operations of the layer.
    fn kernels(&self, path: &str) -> String {
        let launches = self.plan.infer.variants.last().map_or(&[][..], |v| v.launches);
        // An unlabelled layer outside of any group is `1 Relu`: its position, which is its path, and its kind.
        let own = |layer: &str| layer.trim().split(' ').next() == Some(path);
        let holds = |layers: &str| layers.split(',').any(own);
        let names: Vec<&str> = launches.iter().filter(|l| holds(l.layers)).map(|l| l.name).collect();
        // A layer without a kernel of its own only gives a value another shape.
        if names.is_empty() { "–".to_owned() } else { names.join(", ") }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan;
        let head = ["layer", "", "output", "parameters", "FLOPs", "kernels"].map(str::to_owned);
        let mut rows = vec![head];
        for row in plan.layers {
            rows.push([
                row.path.to_owned(),
                row.text.to_owned(),
                format!("{:?}", row.output),
                grouped(row.parameters as u64),
                grouped(row.flops),
                self.kernels(row.path),
            ]);
        }
        let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..6).map(width).collect();
        let rule = "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
        writeln!(f, "{}", self.name)?;
        for (number, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let numeric = column == 3 || column == 4;
                line += &if numeric { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
            if number == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        let parameters: usize = plan.layers.iter().map(|l| l.parameters).sum();
        let flops: u64 = plan.layers.iter().map(|l| l.flops).sum();
        writeln!(f, "{rule}")?;
        write!(f, "{} parameters, {} FLOPs a sample", grouped(parameters as u64), grouped(flops))
    }
}

/// `61 706`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (61706, "61 706"), (1234567, "1 234 567")] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
