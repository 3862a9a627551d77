//! From frame buffer to updates: find what moved, cut what changed into tiles, pack, compress, split.

mod cells;
mod moves;
mod pack;

use belay_wire::message::{MAX_UPDATE, ScreenUpdate};

use crate::{Frame, Rect, max_raw};
use cells::Cells;
use moves::Search;
use pack::Packer;

/// Most pixels of a picture (8192 × 8192); more than any desktop has, little enough for every counter.
pub(crate) const MAX_PIXELS: usize = 1 << 26;
/// Compressed size the encoder aims for.
const PIECE: usize = 256 * 1024;
/// Uncompressed size of a piece at least and at most, whatever the last pieces compressed to.
const RAW_PIECE: std::ops::RangeInclusive<usize> = 512 * 1024..=4 * 1024 * 1024;
/// Changed pixels below which nobody looks for moves: a line of typing.
const WORTH_A_SEARCH: usize = 4096;
/// Fast enough for every frame, and the format gains little from more.
const LEVEL: i32 = 1;

/// Why a picture cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// More than 2^26 pixels.
    TooLarge {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
    },
    /// zstd refused to work (out of memory).
    Compression,
}

impl std::fmt::Display for EncodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EncodeError::TooLarge { width, height } => {
                write!(f, "a picture of {width} x {height} is too large to send; choose one monitor")
            }
            EncodeError::Compression => f.write_str("the picture could not be compressed: out of memory"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Turns pictures into updates, remembering what the viewer holds.
///
/// One encoder serves one opening of the screen: numbers count from 1.
pub struct Encoder {
    width: u16,
    height: u16,
    /// The picture the viewer holds once it has applied everything sent.
    // INVARIANT: width × height pixels, equal to what a `Decoder` fed all updates holds.
    shown: Vec<u32>,
    number: u32,
    /// The next update starts from black.
    fresh: bool,
    cells: Cells,
    search: Search,
    packer: Packer,
    compressor: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
    /// Uncompressed size that lately compressed to about [`PIECE`].
    raw_piece: usize,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoder({} x {}, number {})", self.width, self.height, self.number)
    }
}

impl Encoder {
    /// An encoder whose viewer holds nothing yet.
    pub fn new() -> Result<Encoder, EncodeError> {
        Ok(Encoder {
            width: 0,
            height: 0,
            shown: Vec::new(),
            number: 0,
            fresh: true,
            cells: Cells::default(),
            search: Search::default(),
            packer: Packer::default(),
            compressor: zstd::bulk::Compressor::new(LEVEL).map_err(|_| EncodeError::Compression)?,
            compressed: Vec::new(),
            raw_piece: *RAW_PIECE.start(),
        })
    }

    /// The number of the newest update, 0 before the first.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The viewer lost track: the next update starts from black.
    pub fn resync(&mut self) {
        self.fresh = true;
    }

    /// The updates that turn what the viewer holds into `frame`; none when nothing changed.
    ///
    /// Every pixel that differs from the frame of the last call must lie in `damage`; what is in `damage` but the same
    /// costs only a look. After a change of size, a [`Encoder::resync`] and the first time, `damage` does not matter.
    pub fn encode(&mut self, frame: Frame<'_>, damage: &[Rect]) -> Result<Vec<ScreenUpdate>, EncodeError> {
        let bounds = frame.bounds();
        if bounds.area() > MAX_PIXELS {
            return Err(EncodeError::TooLarge { width: frame.width(), height: frame.height() });
        }
        let fresh = self.fresh || (self.width, self.height) != (frame.width(), frame.height());
        if fresh {
            (self.width, self.height) = (frame.width(), frame.height());
            self.shown.clear();
            self.shown.resize(bounds.area(), 0);
            self.cells.collect(frame, &self.shown, &[bounds]);
        } else {
            self.cells.collect(frame, &self.shown, damage);
        }
        self.packer.clear();
        if !fresh && self.cells.area() >= WORTH_A_SEARCH {
            self.search.run(frame, &mut self.shown, &mut self.cells, &mut self.packer);
        }
        // Until all of it is out, the viewer cannot be said to hold `shown`.
        self.fresh = true;
        let updates = self.pack(frame, fresh)?;
        self.fresh = false;
        Ok(updates)
    }

    fn pack(&mut self, frame: Frame<'_>, fresh: bool) -> Result<Vec<ScreenUpdate>, EncodeError> {
        let mut updates = Vec::new();
        let limit = max_raw(self.width, self.height);
        for index in 0..self.cells.changed().len() {
            let area = self.cells.changed()[index];
            self.packer.tile(frame, area);
            let stride = usize::from(self.width);
            for y in usize::from(area.y)..area.bottom() {
                let from = y * stride + usize::from(area.x);
                self.shown[from..from + usize::from(area.width)].copy_from_slice(frame.span(
                    y,
                    usize::from(area.x),
                    area.right(),
                ));
            }
            if self.packer.len() >= self.raw_piece.min(limit / 2) {
                self.flush(&mut updates, fresh)?;
            }
        }
        if fresh && updates.is_empty() && self.packer.len() == 0 {
            self.packer.solid(frame.bounds(), 0);
        }
        self.flush(&mut updates, fresh)?;
        if let Some(last) = updates.last_mut() {
            last.more = false;
        }
        Ok(updates)
    }

    /// Compresses what the packer holds into one update, or more when it compresses badly.
    fn flush(&mut self, updates: &mut Vec<ScreenUpdate>, fresh: bool) -> Result<(), EncodeError> {
        let ends = std::mem::take(&mut self.packer.ends);
        let mut from = 0;
        let mut count = ends.len();
        while from < ends.len() {
            let start = if from == 0 { 0 } else { ends[from - 1] };
            let end = ends[from + count - 1];
            let raw = &self.packer.raw[start..end];
            self.compressed.clear();
            self.compressed.reserve(zstd::zstd_safe::compress_bound(raw.len()));
            self.compressor
                .compress_to_buffer(raw, &mut self.compressed)
                .map_err(|_| EncodeError::Compression)?;
            let aimed = raw.len().saturating_mul(PIECE) / self.compressed.len().max(1);
            self.raw_piece = aimed.clamp(*RAW_PIECE.start(), *RAW_PIECE.end());
            if self.compressed.len() > MAX_UPDATE && count > 1 {
                count = count.div_ceil(2);
                continue;
            }
            let base = if fresh && updates.is_empty() { 0 } else { self.number };
            self.number = self.number.wrapping_add(1).max(1);
            updates.push(ScreenUpdate {
                number: self.number,
                base,
                width: self.width,
                height: self.height,
                more: true,
                raw_len: u32::try_from(raw.len()).unwrap_or(u32::MAX),
                operations_zstd: self.compressed.clone(),
            });
            from += count;
            count = count.min(ends.len() - from);
        }
        self.packer.ends = ends;
        self.packer.clear();
        Ok(())
    }
}
