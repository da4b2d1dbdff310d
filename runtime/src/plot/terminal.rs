//! Grey images as text: two pixels a character, from half blocks and terminal colours.

use std::fmt;

/// A grey image, displayed with half blocks in 24-bit terminal colours, or in plain characters (`{:#}`).
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    pixels: &'a [f32],
    width: usize,
    range: (f32, f32),
}

impl<'a> Picture<'a> {
    /// Row-major grey values in `[0, 1]`, `width` a row. Pixels that fill no whole row are left out.
    pub fn new(pixels: &'a [f32], width: usize) -> Self {
        Self { pixels, width: width.max(1), range: (0.0, 1.0) }
    }

    /// Black and white at the smallest and the largest value, for standardised images.
    pub fn stretched(mut self) -> Self {
        let fold =
            |pick: fn(f32, f32) -> f32, start| self.pixels.iter().copied().filter(|x| x.is_finite()).fold(start, pick);
        let (low, high) = (fold(f32::min, f32::INFINITY), fold(f32::max, f32::NEG_INFINITY));
        if low < high {
            self.range = (low, high);
        }
        self
    }

    fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    /// Grey in 0..=255; beyond the last row black.
    fn grey(&self, row: usize, column: usize) -> u8 {
        let (low, high) = self.range;
        let value = self.pixels.get(row * self.width + column).map_or(0.0, |&x| (x - low) / (high - low));
        (255.0 * value.clamp(0.0, 1.0)).round() as u8
    }

    /// Lines of text, each `width` characters wide on the screen.
    fn lines(&self, plain: bool) -> Vec<String> {
        (0..self.height().div_ceil(2)).map(|line| self.line(2 * line, plain)).collect()
    }

    fn line(&self, row: usize, plain: bool) -> String {
        let mut text = String::new();
        for column in 0..self.width {
            let (above, below) = (self.grey(row, column), self.grey(row + 1, column));
            if plain {
                let mean = (usize::from(above) + usize::from(below)) / 2;
                text.push([' ', '.', ':', '+', '*', '#', '@'][mean * 7 / 256]);
            } else {
                text += &format!("\x1b[38;2;{above};{above};{above};48;2;{below};{below};{below}m▀");
            }
        }
        if !plain {
            text.push_str("\x1b[0m");
        }
        text
    }
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(f.alternate()).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Pictures in a row, each with a caption below; `plain` without colours, for files and old terminals.
pub fn side_by_side(pictures: &[(Picture<'_>, String)], plain: bool) -> String {
    let columns: Vec<Vec<String>> = pictures.iter().map(|(picture, _)| picture.lines(plain)).collect();
    let mut text = String::new();
    for line in 0..columns.iter().map(Vec::len).max().unwrap_or(0) {
        for (column, (picture, _)) in columns.iter().zip(pictures) {
            match column.get(line) {
                Some(line) => text += line,
                None => text += &" ".repeat(picture.width),
            }
            text.push_str("  ");
        }
        text = text.trim_end_matches(' ').to_owned() + "\n";
    }
    for (picture, caption) in pictures {
        text += &format!("{caption:<width$.width$}  ", width = picture.width);
    }
    text.trim_end_matches(' ').to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_blocks_hold_two_rows() {
        let pixels = [0.0, 1.0, 1.0, 0.5, 0.2, 2.0];
        let text = Picture::new(&pixels, 2).to_string();
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.starts_with("\x1b[38;2;0;0;0;48;2;255;255;255m▀\x1b[38;2;255;255;255;48;2;128;128;128m▀\x1b[0m\n")
        );
        assert_eq!(format!("{:#}", Picture::new(&pixels, 2)), "+#\n +\n");
    }

    #[test]
    fn stretched_and_odd_values() {
        assert_eq!(format!("{:#}", Picture::new(&[-3.0, 5.0, -3.0, 5.0], 2).stretched()), " @\n");
        assert_eq!(format!("{:#}", Picture::new(&[f32::NAN, 0.0, 0.0, 0.0], 2).stretched()), "  \n");
        assert_eq!(Picture::new(&[], 3).to_string(), "");
        assert_eq!(Picture::new(&[1.0], 0).width, 1);
    }

    #[test]
    fn captions_below() {
        let (black, white) = ([0.0; 8], [1.0; 4]);
        let pictures = [(Picture::new(&white, 2), "seven".to_string()), (Picture::new(&black, 2), "1".into())];
        assert_eq!(side_by_side(&pictures, true), "@@\n\nse  1\n");
    }
}
