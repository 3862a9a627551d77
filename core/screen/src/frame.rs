//! A borrowed frame buffer.

use crate::Rect;

/// A picture in somebody's memory: rows of `0x00RRGGBB` words.
///
/// The top byte of every pixel must be 0; the encoder compares whole words.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pixels: &'a [u32],
    stride: usize,
    width: u16,
    height: u16,
}

impl<'a> Frame<'a> {
    /// Looks at `pixels` as `height` rows, each `stride` words after the one before. `None` when a side is 0, a row is
    /// longer than the stride, or the buffer is too short.
    pub fn new(pixels: &'a [u32], stride: usize, width: u16, height: u16) -> Option<Frame<'a>> {
        if width == 0 || height == 0 || usize::from(width) > stride {
            return None;
        }
        let needed = stride.checked_mul(usize::from(height) - 1)?.checked_add(usize::from(width))?;
        (pixels.len() >= needed).then_some(Frame { pixels, stride, width, height })
    }

    /// Width in pixels.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// The whole picture as a rectangle.
    pub fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.width, self.height)
    }

    /// One pixel. Panics outside the picture.
    pub fn pixel(&self, x: u16, y: u16) -> u32 {
        self.row(y)[usize::from(x)]
    }

    /// The pixels of row `y`. Panics outside the picture.
    pub fn row(&self, y: u16) -> &'a [u32] {
        self.span(usize::from(y), 0, usize::from(self.width))
    }

    /// Columns `from..to` of row `y`.
    pub(crate) fn span(&self, y: usize, from: usize, to: usize) -> &'a [u32] {
        &self.pixels[y * self.stride + from..y * self.stride + to]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_is_too_short_is_no_frame() {
        let pixels = [0; 10];
        assert!(Frame::new(&pixels, 4, 3, 3).is_none());
        assert!(Frame::new(&pixels, 4, 2, 3).is_some());
        assert!(Frame::new(&pixels, 4, 5, 1).is_none());
        assert!(Frame::new(&pixels, 4, 0, 1).is_none());
        assert!(Frame::new(&pixels, usize::MAX, 1, 3).is_none());
    }
}
