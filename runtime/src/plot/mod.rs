//! Drawings: the curves of a training as SVG or PNG, images as text for a terminal.
//!
//! No system library and no system font takes part: an SVG names a font family for its viewer to find, a PNG's letters
//! come from a bitmap font inside the program.

mod curves;
mod png;
mod terminal;

use std::path::Path;

use plotters::drawing::IntoDrawingArea;

pub use terminal::{Picture, side_by_side};

use crate::error::Error;
use crate::train::{EpochRecord, Report};

/// Pixels of a drawing.
const SIZE: (u32, u32) = (1080, 440);

impl Report {
    /// Draws loss and accuracy of training and validation by epoch, the best epoch marked: an SVG or a PNG, by the
    /// extension of `path`. Folders on the way are created.
    ///
    /// # Errors
    /// Where the extension is another one, or the file cannot be written.
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        plot(&self.epochs, self.best().epoch, path.as_ref())
    }
}

fn plot(epochs: &[EpochRecord], best: usize, path: &Path) -> Result<(), Error> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let file = match extension.as_str() {
        "svg" => svg(epochs, best)?.into_bytes(),
        "png" => png(epochs, best)?,
        _ => return Err(Error::file(path, "extension of a plot: expected .svg or .png")),
    };
    crate::files::save(path, &file)
}

fn svg(epochs: &[EpochRecord], best: usize) -> Result<String, Error> {
    let mut text = String::new();
    let area = plotters::backend::SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    curves::draw(&area, epochs, best).map_err(|error| Error::Plot(error.to_string()))?;
    drop(area);
    Ok(text)
}

fn png(epochs: &[EpochRecord], best: usize) -> Result<Vec<u8>, Error> {
    let mut pixels = vec![0; SIZE.0 as usize * SIZE.1 as usize * 3];
    let area = png::Bitmap::new(&mut pixels, SIZE).into_drawing_area();
    curves::draw(&area, epochs, best).map_err(|error| Error::Plot(error.to_string()))?;
    drop(area);
    Ok(png::encode(&pixels, SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn epochs(count: usize) -> Vec<EpochRecord> {
        let record = |epoch: usize| {
            let t = epoch as f64;
            EpochRecord {
                epoch,
                train_loss: 0.05 + 0.6 / t.powf(1.3),
                train_accuracy: 0.995 - 0.15 / t,
                valid_loss: 0.08 + 0.35 / t + 0.004 * t,
                valid_accuracy: 0.985 - 0.08 / t,
                seconds: 1.0,
                lr: 1e-3,
                best: epoch <= 9,
            }
        };
        (1..=count).map(record).collect()
    }

    #[test]
    fn draws_both_formats_and_any_number_of_epochs() {
        let folder = tempfile::tempdir().unwrap();
        for count in [1, 2, 7, 30, 400] {
            for name in ["new/curves.svg", "curves.png"] {
                let path = folder.path().join(name);
                let epochs = epochs(count);
                let best = count.min(9);
                Report { epochs, stopped_early: false, skipped: 0, seconds: 1.0, notes: Vec::new() }
                    .plot(&path)
                    .unwrap();
                let bytes = std::fs::read(&path).unwrap();
                assert!(if name.ends_with("png") { bytes.starts_with(b"\x89PNG") } else { bytes.starts_with(b"<svg") });
                if let Ok(keep) = std::env::var("KILN_KEEP_PLOTS") {
                    std::fs::copy(&path, format!("{keep}/curves{count}.{}", &name[name.len() - 3..])).unwrap();
                }
                if name.ends_with("svg") {
                    let text = String::from_utf8(bytes).unwrap();
                    for word in ["training", "validation", "epoch", "loss", "accuracy", &format!("best: epoch {best}")]
                    {
                        assert!(text.contains(word), "{word}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_network_without_classes_has_one_panel() {
        let mut epochs = epochs(5);
        epochs.iter_mut().for_each(|epoch| (epoch.train_accuracy, epoch.valid_accuracy) = (f64::NAN, f64::NAN));
        assert!(!svg(&epochs, 3).unwrap().contains("accuracy"));
    }

    #[test]
    fn values_that_cannot_be_drawn_are_left_out() {
        let mut epochs = epochs(3);
        epochs[1].valid_loss = f64::INFINITY;
        epochs[2].train_loss = f64::NAN;
        svg(&epochs, 1).unwrap();
        epochs.iter_mut().for_each(|epoch| (epoch.train_loss, epoch.valid_loss) = (0.0, 0.0));
        svg(&epochs, 1).unwrap();
        svg(&[], 0).unwrap();
    }

    #[test]
    fn other_extensions() {
        let error = plot(&epochs(2), 1, Path::new("curves.pdf")).unwrap_err().to_string();
        assert_eq!(error, "curves.pdf: extension of a plot: expected .svg or .png");
    }
}
