//! Where the way carries little: what is new first, coarsely if exactly would take too long, then the rest becomes exact piece by piece.

use std::time::Duration;

use belay_wire::Moment;

use crate::coarse::{enlarge, reduce};
use crate::line::Allowance;
use crate::{Frame, Rect};

use super::cells::SIDE;
use super::outlet::Outlet;
use super::{EncodeError, Encoder};

/// What would take longer than this exactly goes coarsely first.
const COARSE_FROM: f64 = 0.5;
/// How much more than exact places may go at once: small pictures pack better together, and nobody types before there is a picture.
const COARSE_PIECE: f64 = 2.0;
/// Below this rate, in bytes a second, coarse is a quarter of each side, above it half.
const QUARTER_BELOW: f64 = 80_000.0;
/// While new things keep coming, something of the rest goes along as often as this.
const REFINE_EVERY: Duration = Duration::from_millis(500);
/// Boxes of which a sample tells what exactly costs.
const SAMPLE: usize = 24;
/// The strongest compression, where every byte is dear, and one for the rates between.
const DEAR_BELOW: f64 = 100_000.0;
const LEVEL_DEAR: i32 = 19;
const LEVEL_SPARING: i32 = 5;
/// A box that alone is more than the allowance is cut, down to this height.
const LEAST_HEIGHT: u16 = 8;

/// Compressed bytes for each byte of operations, learned from the updates before.
#[derive(Debug)]
pub struct Ratios {
    exact: f64,
    coarse: f64,
}

impl Default for Ratios {
    fn default() -> Ratios {
        Ratios { exact: 0.1, coarse: 0.2 }
    }
}

impl Encoder {
    /// The first update where the way carries little: everything in the colour that is most frequent. It is small, so that it also
    /// tells how long the way is.
    pub(super) fn ground(&mut self, frame: Frame<'_>, updates: &mut Outlet<'_>) -> Result<(), EncodeError> {
        let colour = most_frequent(frame);
        self.packer.solid(frame.bounds(), colour);
        self.shown.fill(colour);
        self.owed.all();
        self.flush(updates, true)
    }

    /// Packs what the allowance permits; the rest stays owed. `ended` are places that must not show what was there before.
    pub(super) fn pack_within(
        &mut self,
        frame: Frame<'_>,
        allowance: Allowance,
        ended: &[Rect],
        now: Moment,
        updates: &mut Outlet<'_>,
    ) -> Result<(), EncodeError> {
        let (known, new): (Vec<Rect>, Vec<Rect>) =
            self.cells.changed().iter().partition(|area| self.owed.is_sketched(**area));
        let uncovered = |area: &Rect| ended.iter().any(|place| !place.intersection(*area).is_empty());
        let (urgent, new): (Vec<Rect>, Vec<Rect>) = new.into_iter().partition(uncovered);
        self.level = if allowance.rate < DEAR_BELOW { LEVEL_DEAR } else { LEVEL_SPARING };
        if !urgent.is_empty() {
            let unlimited = Allowance { bytes: usize::MAX, ..allowance };
            self.new_places(frame, urgent, unlimited, now, updates)?;
        }
        let quiet = new.is_empty() && updates.is_empty() && self.packer.len() == 0;
        if !new.is_empty() {
            self.newest_first(frame, new, allowance, now, updates)?;
        }
        let due = quiet || now.since(self.refined) >= REFINE_EVERY;
        if due && !known.is_empty() {
            let mut known = known;
            self.owed.sort(&mut known, now);
            let bytes = if quiet { allowance.bytes } else { allowance.bytes / 2 };
            self.exactly(frame, known, bytes, updates)?;
            self.refined = now;
        } else {
            known.iter().for_each(|area| self.owed.put(*area));
        }
        self.flush(updates, false)
    }

