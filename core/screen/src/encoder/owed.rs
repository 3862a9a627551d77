//! What the viewer is still owed, cell by cell: places that it has coarsely or not yet, because the way carries no more.

use std::time::Duration;

use belay_wire::Moment;

use crate::{Frame, Rect};

use super::cells::SIDE;

/// What changed within this time goes ahead of what is nearer to the place that is looked at.
const LATELY: Duration = Duration::from_secs(1);
/// Changed pixels up to which a change is where somebody types: that place is looked at.
const CARET: usize = 64 * 64;

/// The cells.
#[derive(Debug, Default)]
pub struct Owed {
    width: u16,
    height: u16,
    columns: usize,
    cells: Vec<Cell>,
    /// The place that is looked at: where the pointer was moved to, or a little was painted, whichever came last.
    focus: (u16, u16),
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    owed: bool,
    /// A mark of what the viewer has coarsely, while that is what the display shows.
    sketched: Option<u64>,
    changed: Moment,
}

impl Owed {
    /// Nothing is owed of a picture of this size.
    pub fn reset(&mut self, width: u16, height: u16) {
        (self.width, self.height) = (width, height);
        self.columns = usize::from(width).div_ceil(SIDE);
        self.cells.clear();
        self.cells.resize(self.columns * usize::from(height).div_ceil(SIDE), Cell::default());
    }

    /// All of it is owed.
    pub fn all(&mut self) {
        self.cells.iter_mut().for_each(|cell| cell.owed = true);
    }

    /// Whether something is.
    pub fn any(&self) -> bool {
        self.cells.iter().any(|cell| cell.owed)
    }

    /// The pointer was moved there.
    pub fn look_at(&mut self, x: u16, y: u16) {
        self.focus = (x, y);
    }

    /// Takes the places out that are owed: what of them does not go now is to be [`Owed::put`] back.
    pub fn take(&mut self) -> Vec<Rect> {
        let mut places = Vec::new();
        for index in 0..self.cells.len() {
            if std::mem::take(&mut self.cells[index].owed) {
                places.push(self.place(index));
            }
        }
        places
    }

    /// This box of a cell did not go exactly.
    pub fn put(&mut self, area: Rect) {
        self.cell(area).owed = true;
    }

    /// This box of a cell went coarsely.
    pub fn sketch(&mut self, frame: Frame<'_>, area: Rect) {
        let mark = mark(frame, self.place(self.index(area)));
        self.cell(area).sketched = Some(mark);
    }

    /// Whether the viewer has, coarsely, what the display shows there.
    pub fn is_sketched(&self, area: Rect) -> bool {
        self.cells[self.index(area)].sketched.is_some()
    }

    /// Whether a cell was painted in at this moment.
    pub fn is_new(&self, area: Rect, now: Moment) -> bool {
        self.cells[self.index(area)].changed == now
    }

    /// Something was painted.
    pub fn painted(&mut self, frame: Frame<'_>, damage: &[Rect], now: Moment) {
        let damage = damage.iter().map(|rect| rect.intersection(frame.bounds())).filter(|r| !r.is_empty());
        for damaged in damage {
            if damaged.area() <= CARET {
                self.focus = (damaged.x + damaged.width / 2, damaged.y + damaged.height / 2);
            }
            for row in usize::from(damaged.y) / SIDE..=(damaged.bottom() - 1) / SIDE {
                for column in usize::from(damaged.x) / SIDE..=(damaged.right() - 1) / SIDE {
                    let index = row * self.columns + column;
                    let place = self.place(index);
                    let cell = &mut self.cells[index];
                    if cell.changed != now && cell.sketched.is_some_and(|known| known != mark(frame, place)) {
                        cell.sketched = None;
                    }
                    cell.changed = now;
                }
            }
        }
    }

    /// Puts first what changed lately, then what is near the place that is looked at.
    pub fn sort(&self, areas: &mut [Rect], now: Moment) {
        areas.sort_by_cached_key(|area| {
            let changed = self.cells[self.index(*area)].changed;
            let age = now.since(changed);
            let away = |edge: u16, side: u16, at: u16| {
                u64::from((u32::from(edge) + u32::from(side) / 2).abs_diff(u32::from(at)))
            };
            let across = away(area.x, area.width, self.focus.0);
            let down = away(area.y, area.height, self.focus.1);
            (if age < LATELY { age } else { LATELY }, across * across + down * down)
        });
    }

    fn index(&self, area: Rect) -> usize {
        usize::from(area.y) / SIDE * self.columns + usize::from(area.x) / SIDE
    }

    fn cell(&mut self, area: Rect) -> &mut Cell {
        let index = self.index(area);
        &mut self.cells[index]
    }

    fn place(&self, index: usize) -> Rect {
        let (x, y) = (index % self.columns * SIDE, index / self.columns * SIDE);
        Rect::from_edges(x, y, x + SIDE, y + SIDE).intersection(Rect::new(0, 0, self.width, self.height))
    }
}

/// A hash of the pixels; two pictures of a cell with the same one are taken for the same, which costs at most a coarse
/// rectangle that does not come before the exact one.
fn mark(frame: Frame<'_>, place: Rect) -> u64 {
    let rows = usize::from(place.y)..place.bottom();
    let pixels = rows.flat_map(|y| frame.span(y, usize::from(place.x), place.right()));
    pixels.fold(0, |mark: u64, pixel| {
        (mark.rotate_left(5) ^ u64::from(*pixel)).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}
