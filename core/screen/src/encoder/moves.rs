//! Finds what moved: a scrolled page, a dragged window.
//!
//! Short runs of pixels of the new picture ("needles", one for each row of each changed cell) go into a table. A few rows of the
//! old picture are then searched for them with a rolling hash; every find votes for a displacement. The winners are grown
//! pixel by pixel to the largest rectangle that really matches, so that a wrong vote costs time but never a wrong pixel.

use crate::{Frame, Rect};

use super::cells::Cells;
use super::pack::Packer;

/// Pixels of a needle.
const NEEDLE: usize = 32;
const BASE: u32 = 0x0101_6b35;
/// BASE to the power of NEEDLE.
const BASE_POWER: u32 = {
    let (mut power, mut count) = (1u32, 0);
    while count < NEEDLE {
        power = power.wrapping_mul(BASE);
        count += 1;
    }
    power
};
/// Every so many rows of the old picture are searched, in small and in large changes.
const STEP_SMALL: usize = 8;
const STEP_LARGE: usize = 32;
const LARGE: usize = 512 * 512;
/// Votes below which a displacement is chance.
const FEW_VOTES: usize = 3;
const MAX_VOTES: usize = 1 << 15;
/// Displacements tried in one picture, and starting points tried for each.
const MAX_MOVES: usize = 4;
const MAX_SEEDS: usize = 6;
/// Changed pixels a copy must save.
const WORTH_A_COPY: usize = 1024;
/// Narrowings a growing rectangle may go through in one direction.
const MAX_STEPS: usize = 48;

/// The search, with its memory.
#[derive(Default)]
pub struct Search {
    table: Vec<Slot>,
    votes: Vec<Vote>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u32,
    x: u16,
    y: u16,
    needles: u8,
}

#[derive(Clone, Copy)]
struct Vote {
    shift: Shift,
    x: u16,
    y: u16,
}

/// New place minus old place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shift {
    dx: i32,
    dy: i32,
}

impl Search {
    /// Finds moves, does them in `shown`, writes them to `packer` and takes what they settled out of `cells`.
    /// Returns around each move where it came from and went to.
    pub fn run(
        &mut self,
        frame: Frame<'_>,
        shown: &mut [u32],
        cells: &mut Cells,
        packer: &mut Packer,
    ) -> Vec<Rect> {
        let mut zones = Vec::new();
        self.gather(frame, cells.changed());
        self.vote(frame, shown, cells);
        self.votes.sort_unstable_by_key(|vote| vote.shift);
        let mut groups: Vec<&[Vote]> =
            self.votes.chunk_by(|a, b| a.shift == b.shift).filter(|group| group.len() >= FEW_VOTES).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let mut done = Rect::default();
        for group in groups.into_iter().take(MAX_MOVES) {
            let bounds = cells.bounds();
            let Some(moved) = best(frame, shown, bounds, group, done) else { continue };
            if cells.area_within(moved) < WORTH_A_COPY {
                continue;
            }
            let shift = group[0].shift;
            let source = (back(moved.x, shift.dx), back(moved.y, shift.dy));
            copy(shown, usize::from(frame.width()), moved, source);
            packer.copy(moved, source.0 as u16, source.1 as u16);
            cells.settle(frame, shown, moved);
            zones.push(moved.union(Rect { x: source.0 as u16, y: source.1 as u16, ..moved }));
            done = done.union(moved);
            if cells.area() < super::WORTH_A_SEARCH {
                break;
            }
        }
        zones
    }

    /// Fills the table with needles of the new picture.
    fn gather(&mut self, frame: Frame<'_>, changed: &[Rect]) {
        let rows: usize = changed.iter().map(|rect| usize::from(rect.height)).sum();
        self.table.clear();
        self.table.resize((rows * 2).next_power_of_two().max(64), Slot::default());
        for area in changed.iter().filter(|rect| usize::from(rect.width) >= NEEDLE) {
            for y in usize::from(area.y)..area.bottom() {
                let last = area.right() - NEEDLE;
                let mut starts = [usize::from(area.x), last].into_iter();
                let needle = starts.find_map(|x| {
                    let pixels = frame.span(y, x, x + NEEDLE);
                    pixels.iter().any(|pixel| *pixel != pixels[0]).then(|| (x, hash(pixels)))
                });
                if let Some((x, hash)) = needle {
                    self.insert(hash, x, y);
                }
            }
        }
    }