    /// What the viewer knows nothing of: a letter that was painted just now does not wait until a page is there coarsely.
    fn newest_first(
        &mut self,
        frame: Frame<'_>,
        areas: Vec<Rect>,
        mut allowance: Allowance,
        now: Moment,
        updates: &mut Outlet<'_>,
    ) -> Result<(), EncodeError> {
        let (just, before): (Vec<Rect>, Vec<Rect>) =
            areas.into_iter().partition(|area| self.owed.is_new(*area, now));
        if before.is_empty() {
            return self.new_places(frame, just, allowance, now, updates);
        }
        let price = self.price(frame, &just)?;
        if price > allowance.bytes {
            let mut all = [just, before].concat();
            all.sort_by_key(|area| (usize::from(area.y) / SIDE, area.x));
            return self.new_places(frame, all, allowance, now, updates);
        }
        self.exactly(frame, just, usize::MAX, updates)?;
        allowance.bytes = (allowance.bytes - price).max(1);
        self.new_places(frame, before, allowance, now, updates)
    }

    /// Places that the viewer knows nothing of, all alike.
    fn new_places(
        &mut self,
        frame: Frame<'_>,
        mut areas: Vec<Rect>,
        allowance: Allowance,
        now: Moment,
        updates: &mut Outlet<'_>,
    ) -> Result<(), EncodeError> {
        let time = self.price(frame, &areas)? as f64 / allowance.rate;
        if time > COARSE_FROM {
            return self.coarsely(frame, areas, allowance, updates);
        }
        self.owed.sort(&mut areas, now);
        self.exactly(frame, areas, allowance.bytes, updates)
    }

    /// What these boxes cost exactly, in bytes, from a sample of them.
    fn price(&mut self, frame: Frame<'_>, areas: &[Rect]) -> Result<usize, EncodeError> {
        let step = areas.len().div_ceil(SAMPLE).max(1);
        let before = self.packer.len();
        let ends = self.packer.ends.len();
        let mut count = 0;
        for area in areas.iter().step_by(step) {
            self.packer.tile(frame, *area);
            count += 1;
        }
        let bytes = self.compressed_len(before);
        self.packer.truncate(before, ends);
        Ok(bytes? * areas.len() / count.max(1))
    }

    /// The length of what the packer holds from there on, compressed fast.
    fn compressed_len(&mut self, from: usize) -> Result<usize, EncodeError> {
        let raw = &self.packer.raw[from..];
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.compressor
            .set_compression_level(super::LEVEL)
            .and_then(|()| self.compressor.compress_to_buffer(raw, &mut self.compressed))
            .map_err(|_| EncodeError::Compression)
    }

    /// As many boxes as fit into so many bytes, at least a part of one; the others stay owed.
    fn exactly(
        &mut self,
        frame: Frame<'_>,
        mut areas: Vec<Rect>,
        bytes: usize,
        updates: &mut Outlet<'_>,
    ) -> Result<(), EncodeError> {
        let (before, ends) = (self.packer.len(), self.packer.ends.len());
        let (mut count, mut most) = (0, usize::MAX);
        loop {
            while count < areas.len().min(most) {
                self.packer.tile(frame, areas[count]);
                count += 1;
                if (self.packer.len() - before) as f64 * self.ratios.exact >= bytes as f64 {
                    break;
                }
            }
            let raw = self.packer.len() - before;
            let length = self.compressed_len(before)?;
            self.ratios.exact = blend(self.ratios.exact, length, raw);
            let lower = areas.first().map_or(0, |area| area.height / 2);
            if length <= bytes.saturating_mul(3) / 2 || (count <= 1 && lower < LEAST_HEIGHT) {
                break;
            }
            most = (count / 2).max(1);
            if count <= 1 {
                let Rect { y, height, .. } = areas[0];
                areas.insert(1, Rect { y: y + height - lower, height: lower, ..areas[0] });
                areas[0].height -= lower;
            }
            count = 0;
            self.packer.truncate(before, ends);
        }
        for (index, area) in areas.iter().enumerate() {
            if index < count {
                self.hold(frame, *area);
            } else {
                self.owed.put(*area);
            }
        }
        self.flush_if_full(updates)
    }

