//! From red, green and blue to luma and two chromas: BT.709, full range, nothing subsampled.

use belay_screen::Frame;

/// Fixed point: 16 bits behind the point.
const HALF: i32 = 1 << 15;
const CHROMA_ZERO: i32 = (128 << 16) + HALF;

/// Fills three planes, one after the other, each of the picture's size without gaps.
pub fn convert(picture: Frame<'_>, planes: &mut [u8]) {
    let (width, size) = (usize::from(picture.width()), planes.len() / 3);
    let (luma, chroma) = planes.split_at_mut(size);
    let (blue, red) = chroma.split_at_mut(size);
    let rows =
        luma.chunks_exact_mut(width).zip(blue.chunks_exact_mut(width)).zip(red.chunks_exact_mut(width));
    for (y, ((luma, blue), red)) in (0..picture.height()).zip(rows) {
        let pixels = picture.row(y);
        for (((pixel, luma), blue), red) in pixels.iter().zip(luma).zip(blue).zip(red) {
            let (r, g, b) = ((pixel >> 16 & 255) as i32, (pixel >> 8 & 255) as i32, (pixel & 255) as i32);
            // No value leaves 0 to 255: each row's weights add up to 65536 (luma) or to less than half of it on either side.
            *luma = ((13_933 * r + 46_871 * g + 4_732 * b + HALF) >> 16) as u8;
            *blue = ((-7_509 * r - 25_259 * g + 32_767 * b + CHROMA_ZERO) >> 16) as u8;
            *red = ((32_767 * r - 29_763 * g - 3_005 * b + CHROMA_ZERO) >> 16) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_stays_in_range_and_is_close_to_the_standard() {
        let steps: Vec<u32> = (0..=255).step_by(15).collect();
        for r in &steps {
            for g in &steps {
                for b in &steps {
                    let pixel = [r << 16 | g << 8 | b];
                    let mut planes = [0; 3];
                    convert(Frame::new(&pixel, 1, 1, 1).unwrap(), &mut planes);
                    let [r, g, b] = [f64::from(*r), f64::from(*g), f64::from(*b)];
                    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
                    let exact = [y, (b - y) / 1.8556 + 128.0, (r - y) / 1.5748 + 128.0];
                    for (value, exact) in planes.iter().zip(exact) {
                        assert!(
                            (f64::from(*value) - exact.min(255.0)).abs() <= 0.51,
                            "{r} {g} {b}: {planes:?} {exact}"
                        );
                    }
                }
            }
        }
    }
}
