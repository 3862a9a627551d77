//! Coarse rectangles: a small picture stretched. Both ends compute the same pixels from it, so that a coarse picture is held as exactly as
//! any other and everything builds on it.

use crate::{Frame, Rect};

/// Largest stretch: 2 to this power. The smallest is 1.
pub(crate) const MAX_SHIFT: u8 = 3;

/// Width or height of the small picture for a side of the rectangle.
pub(crate) const fn small_side(side: u16, shift: u8) -> u16 {
    side.div_ceil(1 << shift)
}

/// The means of each square of `area`, in eight steps for each colour: what is coarse in place may be coarse in colour.
pub(crate) fn reduce(frame: Frame<'_>, area: Rect, shift: u8) -> Vec<u32> {
    let side = 1usize << shift;
    let mut small = Vec::with_capacity(area.area() >> (2 * shift));
    for top in (usize::from(area.y)..area.bottom()).step_by(side) {
        for left in (usize::from(area.x)..area.right()).step_by(side) {
            let (bottom, right) = ((top + side).min(area.bottom()), (left + side).min(area.right()));
            let mut sums = [0u32; 3];
            for pixel in (top..bottom).flat_map(|y| frame.span(y, left, right)) {
                let [_, r, g, b] = pixel.to_be_bytes();
                for (sum, value) in sums.iter_mut().zip([r, g, b]) {
                    *sum += u32::from(value);
                }
            }
            let count = ((bottom - top) * (right - left)) as u32;
            // The nearest of 0, 255 / 7, … 255.
            let step = |sum: u32| ((sum * 14 + 255 * count) / (510 * count) * 255 + 3) / 7;
            small.push(step(sums[0]) << 16 | step(sums[1]) << 8 | step(sums[2]));
        }
    }
    small
}

/// Stretches a small picture over `area` of a picture with rows of `stride` pixels, bilinearly: the centre of each small pixel is the
/// centre of its square, and beyond the outermost centres their colour goes on.
pub(crate) fn enlarge(small: &[u32], area: Rect, shift: u8, pixels: &mut [u32], stride: usize) {
    let width = usize::from(small_side(area.width, shift));
    let height = usize::from(small_side(area.height, shift));
    let mut row = vec![[0u32; 3]; width];
    for y in 0..usize::from(area.height) {
        let (upper, lower, weight) = between(y, shift, height);
        let (upper, lower) = (&small[upper * width..][..width], &small[lower * width..][..width]);
        for ((blend, above), below) in row.iter_mut().zip(upper).zip(lower) {
            *blend = mix(channels(*above), channels(*below), weight, shift);
        }
        let start = (usize::from(area.y) + y) * stride + usize::from(area.x);
        for (x, pixel) in pixels[start..start + usize::from(area.width)].iter_mut().enumerate() {
            let (left, right, weight) = between(x, shift, width);
            let sums = mix(row[left], row[right], weight, shift);
            let [r, g, b] = sums.map(|sum| (sum + (2 << (2 * shift))) >> (2 + 2 * shift));
            *pixel = r << 16 | g << 8 | b;
        }
    }
}

/// The two small pixels around a place, and the weight of the second in parts of 2 × the stretch.
fn between(at: usize, shift: u8, count: usize) -> (usize, usize, u32) {
    let parts = 2i64 << shift;
    let middle = 2 * at as i64 + 1 - parts / 2;
    let (first, weight) = (middle.div_euclid(parts), middle.rem_euclid(parts));
    let inside = |index: i64| usize::try_from(index).unwrap_or(0).min(count - 1);
    (inside(first), inside(first + 1), weight as u32)
}

fn mix(a: [u32; 3], b: [u32; 3], weight: u32, shift: u8) -> [u32; 3] {
    let rest = (2 << shift) - weight;
    [0, 1, 2].map(|channel| a[channel] * rest + b[channel] * weight)
}

fn channels(pixel: u32) -> [u32; 3] {
    [pixel >> 16 & 255, pixel >> 8 & 255, pixel & 255]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_colour_stays_and_a_step_becomes_a_slope() {
        let pixels = [0x00ff_ff00u32; 70 * 9];
        let frame = Frame::new(&pixels, 70, 70, 9).unwrap();
        for shift in 1..=MAX_SHIFT {
            let small = reduce(frame, frame.bounds(), shift);
            assert_eq!(small.len(), 70usize.div_ceil(1 << shift) * 9usize.div_ceil(1 << shift));
            let mut out = [1; 70 * 9];
            enlarge(&small, frame.bounds(), shift, &mut out, 70);
            assert_eq!(out, pixels);
        }
        let mut out = [0; 4];
        enlarge(&[0, 0x0000_0064], Rect::new(0, 0, 4, 1), 1, &mut out, 4);
        assert_eq!(out, [0, 25, 75, 100]);
    }

    #[test]
    fn nothing_outside_is_written() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..300 {
            let (x, y) = (random.u16(0..40), random.u16(0..40));
            let area = Rect::new(x, y, random.u16(1..=50 - x), random.u16(1..=50 - y));
            let pixels: Vec<u32> = (0..2500).map(|_| random.u32(..) & 0x00ff_ffff).collect();
            let frame = Frame::new(&pixels, 50, 50, 50).unwrap();
            let shift = random.u8(1..=MAX_SHIFT);
            let mut out = vec![u32::MAX; 2500];
            enlarge(&reduce(frame, area, shift), area, shift, &mut out, 50);
            for (at, pixel) in out.iter().enumerate() {
                let inside = area.contains(Rect::new((at % 50) as u16, (at / 50) as u16, 1, 1));
                assert_eq!(*pixel != u32::MAX, inside);
            }
        }
    }
}