    /// As many boxes as fit into the allowance, as a small picture each; exact is what is plain. All others stay owed.
    fn coarsely(
        &mut self,
        frame: Frame<'_>,
        areas: Vec<Rect>,
        allowance: Allowance,
        updates: &mut Outlet<'_>,
    ) -> Result<(), EncodeError> {
        let shift = if allowance.rate < QUARTER_BELOW { 2 } else { 1 };
        let (before, mut spent) = (self.packer.len(), 0);
        let mut left = areas.into_iter().peekable();
        while let Some(area) = left.next() {
            if is_plain(frame, area) {
                self.packer.tile(frame, area);
                self.hold(frame, area);
                spent = self.packer.len() - before;
            } else {
                let mut run = area;
                self.owed.sketch(frame, area);
                self.owed.put(area);
                let widest = SIDE << shift;
                while let Some(next) =
                    left.next_if(|next| joins(run, *next, widest) && !is_plain(frame, *next))
                {
                    self.owed.sketch(frame, next);
                    self.owed.put(next);
                    run = run.union(next);
                }
                let small = reduce(frame, run, shift);
                self.packer.coarse(run, shift, &small);
                enlarge(&small, run, shift, &mut self.shown, usize::from(self.width));
                spent = self.packer.len() - before;
            }
            if spent as f64 * self.ratios.coarse >= COARSE_PIECE * allowance.bytes as f64 {
                break;
            }
        }
        left.for_each(|area| self.owed.put(area));
        let length = self.compressed_len(before)?;
        self.ratios.coarse = blend(self.ratios.coarse, length, spent);
        self.flush_if_full(updates)
    }

    /// The viewer gets this place exactly.
    pub(super) fn hold(&mut self, frame: Frame<'_>, area: Rect) {
        let stride = usize::from(self.width);
        for y in usize::from(area.y)..area.bottom() {
            let from = y * stride + usize::from(area.x);
            let row = frame.span(y, usize::from(area.x), area.right());
            self.shown[from..from + row.len()].copy_from_slice(row);
        }
    }

    /// An update may be only so long before it is unpacked.
    fn flush_if_full(&mut self, updates: &mut Outlet<'_>) -> Result<(), EncodeError> {
        let limit = crate::max_raw(self.width, self.height) / 4;
        if self.packer.len() >= limit { self.flush(updates, false) } else { Ok(()) }
    }
}

/// Whether a box goes on to the right of a run of them that is at most so wide.
fn joins(run: Rect, next: Rect, widest: usize) -> bool {
    (run.y, run.height) == (next.y, next.height)
        && run.right() == usize::from(next.x)
        && usize::from(run.width) + usize::from(next.width) <= widest
}

fn blend(ratio: f64, bytes: usize, raw: usize) -> f64 {
    if raw == 0 { ratio } else { (ratio + bytes as f64 / raw as f64) / 2.0 }
}

/// Whether each row has one colour: a part of a background, which costs little exactly.
fn is_plain(frame: Frame<'_>, area: Rect) -> bool {
    let mut rows = usize::from(area.y)..area.bottom();
    rows.all(|y| {
        let row = frame.span(y, usize::from(area.x), area.right());
        row.iter().all(|pixel| *pixel == row[0])
    })
}

/// The colour of most pixels of a sample.
fn most_frequent(frame: Frame<'_>) -> u32 {
    let rows = (0..frame.height()).step_by(16);
    let mut colours: Vec<u32> = rows.flat_map(|y| frame.row(y).iter().step_by(16).copied()).collect();
    colours.sort_unstable();
    let runs = colours.chunk_by(|a, b| a == b);
    runs.max_by_key(|run| run.len()).and_then(|run| run.first()).copied().unwrap_or(0)
}
