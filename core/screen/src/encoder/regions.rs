//! The rectangles that are shown as video at the moment.
//!
//! Video does not touch the picture: it covers it, in the viewer, until its stream ends. So the picture of encoder and
//! viewer stay the same to the pixel whatever a lossy codec makes of a frame.

use std::time::Duration;

use belay_wire::Moment;

use crate::{Frame, MAX_STREAMS, Rect, Video, VideoError, VideoStream};

use super::activity::PAUSE;
use super::cells::SIDE;

/// What changed within this time counts for a region's size.
const MEMORY: Duration = Duration::from_secs(1);

/// Pixels above which a place is coded smaller than it is: a film that fills the screen.
const LARGE: usize = 1 << 20;

/// Pixels that are coded for a place.
pub fn coded(area: Rect) -> usize {
    let by = divisor(area);
    usize::from(area.width).div_ceil(by) * usize::from(area.height).div_ceil(by)
}

/// By what width and height are divided, so that what is coded is not large: 2 on full HD, 3 on 3840 × 2160.
// INVARIANT: at most 4 for the largest rectangle of a film, see `shrink`.
fn divisor(area: Rect) -> usize {
    (1..).find(|by| area.area() <= LARGE * by * by).unwrap_or(1)
}

/// All regions.
#[derive(Default)]
pub struct Regions {
    live: Vec<Region>,
}

struct Region {
    number: u8,
    area: Rect,
    stream: Box<dyn VideoStream>,
    /// The stream has width and height divided by this; the viewer stretches it.
    divisor: usize,
    /// The pixels of the last capture.
    pixels: Vec<u32>,
    frames: u32,
    begun: Moment,
    changed: Moment,
    /// When each cell of 64 × 64, counted from the region's corner, changed last.
    cells: Vec<Moment>,
    dirty: bool,
}

/// One operation for the packer.
pub struct Shot {
    /// The stream.
    pub stream: u8,
    /// Whether it builds on nothing.
    pub key: bool,
    /// Where it is shown.
    pub area: Rect,
    /// Counts from 1 in each stream.
    pub frame: u32,
    /// The codec's bytes.
    pub bytes: Vec<u8>,
}

impl Regions {
    /// Ends all streams without a word: the viewer starts anew.
    pub fn clear(&mut self) {
        self.live.clear();
    }

    /// Whether something is shown as video.
    pub fn any(&self) -> bool {
        !self.live.is_empty()
    }

    /// Where.
    pub fn areas(&self) -> Vec<Rect> {
        self.live.iter().map(|region| region.area).collect()
    }

    /// When the first of them will have been still for long enough to end.
    pub fn wake(&self) -> Option<Moment> {
        self.live.iter().map(|region| region.changed + PAUSE).min()
    }

    /// Looks what changed in them.
    pub fn look(&mut self, frame: Frame<'_>, damage: &[Rect], now: Moment) {
        for region in &mut self.live {
            for damaged in damage {
                region.look(frame, damaged.intersection(region.area), now);
            }
        }
    }

    /// Takes out what has been still for long enough or has become much smaller: stream and place of each.
    pub fn end(&mut self, now: Moment) -> Vec<(u8, Rect)> {
        self.remove(|region| now.since(region.changed) >= PAUSE || region.has_shrunk(now))
    }

    /// Takes out those at these places.
    pub fn end_at(&mut self, areas: &[Rect]) -> Vec<(u8, Rect)> {
        self.remove(|region| areas.contains(&region.area))
    }

    fn remove(&mut self, over: impl Fn(&Region) -> bool) -> Vec<(u8, Rect)> {
        let ended = self.live.iter().filter(|region| over(region));
        let ended = ended.map(|region| (region.number, region.area)).collect();
        self.live.retain(|region| !over(region));
        ended
    }

    /// Begins a stream for a place that overlaps no other.
    pub fn begin(
        &mut self,
        video: &mut dyn Video,
        frame: Frame<'_>,
        area: Rect,
        now: Moment,
    ) -> Result<(), VideoError> {
        let free = (0..).find(|number| self.live.iter().all(|region| region.number != *number));
        let number = free.filter(|number| usize::from(*number) < MAX_STREAMS);
        let number = number.ok_or_else(|| VideoError("too many streams at once".to_owned()))?;
        let divisor = divisor(area);
        let (width, height) = coded_sides(area, divisor);
        let stream = video.open(width, height)?;
        let rows = usize::from(area.y)..area.bottom();
        let pixels = rows.flat_map(|y| frame.span(y, usize::from(area.x), area.right())).copied().collect();
        let cells = usize::from(area.width).div_ceil(SIDE) * usize::from(area.height).div_ceil(SIDE);
        let cells = vec![now; cells];
        self.live.push(Region {
            number,
            area,
            stream,
            divisor,
            pixels,
            frames: 0,
            begun: now,
            changed: now,
            cells,
            dirty: true,
        });
        Ok(())
    }

    /// A frame of each that changed since the last one.
    pub fn shots(&mut self) -> Result<Vec<Shot>, VideoError> {
        self.live.iter_mut().filter(|region| region.dirty).map(Region::shot).collect()
    }
}