    fn insert(&mut self, hash: u32, x: usize, y: usize) {
        let mut at = self.start(hash);
        loop {
            let mask = self.table.len() - 1;
            let slot = &mut self.table[at];
            if slot.needles == 0 {
                *slot = Slot { hash, x: x as u16, y: y as u16, needles: 1 };
                return;
            }
            if slot.hash == hash {
                slot.needles = 2;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn start(&self, hash: u32) -> usize {
        let mixed = u64::from(hash.wrapping_mul(0x9e37_79b1));
        ((mixed * self.table.len() as u64) >> 32) as usize
    }

    /// A needle that is the only one with its hash.
    fn find(&self, hash: u32) -> Option<&Slot> {
        let mut at = self.start(hash);
        loop {
            let slot = &self.table[at];
            if slot.needles == 0 {
                return None;
            }
            if slot.hash == hash {
                return (slot.needles == 1).then_some(slot);
            }
            at = (at + 1) & (self.table.len() - 1);
        }
    }

    /// Searches rows of the old picture for the needles.
    fn vote(&mut self, frame: Frame<'_>, shown: &[u32], cells: &Cells) {
        let width = usize::from(frame.width());
        let step = if cells.area() >= LARGE { STEP_LARGE } else { STEP_SMALL };
        let mut votes = std::mem::take(&mut self.votes);
        votes.clear();
        for area in cells.changed() {
            let (from, to) = (usize::from(area.x), area.right().min((width + 1).saturating_sub(NEEDLE)));
            let first = usize::from(area.y).next_multiple_of(step);
            for y in (first..area.bottom()).step_by(step) {
                if from >= to || votes.len() >= MAX_VOTES {
                    break;
                }
                let row = &shown[y * width..(y + 1) * width];
                let mut rolling = hash(&row[from..from + NEEDLE]);
                for x in from..to {
                    if let Some(slot) = self.find(rolling) {
                        let dx = i32::from(slot.x) - x as i32;
                        let dy = i32::from(slot.y) - y as i32;
                        if (dx, dy) != (0, 0) {
                            votes.push(Vote { shift: Shift { dx, dy }, x: slot.x, y: slot.y });
                        }
                    }
                    if x + 1 < to {
                        rolling = rolling
                            .wrapping_mul(BASE)
                            .wrapping_sub(row[x].wrapping_mul(BASE_POWER))
                            .wrapping_add(row[x + NEEDLE]);
                    }
                }
            }
        }
        self.votes = votes;
    }
}

fn hash(pixels: &[u32]) -> u32 {
    pixels.iter().fold(0, |hash: u32, pixel| hash.wrapping_mul(BASE).wrapping_add(*pixel))
}

fn back(place: u16, shift: i32) -> usize {
    usize::try_from(i32::from(place) - shift).unwrap_or(0)
}

/// The largest matching rectangle around some of the places that voted.
fn best(frame: Frame<'_>, shown: &[u32], bounds: Rect, group: &[Vote], done: Rect) -> Option<Rect> {
    let mut best: Option<Rect> = None;
    for seed in group.iter().step_by(group.len().div_ceil(MAX_SEEDS)) {
        let needle = Rect::new(seed.x, seed.y, 1, 1);
        if done.contains(needle) || best.is_some_and(|best| best.contains(needle)) {
            continue;
        }
        let Some(grown) = grow(frame, shown, bounds, seed) else { continue };
        if best.is_none_or(|best| grown.area() > best.area()) {
            best = Some(grown);
        }
        if grown.area() * 2 > bounds.area() {
            break;
        }
    }
    best
}

/// The largest rectangle around the seed's needle whose pixels all come from the same displacement.
fn grow(frame: Frame<'_>, shown: &[u32], bounds: Rect, seed: &Vote) -> Option<Rect> {
    let Shift { dx, dy } = seed.shift;
    let (width, height) = (i32::from(frame.width()), i32::from(frame.height()));
    let left = i32::from(bounds.x).max(dx).max(0);
    let right = (bounds.right() as i32).min(width + dx).min(width);
    let top = i32::from(bounds.y).max(dy).max(0);
    let bottom = (bounds.bottom() as i32).min(height + dy).min(height);
    let middle = i32::from(seed.x) + NEEDLE as i32 / 2;
    let row = i32::from(seed.y);
    if middle < left || middle >= right || row < top || row >= bottom {
        return None;
    }
    let stride = usize::from(frame.width());
    // The run of equal pixels around the middle column, inside `from..to`; empty when the middle differs.
    let run = |y: i32, from: i32, to: i32| -> (i32, i32) {
        let new = frame.span(y as usize, from as usize, to as usize);
        let start = (y - dy) as usize * stride;
        let old = &shown[start + (from - dx) as usize..start + (to - dx) as usize];
        let at = (middle - from) as usize;
        let before = equal_back(&new[..at], &old[..at]) as i32;
        let after = equal_ahead(&new[at..], &old[at..]) as i32;
        (middle - before, middle + after)
    };
    let narrow = NEEDLE as i32 / 2;
    let first = run(row, left, right);
    if first.1 - first.0 < narrow || first.1 <= middle {
        return None;
    }
    // How the run narrows on the way up and down: (rows beyond the seed's, left, right), each the last row of its width.
    let walk = |rows: &mut dyn Iterator<Item = i32>| -> Vec<(i32, i32, i32)> {
        let mut steps = vec![(0, first.0, first.1)];
        for y in rows {
            let (count, from, to) = steps[steps.len() - 1];
            let next = run(y, from, to);
            if next.1 - next.0 < narrow || next.1 <= middle {
                break;
            }
            if next == (from, to) {
                let last = steps.len() - 1;
                steps[last].0 = count + 1;
            } else if steps.len() < MAX_STEPS {
                steps.push((count + 1, next.0, next.1));
            } else {
                break;
            }
        }
        steps
    };
    let up = walk(&mut (top..row).rev());
    let down = walk(&mut (row + 1..bottom));
    let pairs = up.iter().flat_map(|above| down.iter().map(move |below| (above, below)));
    let rects = pairs.map(|(above, below)| {
        let (from, to) = (above.1.max(below.1), above.2.min(below.2));
        (from, row - above.0, to, row + below.0 + 1)
    });
    let (from, top, to, bottom) =
        rects.max_by_key(|(from, top, to, bottom)| i64::from(to - from) * i64::from(bottom - top))?;
    Some(Rect::from_edges(from as usize, top as usize, to as usize, bottom as usize))
}

const STRIDE: usize = 32;

/// How many pixels are equal from the start on.
fn equal_ahead(a: &[u32], b: &[u32]) -> usize {
    let blocks =
        a.chunks_exact(STRIDE).zip(b.chunks_exact(STRIDE)).take_while(|(a, b)| a == b).count() * STRIDE;
    blocks + a[blocks..].iter().zip(&b[blocks..]).take_while(|(a, b)| a == b).count()
}

/// How many pixels are equal from the end back.
fn equal_back(a: &[u32], b: &[u32]) -> usize {
    let blocks =
        a.rchunks_exact(STRIDE).zip(b.rchunks_exact(STRIDE)).take_while(|(a, b)| a == b).count() * STRIDE;
    let (a, b) = (&a[..a.len() - blocks], &b[..b.len() - blocks]);
    blocks + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

/// Moves pixels as if through a buffer.
fn copy(pixels: &mut [u32], stride: usize, to: Rect, from: (usize, usize)) {
    crate::decoder::copy(pixels, stride, to, from);
}
