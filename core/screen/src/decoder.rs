//! The reference viewer: applies updates to a picture, and refuses whatever breaks the protocol.

use belay_wire::message::ScreenUpdate;

use crate::coarse::{MAX_SHIFT, enlarge, small_side};
use crate::encoder::MAX_PIXELS;
use crate::{MAX_PALETTE, MAX_STREAMS, MAX_VIDEO_PIXELS, Rect, max_raw, operation, palette_bits};

/// Why an update was refused. The viewer then holds nothing and asks for a resync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It builds on another picture than the one held.
    WrongBase {
        /// The update held, 0 for none.
        held: u32,
        /// The update it builds on.
        base: u32,
    },
    /// A side of 0, more than 2^26 pixels, or another size than the base.
    WrongSize {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
    },
    /// The operations are longer than allowed, or not as long as announced.
    WrongLength {
        /// What was announced.
        announced: u32,
    },
    /// Not zstd.
    Compression,
    /// The operations end in the middle of one.
    Truncated,
    /// An operation nobody knows.
    UnknownOperation(u8),
    /// An empty rectangle, or one that leaves the picture.
    OutOfPicture(Rect),
    /// A palette of fewer than 2 or more than 16 colours, or an index beyond it.
    Palette(u8),
    /// A stretch that is none.
    Coarse(u8),
    /// A frame of video that does not follow the one before in this stream, too large a rectangle, or the end of a stream
    /// that is none.
    Video(u8),
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DecodeError::WrongBase { held, base } => {
                write!(f, "the update builds on {base}, but {held} is held")
            }
            DecodeError::WrongSize { width, height } => {
                write!(f, "a picture of {width} x {height} does not fit")
            }
            DecodeError::WrongLength { announced } => {
                write!(f, "the operations are not {announced} bytes long")
            }
            DecodeError::Compression => f.write_str("the operations cannot be decompressed"),
            DecodeError::Truncated => f.write_str("the operations end in the middle of one"),
            DecodeError::UnknownOperation(kind) => write!(f, "operation {kind} is unknown"),
            DecodeError::OutOfPicture(r) => {
                write!(
                    f,
                    "the rectangle {} {} {} {} does not lie in the picture",
                    r.x, r.y, r.width, r.height
                )
            }
            DecodeError::Palette(value) => write!(f, "a palette cannot have {value}"),
            DecodeError::Coarse(shift) => write!(f, "nothing is stretched by 2 to the power of {shift}"),
            DecodeError::Video(stream) => write!(f, "stream {stream} of video does not go on like this"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A frame of video: from now on it covers its rectangle, until the next one or the end of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFrame {
    /// The stream, below [`MAX_STREAMS`].
    pub stream: u8,
    /// Whether it builds on nothing; else on the frames before it.
    pub key: bool,
    /// Where it is shown.
    pub area: Rect,
    /// Its number in the stream.
    pub number: u32,
    /// What the codec made.
    pub bytes: Vec<u8>,
}

/// A viewer's picture.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    width: u16,
    height: u16,
    pixels: Vec<u32>,
    held: u32,
    /// Place and newest frame of each stream.
    streams: [Option<(Rect, u32)>; MAX_STREAMS],
    frames: Vec<VideoFrame>,
}

impl Decoder {
    /// A viewer that holds nothing.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// The update held, 0 for none.
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Width, height and rows of `0x00RRGGBB` pixels.
    pub fn picture(&self) -> (u16, u16, &[u32]) {
        (self.width, self.height, &self.pixels)
    }

    /// What is covered by video, by stream. Under it the picture is not what the display shows.
    pub fn covered(&self) -> impl Iterator<Item = (u8, Rect)> {
        let streams = self.streams.iter().enumerate();
        streams.filter_map(|(stream, live)| Some((u8::try_from(stream).ok()?, live.as_ref()?.0)))
    }

    /// The frames of video that came since the last call, in order.
    pub fn take_frames(&mut self) -> Vec<VideoFrame> {
        std::mem::take(&mut self.frames)
    }

    /// Applies an update.
    pub fn apply(&mut self, update: &ScreenUpdate) -> Result<(), DecodeError> {
        let done = self.try_apply(update);
        self.held = if done.is_ok() { update.number } else { 0 };
        done
    }

    fn try_apply(&mut self, update: &ScreenUpdate) -> Result<(), DecodeError> {
        let &ScreenUpdate { base, width, height, raw_len, .. } = update;
        let size = usize::from(width) * usize::from(height);
        if base != 0 && base != self.held {
            return Err(DecodeError::WrongBase { held: self.held, base });
        }
        let other_size = base != 0 && (width, height) != (self.width, self.height);
        if size == 0 || size > MAX_PIXELS || other_size {
            return Err(DecodeError::WrongSize { width, height });
        }
        let length = usize::try_from(raw_len).unwrap_or(usize::MAX);
        if length > max_raw(width, height) {
            return Err(DecodeError::WrongLength { announced: raw_len });
        }
        let raw =
            zstd::bulk::decompress(&update.operations_zstd, length).map_err(|_| DecodeError::Compression)?;
        if raw.len() != length {
            return Err(DecodeError::WrongLength { announced: raw_len });
        }
        if base == 0 {
            (self.width, self.height) = (width, height);
            self.pixels = vec![0; size];
            self.streams = Default::default();
            self.frames.clear();
        }
        let mut input = Bytes(&raw);
        while !input.0.is_empty() {
            self.operate(&mut input)?;
        }
        Ok(())
    }

