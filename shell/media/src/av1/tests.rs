//! The encoder makes what a browser takes: a sequence header and a key frame first, small frames after it, good pictures.

use super::*;

const WIDTH: u16 = 640;
const HEIGHT: u16 = 360;

/// The bench's animation: three waves and a disc that walks.
fn plasma(frame: i32) -> Vec<u32> {
    let wave = |at: i32| (200.0 * (f64::from(at & 1023) * std::f64::consts::PI / 512.0).sin()) as i32;
    let (w, h) = (i32::from(WIDTH), i32::from(HEIGHT));
    let pixel = |x: i32, y: i32| {
        let (a, b, e) = (wave(x * 3 + frame * 7), wave(y * 5 - frame * 5), wave((x + y) * 2 + frame * 9));
        let (dx, dy) = (x - (w / 2 + wave(frame * 6)), y - (h / 2 + wave(frame * 6 + 256) / 2));
        let disc = if dx * dx + dy * dy < 3600 { 60 } else { 0 };
        let channel = |value: i32| value.clamp(0, 255) as u32;
        channel(128 + (a + e) / 4 + disc) << 16
            | channel(128 + (b + a) / 4) << 8
            | channel(128 + (e + b) / 4 - disc)
    };
    (0..h).flat_map(|y| (0..w).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
}

fn kind(unit: &[u8], at: usize) -> u8 {
    unit[at] >> 3 & 15
}

#[test]
fn a_film_is_small_and_good() {
    let mut stream = Stream { encoder: Encoder::open(WIDTH, HEIGHT).unwrap() };
    let (mut bytes, mut error) = (0, 0.0);
    const FRAMES: i32 = 60;
    for number in 0..FRAMES {
        let pixels = plasma(number);
        let unit = stream.encode(Frame::new(&pixels, usize::from(WIDTH), WIDTH, HEIGHT).unwrap()).unwrap();
        assert_eq!(kind(&unit, 0), 2, "a temporal delimiter first");
        assert_eq!(
            kind(&unit, 2) == 1,
            number == 0,
            "a sequence header before the key frame, and only there"
        );
        if number == 0 {
            println!("key frame: {} bytes", unit.len());
            assert!(unit.len() < 60_000, "{}", unit.len());
        } else {
            bytes += unit.len();
        }
        let planes = stream.encoder.planes().to_vec();
        let decoded = stream.encoder.decoded_luma();
        let squares = planes.iter().zip(&decoded).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
        error += squares.sum::<f64>() / decoded.len() as f64 / f64::from(FRAMES);
    }
    let (mean, psnr) = (bytes / (FRAMES as usize - 1), 10.0 * (255.0f64.powi(2) / error).log10());
    println!("{mean} bytes a frame, {psnr:.1} dB");
    assert!(mean < 2500, "{mean} bytes a frame");
    assert!(psnr > 34.0, "{psnr:.1} dB");
}

#[test]
fn odd_and_small_pictures_work_and_other_sizes_are_refused() {
    for (width, height) in [(48, 48), (51, 49), (1, 1), (1024, 1024)] {
        let mut stream = Av1::new().open(width, height).unwrap();
        let pixels = vec![0x0012_3456; usize::from(width) * usize::from(height)];
        for _ in 0..3 {
            let picture = Frame::new(&pixels, usize::from(width), width, height).unwrap();
            assert!(!stream.encode(picture).unwrap().is_empty());
        }
        let other = Frame::new(&pixels, 1, 1, 1).unwrap();
        assert_eq!(stream.encode(other).is_err(), (width, height) != (1, 1));
    }
    assert!(Av1::new().open(0, 10).is_err());
}
