//! Two panels, loss and accuracy by epoch; what is drawn, on whatever canvas.

use plotters::chart::SeriesLabelPosition;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::Color;

use crate::train::EpochRecord;

const INK: RGBColor = RGBColor(40, 44, 52);
const GRID: RGBColor = RGBColor(226, 228, 232);
const TRAINING: RGBColor = RGBColor(120, 134, 156);
const VALIDATION: RGBColor = RGBColor(214, 84, 28);
const FONT: &str = "sans-serif";

/// One line of a panel: what to read of each epoch.
type Read = fn(&EpochRecord) -> f64;

struct Panel {
    title: &'static str,
    training: Read,
    validation: Read,
    /// Range of the vertical axis, from the smallest and the largest value.
    range: fn(f64, f64) -> std::ops::Range<f64>,
    format: fn(f64) -> String,
    legend: SeriesLabelPosition,
}

const LOSS: Panel = Panel {
    title: "loss",
    training: |epoch| epoch.train_loss,
    validation: |epoch| epoch.valid_loss,
    range: |low, high| {
        let bottom = low.min(0.0);
        bottom..if high > bottom { high + 0.05 * (high - bottom) } else { bottom + 1.0 }
    },
    format: |loss| format!("{loss:.3}"),
    legend: SeriesLabelPosition::UpperRight,
};

const ACCURACY: Panel = Panel {
    title: "accuracy",
    training: |epoch| epoch.train_accuracy,
    validation: |epoch| epoch.valid_accuracy,
    range: |low, _| (low - 0.1 * (1.0 - low) - 0.001).max(0.0)..1.0,
    format: |accuracy| format!("{:.1} %", 100.0 * accuracy),
    legend: SeriesLabelPosition::LowerRight,
};

pub(super) fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    epochs: &[EpochRecord],
    best: usize,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let classes = epochs.iter().any(|epoch| epoch.valid_accuracy.is_finite() || epoch.train_accuracy.is_finite());
    if classes {
        let halves = area.split_evenly((1, 2));
        panel(&halves[0], &LOSS, epochs, best)?;
        panel(&halves[1], &ACCURACY, epochs, best)?;
    } else {
        panel(area, &LOSS, epochs, best)?;
    }
    area.present()
}

fn panel<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    panel: &Panel,
    epochs: &[EpochRecord],
    best: usize,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let points = |read: Read| {
        let points = epochs.iter().map(move |epoch| (epoch.epoch as f64, read(epoch)));
        points.filter(|(_, value)| value.is_finite()).collect::<Vec<_>>()
    };
    let (training, validation) = (points(panel.training), points(panel.validation));
    let values = || training.iter().chain(&validation).map(|&(_, value)| value);
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let (first, last) = (epochs.first().map_or(1, |epoch| epoch.epoch), epochs.last().map_or(1, |epoch| epoch.epoch));
    let margin = 0.02 * (last - first) as f64 + if first == last { 0.5 } else { 0.0 };
    let across = (first as f64 - margin..last as f64 + margin).into();
    let across = Epochs { range: across, ticks: ticks(first, last) };
    let up = (panel.range)(low, high);
    let floor = up.start;

    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, (FONT, 20, &INK))
        .margin(12)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_label_formatter(&|value| (panel.format)(*value))
        .y_labels(6)
        .label_style((FONT, 16, &INK))
        .axis_style(INK.mix(0.6))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .draw()?;

    for (name, points, colour) in [("training", &training, TRAINING), ("validation", &validation, VALIDATION)] {
        let style = ShapeStyle { color: colour.to_rgba(), filled: true, stroke_width: 2 };
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        // A line through one point is none, and few points are worth seeing.
        if points.len() <= 30 {
            chart.draw_series(points.iter().map(|&at| Circle::new(at, 3, style)))?;
        }
    }

    if let Some(&(epoch, value)) = validation.iter().find(|&&(epoch, _)| epoch == best as f64) {
        let line = [(epoch, floor), (epoch, value)];
        chart.draw_series(DashedLineSeries::new(line, 4, 4, VALIDATION.mix(0.7).stroke_width(1)))?;
        let ring = ShapeStyle { color: VALIDATION.to_rgba(), filled: false, stroke_width: 2 };
        chart
            .draw_series([Circle::new((epoch, value), 7, ring)])?
            .label(format!("best: epoch {best}, {}", (panel.format)(value)))
            .legend(move |(x, y)| Circle::new((x + 9, y), 6, ring));
    }

    chart
        .configure_series_labels()
        .position(panel.legend.clone())
        .margin(14)
        .legend_area_size(26)
        .label_font((FONT, 16, &INK))
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .draw()
}

/// The horizontal axis: plotters' own would put labels between epochs.
struct Epochs {
    range: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ranged for Epochs {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, epoch: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(epoch, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.range()
    }
}

/// Whole epochs, at most eleven of them, at steps of 1, 2 or 5 times a power of ten.
fn ticks(first: usize, last: usize) -> Vec<f64> {
    let fits = |step: &usize| last / step - first / step <= 10;
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10usize.pow(power)));
    let step = steps.into_iter().find(fits).unwrap_or(1);
    (first..=last).filter(|epoch| epoch % step == 0 || first == last).map(|epoch| epoch as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn ticks_are_whole_epochs() {
        assert_eq!(ticks(1, 1), [1.0]);
        assert_eq!(ticks(1, 3), [1.0, 2.0, 3.0]);
        assert_eq!(ticks(1, 30), [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert!(ticks(1, 100_000).len() <= 11);
    }
}
