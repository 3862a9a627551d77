//! The pointer's picture, made fit for the wire.

use belay_wire::message::{CursorShape, MAX_CURSOR_SIDE};

/// A pointer picture as a display gives it: pixels `0xAARRGGBB`, colours multiplied by alpha.
#[derive(Clone, Copy, Debug)]
pub struct CursorImage<'a> {
    /// The pixel that points, from the left.
    pub hot_x: u16,
    /// The pixel that points, from the top.
    pub hot_y: u16,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Rows of width pixels.
    pub pixels: &'a [u32],
}

/// Why a pointer picture cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorError {
    /// Fewer pixels than width times height.
    TooShort,
    /// zstd refused to work (out of memory).
    Compression,
}

impl std::fmt::Display for CursorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CursorError::TooShort => "the pointer's picture has fewer pixels than its size says",
            CursorError::Compression => "the pointer's picture could not be compressed",
        })
    }
}

impl std::error::Error for CursorError {}

impl CursorImage<'_> {
    /// The message that carries it. Sides beyond 256 pixels are cut off; a picture without a visible pixel becomes
    /// a hidden pointer.
    pub fn shape(&self) -> Result<CursorShape, CursorError> {
        let (width, height) = (self.width.min(MAX_CURSOR_SIDE), self.height.min(MAX_CURSOR_SIDE));
        if self.pixels.len() < usize::from(self.width) * usize::from(self.height) {
            return Err(CursorError::TooShort);
        }
        let rows = self.pixels.chunks(usize::from(self.width).max(1)).take(usize::from(height));
        let rgba: Vec<u8> =
            rows.flat_map(|row| &row[..usize::from(width)]).flat_map(|&p| straight(p)).collect();
        if rgba.chunks_exact(4).all(|pixel| pixel[3] == 0) {
            return Ok(CursorShape { hot_x: 0, hot_y: 0, width: 0, height: 0, rgba_zstd: Vec::new() });
        }
        let rgba_zstd = zstd::bulk::compress(&rgba, 3).map_err(|_| CursorError::Compression)?;
        let (hot_x, hot_y) = (self.hot_x.min(width - 1), self.hot_y.min(height - 1));
        Ok(CursorShape { hot_x, hot_y, width, height, rgba_zstd })
    }
}

/// R, G, B, A with the multiplication by alpha undone.
fn straight(pixel: u32) -> [u8; 4] {
    let [alpha, colours @ ..] = pixel.to_be_bytes();
    let divided = |value: u8| match u32::from(alpha) {
        0 => 0,
        a => u8::try_from((u32::from(value) * 255 + a / 2) / a).unwrap_or(u8::MAX),
    };
    [divided(colours[0]), divided(colours[1]), divided(colours[2]), alpha]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_is_taken_out_of_the_colours() {
        let pixels = [0x8040_0000, 0xff12_3456, 0, 0x80ff_0080];
        let image = CursorImage { hot_x: 9, hot_y: 1, width: 2, height: 2, pixels: &pixels };
        let shape = image.shape().unwrap();
        let rgba = zstd::bulk::decompress(&shape.rgba_zstd, 16).unwrap();
        assert_eq!(rgba[..8], [0x80, 0, 0, 0x80, 0x12, 0x34, 0x56, 0xff]);
        assert_eq!(rgba[8..], [0, 0, 0, 0, 255, 0, 255, 0x80], "a colour brighter than its alpha is cut");
        assert_eq!((shape.hot_x, shape.hot_y), (1, 1), "the hot spot lies in the picture");
    }

    #[test]
    fn an_invisible_pointer_is_hidden_and_a_huge_one_cut() {
        let invisible = CursorImage { hot_x: 0, hot_y: 0, width: 8, height: 8, pixels: &[0; 64] };
        assert_eq!(invisible.shape().unwrap().width, 0);
        let pixels = vec![0xffff_ffff; 300 * 300];
        let huge = CursorImage { hot_x: 290, hot_y: 0, width: 300, height: 300, pixels: &pixels };
        let shape = huge.shape().unwrap();
        assert_eq!((shape.width, shape.height, shape.hot_x), (256, 256, 255));
        let short = CursorImage { pixels: &pixels[..10], ..huge };
        assert_eq!(short.shape(), Err(CursorError::TooShort));
    }
}
