//! From frame buffer to updates: find what moved, cut what changed into tiles, pack, compress, split.

mod activity;
mod cells;
mod moves;
mod outlet;
mod owed;
mod pack;
mod regions;
mod sparing;

use std::time::Duration;

use belay_wire::Moment;
use belay_wire::message::{MAX_UPDATE, ScreenUpdate};

use crate::{Allowance, Frame, Rect, Video, VideoError, max_raw};
use activity::Activity;
use cells::Cells;
use moves::Search;
use outlet::Outlet;
use owed::Owed;
use pack::Packer;
use regions::Regions;
use sparing::Ratios;

/// Most pixels of a picture (8192 × 8192); more than any desktop has, little enough for every counter.
pub(crate) const MAX_PIXELS: usize = 1 << 26;
/// Compressed size the encoder aims for: small enough that the viewer unpacks one piece while the next is on its way.
const PIECE: usize = 64 * 1024;
/// Uncompressed size of a piece at least and at most, whatever the last pieces compressed to.
const RAW_PIECE: std::ops::RangeInclusive<usize> = 512 * 1024..=1024 * 1024;
/// Changed pixels below which nobody looks for moves: a line of typing.
const WORTH_A_SEARCH: usize = 4096;
/// Most bytes of a frame of video: it must fit into an update whatever zstd makes of it.
const MAX_SHOT: usize = MAX_UPDATE - 64 * 1024;
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
    activity: Activity,
    regions: Regions,
    /// What of `shown` is not yet what the display shows, as far as it is not covered by video.
    owed: Owed,
    ratios: Ratios,
    /// When something that is owed went last although there was news.
    refined: Moment,
    /// How hard to compress.
    level: i32,
    /// Absent where the viewer shows no video, and once the codec has failed.
    video: Option<Box<dyn Video>>,
    video_failed: Option<VideoError>,
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
            activity: Activity::default(),
            regions: Regions::default(),
            owed: Owed::default(),
            ratios: Ratios::default(),
            refined: Moment(0),
            level: LEVEL,
            video: None,
            video_failed: None,
            packer: Packer::default(),
            compressor: zstd::bulk::Compressor::new(LEVEL).map_err(|_| EncodeError::Compression)?,
            compressed: Vec::new(),
            raw_piece: *RAW_PIECE.start(),
        })
    }

    /// An encoder that shows what keeps animating as video.
    pub fn with_video(video: Box<dyn Video>) -> Result<Encoder, EncodeError> {
        Ok(Encoder { video: Some(video), ..Encoder::new()? })
    }

    /// Takes beforehand the memory that the first picture of this size needs, so that this one does not wait for the system to give it.
    pub fn reserve(&mut self, width: u16, height: u16) -> Result<(), EncodeError> {
        let size = usize::from(width) * usize::from(height);
        if size > MAX_PIXELS {
            return Err(EncodeError::TooLarge { width, height });
        }
        self.shown.resize(size, 0);
        // The system gives memory when it is written; the box hides that it is zero already.
        std::hint::black_box(&mut self.shown).fill(0);
        self.shown.clear();
        Ok(())
    }

    /// The number of the newest update, 0 before the first.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The viewer lost track: the next update starts from black.
    pub fn resync(&mut self) {
        self.fresh = true;
    }

    /// Whether there is a codec that has not failed.
    pub fn has_video(&self) -> bool {
        self.video.is_some()
    }

    /// Whether something is shown as video at the moment.
    pub fn animates(&self) -> bool {
        self.regions.any()
    }

    /// When [`Encoder::encode`] is to be called even if nothing is painted: what was video has then come to rest and is sent exactly.
    pub fn wake(&self) -> Option<Moment> {
        self.regions.wake()
    }

    /// Tells, before [`Encoder::encode`], for how long the capture was held back although there was something to capture.
    pub fn withheld(&mut self, time: Duration) {
        self.activity.withheld(time);
    }

    /// Why there is no video any more; told once.
    pub fn video_failure(&mut self) -> Option<VideoError> {
        self.video_failed.take()
    }

    /// Whether the viewer's picture is not yet exact although nothing was painted since: [`Encoder::encode_within`] left something.
    pub fn owes(&self) -> bool {
        self.owed.any()
    }

    /// The pointer was moved there: what is near becomes exact before the rest.
    pub fn look_at(&mut self, x: u16, y: u16) {
        self.owed.look_at(x, y);
    }

    /// The updates that turn what the viewer holds into `frame`; none when nothing changed.
    ///
    /// Every pixel that differs from the frame of the last call must lie in `damage`; what is in `damage` but the same
    /// costs only a look. After a change of size, a [`Encoder::resync`] and the first time, `damage` does not matter.
    pub fn encode(
        &mut self,
        frame: Frame<'_>,
        damage: &[Rect],
        now: Moment,
    ) -> Result<Vec<ScreenUpdate>, EncodeError> {
        self.encode_within(frame, damage, None, now)
    }

    /// The same, but no more than the allowance permits: the most urgent first and, if exactly would take long, coarsely. What is left
    /// is owed; it goes with the next calls, always as the frame is then.
    pub fn encode_within(
        &mut self,
        frame: Frame<'_>,
        damage: &[Rect],
        allowance: Option<Allowance>,
        now: Moment,
    ) -> Result<Vec<ScreenUpdate>, EncodeError> {
        let mut updates = Vec::new();
        self.encode_each(frame, damage, allowance, now, &mut |update| updates.push(update))?;
        Ok(updates)
    }

    /// The same, each update being handed on as soon as it is packed. After an error a part of them may have gone; the next call then
    /// begins anew.
    pub fn encode_each(
        &mut self,
        frame: Frame<'_>,
        damage: &[Rect],
        allowance: Option<Allowance>,
        now: Moment,
        hand_on: &mut dyn FnMut(ScreenUpdate),
    ) -> Result<(), EncodeError> {
        let mut updates = Outlet::new(hand_on);
        self.encode_into(frame, damage, allowance, now, &mut updates)?;
        updates.finish();
        Ok(())
    }

    fn encode_into(
        &mut self,
        frame: Frame<'_>,
        damage: &[Rect],
        allowance: Option<Allowance>,
        now: Moment,
        updates: &mut Outlet<'_>,
    ) -> Result<(), EncodeError> {
        let bounds = frame.bounds();
        if bounds.area() > MAX_PIXELS {
            return Err(EncodeError::TooLarge { width: frame.width(), height: frame.height() });
        }
        self.packer.clear();
        self.level = LEVEL;
        let resized = (self.width, self.height) != (frame.width(), frame.height());
        let fresh = self.fresh || resized;
        // Until all of it is out, the viewer cannot be said to hold `shown`.
        self.fresh = true;
        if fresh {
            (self.width, self.height) = (frame.width(), frame.height());
            self.shown.clear();
            self.shown.resize(bounds.area(), 0);
            self.regions.clear();
            self.owed.reset(self.width, self.height);
            if resized {
                self.activity.reset(self.width, self.height);
            }
            if allowance.is_some() {
                self.ground(frame, updates)?;
            } else {
                self.cells.collect(frame, &self.shown, &[bounds], &[]);
                self.pack(frame, true, updates)?;
            }
        } else {
            match self.change(frame, damage, now) {
                Ok(ended) => match allowance {
                    Some(allowance) => self.pack_within(frame, allowance, &ended, now, updates)?,
                    None => self.pack(frame, false, updates)?,
                },
                Err(error) => {
                    // Everything anew, exactly, and without video from now on.
                    (self.video, self.video_failed) = (None, Some(error));
                    return self.encode_into(frame, damage, allowance, now, updates);
                }
            }
        }
        self.fresh = false;
        Ok(())
    }

    /// Collects what changed or is owed, apart from what is video; begins, goes on with and ends video. Returns where video ended.
    fn change(&mut self, frame: Frame<'_>, damage: &[Rect], now: Moment) -> Result<Vec<Rect>, VideoError> {
        self.regions.look(frame, damage, now);
        let ended = self.regions.end(now);
        let uncovered: Vec<Rect> = ended.iter().map(|(_, area)| *area).collect();
        self.owed.painted(frame, damage, now);
        let owed = self.owed.take();
        let exposed: Vec<Rect> = damage.iter().chain(&uncovered).chain(&owed).copied().collect();
        self.cells.collect(frame, &self.shown, &exposed, &self.regions.areas());
        let mut zones = Vec::new();
        if self.cells.area() >= WORTH_A_SEARCH && !damage.is_empty() {
            zones = self.search.run(frame, &mut self.shown, &mut self.cells, &mut self.packer);
        }
        for (stream, area) in ended {
            self.packer.video_end(stream);
            zones.push(area);
        }
        let Some(video) = &mut self.video else { return Ok(uncovered) };
        if owed.is_empty() {
            self.activity.note(frame, self.cells.changed(), &zones, now);
        } else {
            // What only becomes exact is no animation.
            let changed = self.cells.changed().iter().copied();
            let changed: Vec<Rect> = changed.filter(|area| self.owed.is_new(*area, now)).collect();
            self.activity.note(frame, &changed, &zones, now);
        }
        let (found, taken) = self.activity.find(frame.bounds(), &self.regions.areas(), now);
        for (stream, _) in self.regions.end_at(&taken) {
            self.packer.video_end(stream);
        }
        for area in found {
            self.regions.begin(&mut **video, frame, area, now)?;
            self.cells.drop_within(area);
            self.activity.forget(area);
        }
        for shot in self.regions.shots()? {
            if shot.bytes.len() > MAX_SHOT {
                return Err(VideoError(format!("a frame of {} bytes is too long", shot.bytes.len())));
            }
            self.packer.video(&shot);
        }
        Ok(uncovered)
    }

    /// Packs all that changed.
    fn pack(&mut self, frame: Frame<'_>, fresh: bool, updates: &mut Outlet<'_>) -> Result<(), EncodeError> {
        let limit = max_raw(self.width, self.height);
        for index in 0..self.cells.changed().len() {
            let area = self.cells.changed()[index];
            self.packer.tile(frame, area);
            self.hold(frame, area);
            if self.packer.len() >= self.raw_piece.min(limit / 2) {
                self.flush(updates, fresh)?;
            }
        }
        if fresh && updates.is_empty() && self.packer.len() == 0 {
            self.packer.solid(frame.bounds(), 0);
        }
        self.flush(updates, fresh)
    }

    /// Compresses what the packer holds into one update, or more when it compresses badly.
    fn flush(&mut self, updates: &mut Outlet<'_>, fresh: bool) -> Result<(), EncodeError> {
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
                .set_compression_level(self.level)
                .and_then(|()| self.compressor.compress_to_buffer(raw, &mut self.compressed))
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
