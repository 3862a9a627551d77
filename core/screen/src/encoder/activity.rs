//! Which places keep animating: every cell of the picture counts how often and how fast it changed without being a move.
//!
//! Seven points make a cell hot: one for a change that follows within a quarter of a second, two when it follows as fast as
//! a film's, and one more when what changes is large, for then every exact picture costs as much as seconds of video.
//! Small changes (a letter and its caret) and those of few colours (a progress bar) count nothing, for they are
//! cheap to send exactly, and so is a place of which the smaller part is hot (a label on something large that lights up); what moved or was uncovered by a move sets the count back, for that is scrolling or dragging.

use std::time::Duration;

use belay_wire::Moment;

use crate::{Frame, MAX_STREAMS, MAX_VIDEO_PIXELS, Rect};

use super::cells::SIDE;
use super::regions::coded;

/// Points at which a cell is hot.
const HOT: u8 = 7;
/// A change that comes later than this after the one before begins a new count.
pub const PAUSE: Duration = Duration::from_millis(250);
/// Changes closer than this are two pieces of the same paint.
const SAME_PAINT: Duration = Duration::from_millis(10);
/// Changes closer than this are a film's.
const FAST: Duration = Duration::from_millis(55);
/// Changed pixels of a cell below which a change is small.
const SMALL: usize = SIDE * SIDE / 4;
/// Changed pixels of all colourful places together from which a change is large.
const LARGE: usize = 1 << 16;
/// Colours in a sample of a change up to which it is cheap.
const FEW_COLOURS: usize = 4;
/// Sides of a region that is worth a stream.
const MIN_SIDE: u16 = 48;
/// Pixels of all streams together: what the encoder manages in its share of a core.
const MAX_CODED: usize = 1 << 20;

/// The counts of all cells.
#[derive(Debug, Default)]
pub struct Activity {
    columns: usize,
    cells: Vec<Cell>,
    /// Time for which captures were held back since the last one; no animation pauses because its viewer is slow.
    withheld: Duration,
    stack: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    last: Moment,
    /// Points of changes that are worth video.
    heat: u8,
    /// Points of all changes.
    lively: u8,
    /// The box around the counted changes.
    area: Rect,
}

impl Activity {
    /// Forgets everything; the picture now has this size.
    pub fn reset(&mut self, width: u16, height: u16) {
        self.columns = usize::from(width).div_ceil(SIDE);
        self.cells.clear();
        self.cells.resize(self.columns * usize::from(height).div_ceil(SIDE), Cell::default());
    }

    /// Captures were held back for so long since the last one.
    pub fn withheld(&mut self, time: Duration) {
        self.withheld = time;
    }

    /// Counts what changed in this capture, apart from the zones in which something moved.
    pub fn note(&mut self, frame: Frame<'_>, changed: &[Rect], moved: &[Rect], now: Moment) {
        let withheld = std::mem::take(&mut self.withheld);
        for zone in moved.iter().filter(|zone| !zone.is_empty()) {
            for row in usize::from(zone.y) / SIDE..=(zone.bottom() - 1) / SIDE {
                for column in usize::from(zone.x) / SIDE..=(zone.right() - 1) / SIDE {
                    if let Some(cell) = self.cells.get_mut(row * self.columns + column) {
                        *cell = Cell::default();
                    }
                }
            }
        }
        let still = |area: &&Rect| moved.iter().all(|zone| zone.intersection(**area).is_empty());
        let changed: Vec<(&Rect, bool)> =
            changed.iter().filter(still).map(|area| (area, costly(frame, *area))).collect();
        let cost: usize = changed.iter().filter(|(_, costly)| *costly).map(|(area, _)| area.area()).sum();
        let more = u8::from(cost >= LARGE);
        for (area, costly) in changed {
            let index = usize::from(area.y) / SIDE * self.columns + usize::from(area.x) / SIDE;
            let Some(cell) = self.cells.get_mut(index) else { continue };
            let gap = now.since(cell.last).saturating_sub(withheld);
            let points = match (cell.lively, gap) {
                (0, _) => 1 + more,
                (_, gap) if gap > PAUSE => {
                    *cell = Cell::default();
                    1 + more
                }
                (_, gap) if gap < SAME_PAINT => 0,
                (_, gap) if gap <= FAST => 2 + more,
                _ => 1 + more,
            };
            cell.last = now;
            cell.lively = cell.lively.saturating_add(points);
            cell.area = cell.area.union(*area);
            if costly {
                cell.heat = cell.heat.saturating_add(points);
            }
        }
    }

