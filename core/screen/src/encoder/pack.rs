//! Writes operations: each tile in the smallest of the three forms.

use crate::coarse::small_side;
use crate::{Frame, MAX_PALETTE, Rect, operation, palette_bits};

use super::cells::SIDE;
use super::regions::Shot;

/// Operations of one piece.
pub struct Packer {
    /// The operations' bytes.
    pub raw: Vec<u8>,
    /// Where each operation ends in `raw`.
    pub ends: Vec<usize>,
    palette: Palette,
    indices: Vec<u8>,
}

impl Default for Packer {
    fn default() -> Packer {
        Packer { raw: Vec::new(), ends: Vec::new(), palette: Palette::new(), indices: vec![0; SIDE * SIDE] }
    }
}

impl Packer {
    /// Forgets all operations.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.ends.clear();
    }

    /// Takes back what came after so many bytes and operations.
    pub fn truncate(&mut self, bytes: usize, operations: usize) {
        self.raw.truncate(bytes);
        self.ends.truncate(operations);
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Moves pixels: `to` gets what is `(dx, dy)` to its left and above.
    pub fn copy(&mut self, to: Rect, source_x: u16, source_y: u16) {
        self.raw.push(operation::COPY);
        self.raw.extend_from_slice(&source_x.to_be_bytes());
        self.raw.extend_from_slice(&source_y.to_be_bytes());
        self.place(to);
        self.ends.push(self.raw.len());
    }

    /// One colour.
    pub fn solid(&mut self, area: Rect, colour: u32) {
        self.raw.push(operation::SOLID);
        self.place(area);
        self.raw.extend_from_slice(&colour.to_be_bytes()[1..]);
        self.ends.push(self.raw.len());
    }

    /// A small picture that is stretched over `area`; it is at most as wide as a cell.
    pub fn coarse(&mut self, area: Rect, shift: u8, small: &[u32]) {
        let (width, height) = (small_side(area.width, shift), small_side(area.height, shift));
        self.raw.extend_from_slice(&[operation::COARSE, shift]);
        self.place(area);
        if let Some(picture) = Frame::new(small, usize::from(width), width, height) {
            colour_planes(picture, picture.bounds(), &mut self.raw);
        }
        self.ends.push(self.raw.len());
    }

    /// A frame of video.
    pub fn video(&mut self, shot: &Shot) {
        self.raw.extend_from_slice(&[operation::VIDEO, shot.stream, u8::from(shot.key)]);
        self.place(shot.area);
        self.raw.extend_from_slice(&shot.frame.to_be_bytes());
        self.raw.extend_from_slice(&u32::try_from(shot.bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.raw.extend_from_slice(&shot.bytes);
        self.ends.push(self.raw.len());
    }

    /// A stream of video is over; the picture is seen again.
    pub fn video_end(&mut self, stream: u8) {
        self.raw.extend_from_slice(&[operation::VIDEO_END, stream]);
        self.ends.push(self.raw.len());
    }

    /// The pixels of `area`, which is not empty and at most a cell large.
    pub fn tile(&mut self, frame: Frame<'_>, area: Rect) {
        self.palette.clear();
        let (left, right, width) = (usize::from(area.x), area.right(), usize::from(area.width));
        let rows = usize::from(area.y)..area.bottom();
        let few = rows
            .clone()
            .zip(self.indices.chunks_exact_mut(width))
            .all(|(y, indices)| self.palette.index_row(frame.span(y, left, right), indices));
        match &self.palette.colours[..] {
            [colour] => {
                let colour = *colour;
                self.solid(area, colour);
                return;
            }
            colours if few => {
                let bits = palette_bits(colours.len());
                let head = Self::place_of(&mut self.raw, operation::PALETTE, area);
                head.push(u8::try_from(colours.len()).unwrap_or(u8::MAX));
                colours.iter().for_each(|colour| head.extend_from_slice(&colour.to_be_bytes()[1..]));
                for row in self.indices[..area.area()].chunks_exact(width) {
                    pack_bits(row, bits, head);
                }
            }
            _ => {
                let head = Self::place_of(&mut self.raw, operation::COLOUR, area);
                colour_planes(frame, area, head);
            }
        }
        self.ends.push(self.raw.len());
    }

    fn place(&mut self, area: Rect) {
        for value in [area.x, area.y, area.width, area.height] {
            self.raw.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn place_of(raw: &mut Vec<u8>, operation: u8, area: Rect) -> &mut Vec<u8> {
        raw.push(operation);
        for value in [area.x, area.y, area.width, area.height] {
            raw.extend_from_slice(&value.to_be_bytes());
        }
        raw
    }
}

/// Up to 16 colours and a small hash table to find them by.
struct Palette {
    colours: Vec<u32>,
    /// Colour and index by hash; an index of 255 is an empty slot.
    slots: [(u32, u8); 64],
}

impl Palette {
    fn new() -> Palette {
        Palette { colours: Vec::with_capacity(MAX_PALETTE), slots: [(0, u8::MAX); 64] }
    }

    fn clear(&mut self) {
        self.colours.clear();
        self.slots = [(0, u8::MAX); 64];
    }

    /// Writes each pixel's index; false when there are more than 16 colours.
    fn index_row(&mut self, pixels: &[u32], indices: &mut [u8]) -> bool {
        let (mut last, mut last_index) = (pixels[0], u8::MAX);
        for (pixel, index) in pixels.iter().zip(indices) {
            if *pixel != last || last_index == u8::MAX {
                let Some(found) = self.index(*pixel) else { return false };
                (last, last_index) = (*pixel, found);
            }
            *index = last_index;
        }
        true
    }

    fn index(&mut self, colour: u32) -> Option<u8> {
        let mut slot = (colour.wrapping_mul(0x9e37_79b1) >> 26) as usize;
        loop {
            match self.slots[slot] {
                (_, u8::MAX) => {
                    if self.colours.len() == MAX_PALETTE {
                        return None;
                    }
                    let index = u8::try_from(self.colours.len()).ok()?;
                    self.colours.push(colour);
                    self.slots[slot] = (colour, index);
                    return Some(index);
                }
                (known, index) if known == colour => return Some(index),
                _ => slot = (slot + 1) % 64,
            }
        }
    }
}

fn pack_bits(row: &[u8], bits: usize, out: &mut Vec<u8>) {
    let per_byte = 8 / bits;
    for group in row.chunks(per_byte) {
        let byte = group.iter().fold(0u8, |byte, index| (byte << bits) | index);
        out.push(byte << (bits * (per_byte - group.len())));
    }
}

/// Differences to the left neighbour, plane by plane, red and blue relative to green.
fn colour_planes(frame: Frame<'_>, area: Rect, out: &mut Vec<u8>) {
    let (left, right, width) = (usize::from(area.x), area.right(), usize::from(area.width));
    let start = out.len();
    out.resize(start + 3 * area.area(), 0);
    let planes = &mut out[start..];
    let (red, rest) = planes.split_at_mut(area.area());
    let (green, blue) = rest.split_at_mut(area.area());
    let mut above = [0u8; 3];
    let mut row = [[0u8; SIDE]; 3];
    for (index, y) in (usize::from(area.y)..area.bottom()).enumerate() {
        let pixels = frame.span(y, left, right);
        for (x, pixel) in pixels.iter().enumerate() {
            let [_, r, g, b] = pixel.to_be_bytes();
            row[0][x] = r.wrapping_sub(g);
            row[1][x] = g;
            row[2][x] = b.wrapping_sub(g);
        }
        let span = index * width..(index + 1) * width;
        for ((plane, row), above) in [&mut red[span.clone()], &mut green[span.clone()], &mut blue[span]]
            .into_iter()
            .zip(&row)
            .zip(&mut above)
        {
            plane[0] = row[0].wrapping_sub(*above);
            *above = row[0];
            for ((difference, value), before) in
                plane[1..].iter_mut().zip(&row[1..width]).zip(&row[..width - 1])
            {
                *difference = value.wrapping_sub(*before);
            }
        }
    }
}