    fn operate(&mut self, input: &mut Bytes<'_>) -> Result<(), DecodeError> {
        match input.u8()? {
            operation::COPY => {
                let (x, y) = (input.u16()?, input.u16()?);
                let to = self.rect(input)?;
                self.inside(Rect { x, y, ..to })?;
                copy(&mut self.pixels, usize::from(self.width), to, (usize::from(x), usize::from(y)));
            }
            operation::SOLID => {
                let area = self.rect(input)?;
                let colour = input.colour()?;
                self.rows(area).for_each(|row| row.fill(colour));
            }
            operation::PALETTE => {
                let area = self.rect(input)?;
                let count = input.u8()?;
                if !(2..=MAX_PALETTE).contains(&usize::from(count)) {
                    return Err(DecodeError::Palette(count));
                }
                let palette = (0..count).map(|_| input.colour()).collect::<Result<Vec<_>, _>>()?;
                let bits = palette_bits(palette.len());
                let packed =
                    input.take((usize::from(area.width) * bits).div_ceil(8) * usize::from(area.height))?;
                let per_row = packed.len() / usize::from(area.height);
                for (row, packed) in self.rows(area).zip(packed.chunks_exact(per_row)) {
                    for (x, pixel) in row.iter_mut().enumerate() {
                        let shift = 8 - bits - x * bits % 8;
                        let index = (packed[x * bits / 8] >> shift) & ((1 << bits) - 1);
                        *pixel = *palette.get(usize::from(index)).ok_or(DecodeError::Palette(index))?;
                    }
                }
            }
            operation::COLOUR => {
                let area = self.rect(input)?;
                let pixels = input.planes(usize::from(area.width), usize::from(area.height))?;
                for (row, from) in self.rows(area).zip(pixels.chunks_exact(usize::from(area.width))) {
                    row.copy_from_slice(from);
                }
            }
            operation::COARSE => {
                let shift = input.u8()?;
                if !(1..=MAX_SHIFT).contains(&shift) {
                    return Err(DecodeError::Coarse(shift));
                }
                let area = self.rect(input)?;
                let (width, height) = (small_side(area.width, shift), small_side(area.height, shift));
                let small = input.planes(usize::from(width), usize::from(height))?;
                enlarge(&small, area, shift, &mut self.pixels, usize::from(self.width));
            }
            operation::VIDEO => self.video(input)?,
            operation::VIDEO_END => {
                let stream = input.u8()?;
                let live = self.streams.get_mut(usize::from(stream)).and_then(Option::take);
                live.ok_or(DecodeError::Video(stream))?;
            }
            kind => return Err(DecodeError::UnknownOperation(kind)),
        }
        Ok(())
    }

    fn video(&mut self, input: &mut Bytes<'_>) -> Result<(), DecodeError> {
        let (stream, key) = (input.u8()?, input.u8()?);
        let area = self.rect(input)?;
        let number = input.u32()?;
        let length = usize::try_from(input.u32()?).map_err(|_| DecodeError::Truncated)?;
        let bytes = input.take(length)?.to_vec();
        let refused = DecodeError::Video(stream);
        let live = self.streams.get_mut(usize::from(stream)).ok_or(refused)?;
        let follows = match key {
            0 => *live == number.checked_sub(1).map(|before| (area, before)),
            1 => true,
            2..=255 => false,
        };
        if !follows || area.area() > MAX_VIDEO_PIXELS || bytes.is_empty() {
            return Err(refused);
        }
        *live = Some((area, number));
        self.frames.push(VideoFrame { stream, key: key == 1, area, number, bytes });
        Ok(())
    }

    fn rect(&self, input: &mut Bytes<'_>) -> Result<Rect, DecodeError> {
        let rect = Rect::new(input.u16()?, input.u16()?, input.u16()?, input.u16()?);
        self.inside(rect)?;
        Ok(rect)
    }

    fn inside(&self, rect: Rect) -> Result<(), DecodeError> {
        let fits = rect.right() <= usize::from(self.width) && rect.bottom() <= usize::from(self.height);
        if rect.is_empty() || !fits { Err(DecodeError::OutOfPicture(rect)) } else { Ok(()) }
    }

    fn rows(&mut self, area: Rect) -> impl Iterator<Item = &mut [u32]> {
        let columns = usize::from(area.x)..area.right();
        let rows = self.pixels.chunks_exact_mut(usize::from(self.width));
        rows.skip(usize::from(area.y))
            .take(usize::from(area.height))
            .map(move |row| &mut row[columns.clone()])
    }
}

/// Moves pixels as if through a buffer. Both rectangles lie in the picture.
pub(crate) fn copy(pixels: &mut [u32], stride: usize, to: Rect, (source_x, source_y): (usize, usize)) {
    let (x, y, width, height) =
        (usize::from(to.x), usize::from(to.y), usize::from(to.width), usize::from(to.height));
    let mut row = |index: usize| {
        let from = (source_y + index) * stride + source_x;
        pixels.copy_within(from..from + width, (y + index) * stride + x);
    };
    if source_y < y {
        (0..height).rev().for_each(&mut row);
    } else {
        (0..height).for_each(&mut row);
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// The pixels of three planes of differences.
    fn planes(&mut self, width: usize, height: usize) -> Result<Vec<u32>, DecodeError> {
        let area = width * height;
        let planes = [self.take(area)?, self.take(area)?, self.take(area)?];
        let mut pixels = Vec::with_capacity(area);
        let mut above = [0u8; 3];
        for start in (0..area).step_by(width) {
            let mut value = above;
            for x in 0..width {
                for (value, plane) in value.iter_mut().zip(planes) {
                    *value = value.wrapping_add(plane[start + x]);
                }
                if x == 0 {
                    above = value;
                }
                let [r, g, b] = value;
                pixels.push(u32::from_be_bytes([0, r.wrapping_add(g), g, b.wrapping_add(g)]));
            }
        }
        Ok(pixels)
    }

    fn colour(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.take(3)?;
        Ok(u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]))
    }
}