    /// Rectangles that have become hot, neither empty nor overlapping each other or `live`; the second list has the live
    /// ones that they take over. At most as many as there is room for.
    pub fn find(&mut self, bounds: Rect, live: &[Rect], now: Moment) -> (Vec<Rect>, Vec<Rect>) {
        let (mut found, mut taken): (Vec<Rect>, Vec<Rect>) = (Vec::new(), Vec::new());
        let mut seen = vec![false; self.cells.len()];
        for index in 0..self.cells.len() {
            if seen[index] || !self.is_hot(index, now) {
                continue;
            }
            let (place, mut changed, hot) = self.spread(index, &mut seen, now);
            if hot * 2 < changed {
                continue;
            }
            let mut place = even(place).intersection(bounds);
            let mut overlapped = Vec::new();
            // Taking one over may reach into the next.
            let mut others: Vec<Rect> = live.iter().copied().filter(|rect| !taken.contains(rect)).collect();
            while let Some(near) = others.iter().position(|rect| touch(*rect, place)) {
                let near = others.swap_remove(near);
                overlapped.push(near);
                place = place.union(near);
                changed += near.area();
            }
            let rest = others.iter().chain(&found);
            let (count, area) = rest.fold((0, 0), |(count, area), rect| (count + 1, area + coded(*rect)));
            let sizable = place.width >= MIN_SIDE && place.height >= MIN_SIDE && changed * 2 >= place.area();
            let free = found.iter().all(|rect| rect.intersection(place).is_empty());
            if sizable
                && free
                && count < MAX_STREAMS
                && place.area() <= MAX_VIDEO_PIXELS
                && area + coded(place) <= MAX_CODED
            {
                found.push(place);
                taken.extend(overlapped);
            }
        }
        (found, taken)
    }

    /// This place has become video: its cells count anew.
    pub fn forget(&mut self, place: Rect) {
        for cell in self.cells.iter_mut().filter(|cell| place.contains(cell.area)) {
            *cell = Cell::default();
        }
    }

    fn is_hot(&self, index: usize, now: Moment) -> bool {
        let cell = &self.cells[index];
        cell.heat >= HOT && now.since(cell.last) <= PAUSE
    }

    /// The box around what changes in a group of hot neighbours and its lively edge, the changing pixels in it, and how many of these are
    /// hot.
    fn spread(&mut self, from: usize, seen: &mut [bool], now: Moment) -> (Rect, usize, usize) {
        let (mut place, mut changed, mut hot) = (Rect::default(), 0, 0);
        self.stack.clear();
        self.stack.push(from);
        seen[from] = true;
        while let Some(index) = self.stack.pop() {
            let cell = self.cells[index];
            place = place.union(cell.area);
            changed += cell.area.area();
            if !self.is_hot(index, now) {
                continue;
            }
            hot += cell.area.area();
            let (row, column) = (index / self.columns, index % self.columns);
            for row in row.saturating_sub(1)..=row + 1 {
                for column in column.saturating_sub(1)..(column + 2).min(self.columns) {
                    let next = row * self.columns + column;
                    let known = self.cells.get(next);
                    let lively =
                        known.is_some_and(|cell| cell.lively >= HOT && now.since(cell.last) <= PAUSE);
                    if lively && !seen[next] {
                        seen[next] = true;
                        self.stack.push(next);
                    }
                }
            }
        }
        (place, changed, hot)
    }
}

/// Whether it is expensive to send exactly: not small, and a sample of it has more than a few colours.
fn costly(frame: Frame<'_>, area: Rect) -> bool {
    if area.area() < SMALL {
        return false;
    }
    let mut known = [0u32; FEW_COLOURS];
    let mut count = 0;
    for y in (usize::from(area.y)..area.bottom()).step_by(7) {
        for pixel in frame.span(y, usize::from(area.x), area.right()).iter().step_by(5) {
            if known[..count].contains(pixel) {
                continue;
            }
            if count == FEW_COLOURS {
                return true;
            }
            known[count] = *pixel;
            count += 1;
        }
    }
    false
}

/// Whether they overlap or lie next to each other.
fn touch(a: Rect, b: Rect) -> bool {
    let wide = Rect::from_edges(
        usize::from(a.x).saturating_sub(8),
        usize::from(a.y).saturating_sub(8),
        a.right() + 8,
        a.bottom() + 8,
    );
    !wide.intersection(b).is_empty()
}

/// Grown to even edges.
fn even(rect: Rect) -> Rect {
    Rect::from_edges(
        usize::from(rect.x) & !1,
        usize::from(rect.y) & !1,
        rect.right().next_multiple_of(2),
        rect.bottom().next_multiple_of(2),
    )
}