impl Region {
    fn look(&mut self, frame: Frame<'_>, damaged: Rect, now: Moment) {
        if damaged.is_empty() {
            return;
        }
        let (left, right) =
            (usize::from(damaged.x - self.area.x), damaged.right() - usize::from(self.area.x));
        let (width, columns) = (usize::from(self.area.width), usize::from(self.area.width).div_ceil(SIDE));
        for y in usize::from(damaged.y)..damaged.bottom() {
            let row = y - usize::from(self.area.y);
            let new = frame.span(y, usize::from(damaged.x), damaged.right());
            let old = &mut self.pixels[row * width + left..row * width + right];
            if old == new {
                continue;
            }
            for column in left / SIDE..=(right - 1) / SIDE {
                let part = (column * SIDE).max(left) - left..((column + 1) * SIDE).min(right) - left;
                if old[part.clone()] != new[part] {
                    self.cells[row / SIDE * columns + column] = now;
                }
            }
            old.copy_from_slice(new);
            (self.changed, self.dirty) = (now, true);
        }
    }

    /// Whether what changed lately fills less than half of it.
    fn has_shrunk(&self, now: Moment) -> bool {
        if now.since(self.begun) < MEMORY {
            return false;
        }
        let columns = usize::from(self.area.width).div_ceil(SIDE);
        let lately = self.cells.iter().enumerate().filter(|(_, at)| now.since(**at) < MEMORY);
        let boxes = lately.map(|(index, _)| {
            let (x, y) = (index % columns * SIDE, index / columns * SIDE);
            Rect::from_edges(x, y, x + SIDE, y + SIDE)
        });
        let around = boxes.fold(Rect::default(), Rect::union);
        around.intersection(Rect { x: 0, y: 0, ..self.area }).area() * 2 < self.area.area()
    }

    fn shot(&mut self) -> Result<Shot, VideoError> {
        let (width, height) = coded_sides(self.area, self.divisor);
        let smaller =
            (self.divisor > 1).then(|| shrink(&self.pixels, usize::from(self.area.width), self.divisor));
        let pixels = smaller.as_ref().unwrap_or(&self.pixels);
        let picture = Frame::new(pixels, usize::from(width), width, height);
        let picture = picture.ok_or_else(|| VideoError("an empty rectangle".to_owned()))?;
        let bytes = self.stream.encode(picture)?;
        self.frames += 1;
        self.dirty = false;
        Ok(Shot { stream: self.number, key: self.frames == 1, area: self.area, frame: self.frames, bytes })
    }
}

/// Sides of what is coded for a place.
fn coded_sides(area: Rect, divisor: usize) -> (u16, u16) {
    let side = |side: u16| u16::try_from(usize::from(side).div_ceil(divisor)).unwrap_or(side);
    (side(area.width), side(area.height))
}

/// Each square of `by` × `by` pixels (2 to 4) becomes its mean; at the right and lower edge a square may be cut.
fn shrink(pixels: &[u32], width: usize, by: usize) -> Vec<u32> {
    let mut small = Vec::with_capacity(width.div_ceil(by) * (pixels.len() / width).div_ceil(by));
    // Sums of a column: red and blue with room for 16 pixels each, and green.
    let (mut red_blue, mut green) = (vec![0u32; width], vec![0u32; width]);
    for rows in pixels.chunks(by * width) {
        red_blue.fill(0);
        green.fill(0);
        for row in rows.chunks_exact(width) {
            for ((red_blue, green), pixel) in red_blue.iter_mut().zip(&mut green).zip(row) {
                *red_blue += pixel & 0x00ff_00ff;
                *green += pixel >> 8 & 0xff;
            }
        }
        let height = rows.len() / width;
        let squares = red_blue.chunks(by).zip(green.chunks(by));
        small.extend(squares.map(|(red_blue, green)| {
            let count = u32::try_from(red_blue.len() * height).unwrap_or(1);
            let mean = |sum: u32| (sum + count / 2) / count;
            let (red_blue, green): (u32, u32) = (red_blue.iter().sum(), green.iter().sum());
            mean(red_blue >> 16) << 16 | mean(green) << 8 | mean(red_blue & 0xffff)
        }));
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_picture_has_the_mean_of_each_square() {
        let pixels =
            [0x00ff_ffff, 0x00ff_ffff, 0, 0x00ff_00ff, 0, 0x0000_fe01, 0x0001_0203, 0x0001_0203, 0x0001_0203];
        assert_eq!(shrink(&pixels, 3, 2), [0x00bf_80bf, 0x0000_7f01, 0x0001_0203, 0x0001_0203]);
        assert_eq!(shrink(&[7], 1, 4), [7]);
        assert_eq!(shrink(&[0x00ff_ffff; 16], 4, 4), [0x00ff_ffff]);
        assert_eq!(shrink(&[0x0009_0612, 0, 0, 0, 0, 0, 0, 0, 0], 3, 3), [0x0001_0102]);
    }

    #[test]
    fn what_is_coded_is_never_large() {
        let by = |width, height| divisor(Rect::new(0, 0, width, height));
        assert_eq!([by(640, 360), by(1024, 1024), by(1920, 1080), by(3840, 2160)], [1, 1, 2, 3]);
        assert_eq!(by(4096, 4096), 4, "the largest film");
        assert!(coded(Rect::new(0, 0, 3840, 2160)) <= LARGE);
    }
}
