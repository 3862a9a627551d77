//! Rectangles of the picture.

/// A rectangle in pixels of the picture; it may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Left edge.
    pub x: u16,
    /// Top edge.
    pub y: u16,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

impl Rect {
    /// A rectangle from its left top corner and size.
    pub const fn new(x: u16, y: u16, width: u16, height: u16) -> Rect {
        Rect { x, y, width, height }
    }

    /// The column right of it.
    pub const fn right(self) -> usize {
        self.x as usize + self.width as usize
    }

    /// The row below it.
    pub const fn bottom(self) -> usize {
        self.y as usize + self.height as usize
    }

    /// Pixels in it.
    pub const fn area(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Whether it has no pixel.
    pub const fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// What both have in common; empty when they do not touch.
    #[must_use]
    pub fn intersection(self, other: Rect) -> Rect {
        Rect::from_edges(
            usize::from(self.x.max(other.x)),
            usize::from(self.y.max(other.y)),
            self.right().min(other.right()),
            self.bottom().min(other.bottom()),
        )
    }

    /// The smallest rectangle around both; an empty one adds nothing.
    #[must_use]
    pub fn union(self, other: Rect) -> Rect {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        Rect::from_edges(
            usize::from(self.x.min(other.x)),
            usize::from(self.y.min(other.y)),
            self.right().max(other.right()),
            self.bottom().max(other.bottom()),
        )
    }

    /// Whether every pixel of `other` lies in it.
    pub fn contains(self, other: Rect) -> bool {
        other.is_empty() || self.intersection(other) == other
    }

    /// What remains of it without `other`: up to four rectangles that do not overlap.
    pub fn without(self, other: Rect) -> impl Iterator<Item = Rect> {
        let cut = self.intersection(other);
        let (left, top) = (usize::from(self.x), usize::from(self.y));
        let (from, to) = (usize::from(cut.y), cut.bottom());
        let pieces = if cut.is_empty() {
            [self, Rect::default(), Rect::default(), Rect::default()]
        } else {
            [
                Rect::from_edges(left, top, self.right(), from),
                Rect::from_edges(left, from, usize::from(cut.x), to),
                Rect::from_edges(cut.right(), from, self.right(), to),
                Rect::from_edges(left, to, self.right(), self.bottom()),
            ]
        };
        pieces.into_iter().filter(|piece| !piece.is_empty())
    }

    /// The rectangle between these edges (right and bottom excluded), empty when they cross. Edges beyond 65535 are cut.
    pub(crate) fn from_edges(left: usize, top: usize, right: usize, bottom: usize) -> Rect {
        let cut = |edge: usize| u16::try_from(edge).unwrap_or(u16::MAX);
        if right <= left || bottom <= top {
            return Rect::default();
        }
        Rect::new(cut(left), cut(top), cut(right - left), cut(bottom - top))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_meet_and_join() {
        let (a, b) = (Rect::new(10, 10, 20, 20), Rect::new(25, 5, 50, 10));
        assert_eq!(a.intersection(b), Rect::new(25, 10, 5, 5));
        assert_eq!(a.union(b), Rect::new(10, 5, 65, 25));
        assert!(a.intersection(Rect::new(30, 10, 5, 5)).is_empty(), "edges that touch share no pixel");
        assert_eq!(a.union(Rect::default()), a);
        assert!(a.union(b).contains(b) && !a.contains(b));
        assert_eq!(Rect::new(65535, 0, 65535, 1).right(), 131_070);
    }
}
