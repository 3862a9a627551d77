//! The picture in cells of 64 × 64 pixels, each with the box that really changed.

use crate::{Frame, Rect};

/// Side of a cell in pixels.
pub const SIDE: usize = 64;

/// The cells that changed.
#[derive(Default)]
pub struct Cells {
    /// Damage by cell, row by row; scratch of `collect`.
    damaged: Vec<Rect>,
    // INVARIANT: no box is empty, none crosses a cell's edge, no two overlap; one box at most for each cell where nothing is excepted.
    changed: Vec<Rect>,
}

impl Cells {
    /// Looks at the damaged places outside `except` and keeps, cell by cell, the box around what differs from `shown`.
    pub fn collect(&mut self, frame: Frame<'_>, shown: &[u32], damage: &[Rect], except: &[Rect]) {
        let (width, height) = (usize::from(frame.width()), usize::from(frame.height()));
        let columns = width.div_ceil(SIDE);
        self.damaged.clear();
        self.damaged.resize(columns * height.div_ceil(SIDE), Rect::default());
        self.changed.clear();
        for damaged in damage.iter().map(|rect| rect.intersection(frame.bounds())).filter(|r| !r.is_empty()) {
            for row in usize::from(damaged.y) / SIDE..=(damaged.bottom() - 1) / SIDE {
                for column in usize::from(damaged.x) / SIDE..=(damaged.right() - 1) / SIDE {
                    let (x, y) = (column * SIDE, row * SIDE);
                    let cell = Rect::from_edges(x, y, x + SIDE, y + SIDE);
                    let known = &mut self.damaged[row * columns + column];
                    *known = known.union(cell.intersection(damaged));
                }
            }
        }
        for damaged in self.damaged.iter().filter(|r| !r.is_empty()) {
            if except.iter().all(|rect| rect.intersection(*damaged).is_empty()) {
                self.changed.push(difference(frame, shown, *damaged));
            } else {
                let pieces = except.iter().fold(vec![*damaged], |pieces, rect| {
                    pieces.into_iter().flat_map(|piece| piece.without(*rect)).collect()
                });
                self.changed.extend(pieces.into_iter().map(|piece| difference(frame, shown, piece)));
            }
        }
        self.changed.retain(|rect| !rect.is_empty());
    }

    /// `area` travels another way: its boxes are no longer needed.
    pub fn drop_within(&mut self, area: Rect) {
        self.changed.retain(|rect| !area.contains(*rect));
    }

    /// The boxes that differ, from left to right and top to bottom.
    pub fn changed(&self) -> &[Rect] {
        &self.changed
    }

    /// Pixels in all boxes.
    pub fn area(&self) -> usize {
        self.changed.iter().map(|rect| rect.area()).sum()
    }

    /// The box around all boxes.
    pub fn bounds(&self) -> Rect {
        self.changed.iter().fold(Rect::default(), |all, rect| all.union(*rect))
    }

    /// Pixels of all boxes inside `area`.
    pub fn area_within(&self, area: Rect) -> usize {
        self.changed.iter().map(|rect| rect.intersection(area).area()).sum()
    }

    /// `shown` has become right inside `area`: looks again at the boxes that touch it.
    pub fn settle(&mut self, frame: Frame<'_>, shown: &[u32], area: Rect) {
        for changed in &mut self.changed {
            if area.contains(*changed) {
                *changed = Rect::default();
            } else if !area.intersection(*changed).is_empty() {
                *changed = difference(frame, shown, *changed);
            }
        }
        self.changed.retain(|rect| !rect.is_empty());
    }
}

/// The box around the pixels of `area` in which the two pictures differ.
fn difference(frame: Frame<'_>, shown: &[u32], area: Rect) -> Rect {
    let stride = usize::from(frame.width());
    let (left, right) = (usize::from(area.x), area.right());
    let pair = |y: usize| (frame.span(y, left, right), &shown[y * stride + left..y * stride + right]);
    let differs = |y: &usize| {
        let (new, old) = pair(*y);
        new != old
    };
    let mut rows = usize::from(area.y)..area.bottom();
    let Some(top) = rows.find(differs) else { return Rect::default() };
    let bottom = rows.rfind(differs).unwrap_or(top) + 1;
    let (mut from, mut to) = (right - left, 0);
    for y in top..bottom {
        let (new, old) = pair(y);
        from = new[..from].iter().zip(&old[..from]).position(|(a, b)| a != b).unwrap_or(from);
        let last = new[to..].iter().zip(&old[to..]).rposition(|(a, b)| a != b);
        to = last.map_or(to, |last| to + last + 1);
    }
    Rect::from_edges(left + from, top, left + to, bottom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_is_exactly_around_what_differs() {
        let mut random = fastrand::Rng::with_seed(1);
        let (width, height) = (150u16, 130u16);
        for _ in 0..500 {
            let old = vec![7u32; usize::from(width) * usize::from(height)];
            let mut new = old.clone();
            let spots: Vec<(u16, u16)> =
                (0..random.usize(0..4)).map(|_| (random.u16(0..64), random.u16(64..128))).collect();
            for (x, y) in &spots {
                new[usize::from(*y) * usize::from(width) + usize::from(*x)] = 8;
            }
            let frame = Frame::new(&new, usize::from(width), width, height).unwrap();
            let mut cells = Cells::default();
            cells.collect(frame, &old, &[Rect::new(0, 0, 100, 100), Rect::new(0, 90, 65535, 65535)], &[]);
            let expected =
                spots.iter().fold(Rect::default(), |all, (x, y)| all.union(Rect::new(*x, *y, 1, 1)));
            assert_eq!(cells.bounds(), expected);
            assert!(cells.changed().len() <= 1);
        }
    }
    #[test]
    fn what_is_excepted_is_not_looked_at() {
        let mut random = fastrand::Rng::with_seed(2);
        let (width, height) = (200u16, 150u16);
        let old = vec![0u32; usize::from(width) * usize::from(height)];
        let new = vec![1u32; old.len()];
        let frame = Frame::new(&new, usize::from(width), width, height).unwrap();
        for _ in 0..200 {
            let mut place =
                || Rect::new(random.u16(0..180), random.u16(0..140), random.u16(1..90), random.u16(1..90));
            let except = [place(), place()];
            let mut cells = Cells::default();
            cells.collect(frame, &old, &[frame.bounds()], &except);
            let mut covered = vec![0u8; old.len()];
            for area in cells.changed().iter().chain(&except) {
                for y in usize::from(area.y)..area.bottom().min(usize::from(height)) {
                    for x in usize::from(area.x)..area.right().min(usize::from(width)) {
                        covered[y * usize::from(width) + x] += 1;
                    }
                }
            }
            let both = except[0].intersection(except[1]).intersection(frame.bounds()).area();
            assert!(covered.iter().all(|count| *count >= 1));
            assert_eq!(covered.iter().filter(|count| **count > 1).count(), both, "only the two overlap");
        }
    }
}
