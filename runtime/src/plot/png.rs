//! A bitmap canvas with letters, and the PNG file of its pixels.
//!
//! plotters draws letters on bitmaps with fonts of the system or a font file; here they come from a crate of
//! pre-rasterised glyphs. PNG is deflate, which the crate has anyway, in a frame of three chunks.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform};

/// plotters' bitmap with our letters.
pub(super) struct Bitmap<'a>(BitMapBackend<'a>);

impl<'a> Bitmap<'a> {
    /// Over RGB bytes.
    pub(super) fn new(pixels: &'a mut [u8], size: (u32, u32)) -> Self {
        Self(BitMapBackend::with_buffer(pixels, size))
    }
}

/// The nearest size that the font has.
fn height(size: f64) -> RasterHeight {
    if size < 18.0 { RasterHeight::Size16 } else { RasterHeight::Size20 }
}

fn extent(text: &str, height: RasterHeight) -> (u32, u32) {
    let width = get_raster_width(FontWeight::Regular, height) * text.chars().count();
    (width as u32, height.val() as u32)
}

type Result<T, B> = std::result::Result<T, DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

impl DrawingBackend for Bitmap<'_> {
    type ErrorType = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), Self> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), Self> {
        self.0.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Result<(), Self> {
        self.0.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Result<(), Self> {
        self.0.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), Self> {
        self.0.draw_rect(upper_left, bottom_right, style, fill)
    }

    fn estimate_text_size<S: BackendTextStyle>(&self, text: &str, style: &S) -> Result<(u32, u32), Self> {
        let (width, height) = extent(text, height(style.size()));
        Ok(match style.transform() {
            FontTransform::Rotate90 | FontTransform::Rotate270 => (height, width),
            _ => (width, height),
        })
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Result<(), Self> {
        let size = height(style.size());
        let (width, height) = extent(text, size);
        let x = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => -(width as i32) / 2,
            HPos::Right => -(width as i32),
        };
        let y = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => -(height as i32) / 2,
            VPos::Bottom => -(height as i32),
        };
        let transform = style.transform();
        let advance = get_raster_width(FontWeight::Regular, size) as i32;
        for (place, letter) in text.chars().enumerate() {
            let glyph = get_raster(letter, FontWeight::Regular, size)
                .or_else(|| get_raster('?', FontWeight::Regular, size))
                .into_iter();
            for (row, line) in glyph.flat_map(|glyph| glyph.rows().enumerate()) {
                for (column, &ink) in line.iter().enumerate().filter(|&(_, &ink)| ink > 0) {
                    let (dx, dy) = transform.transform(x + place as i32 * advance + column as i32, y + row as i32);
                    let color = style.color();
                    let alpha = color.alpha * f64::from(ink) / 255.0;
                    self.0.draw_pixel((at.0 + dx, at.1 + dy), BackendColor { alpha, ..color })?;
                }
            }
        }
        Ok(())
    }
}

/// A PNG file of RGB bytes.
pub(super) fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    // 8 bits a channel, RGB, the only compression and filter method, not interlaced.
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    chunk(&mut file, b"IHDR", &header);
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in pixels.chunks_exact(3 * width as usize) {
        // Filter 0: the bytes as they are.
        packed.write_all(&[0]).and_then(|()| packed.write_all(row)).expect("writing to memory cannot fail");
    }
    chunk(&mut file, b"IDAT", &packed.finish().expect("writing to memory cannot fail"));
    chunk(&mut file, b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend(crc.sum().to_be_bytes());
}
