//! Golden vectors: what a viewer shows after the updates in `docs/protocol/vectors/screen.json`. The page checks the same file.
//! To make it anew: `BELAY_WRITE_VECTORS=1 cargo nextest run --release -p belay-screen --test vectors`.
#![allow(clippy::unwrap_used)]

mod desk;

use std::path::PathBuf;

use belay_screen::{Allowance, Decoder, Encoder, Rect};
use belay_wire::Moment;
use belay_wire::message::ScreenUpdate;
use desk::Desk;
use serde_json::{Value, json};

const SIZE: (u16, u16) = (70, 34);

/// A picture that is first coarse, then exact, then scrolled.
fn updates() -> Vec<ScreenUpdate> {
    let mut desk = Desk::new(usize::from(SIZE.0), usize::from(SIZE.1), 1);
    desk.photo(Rect::new(20, 10, 45, 20), 3);
    let (mut encoder, mut updates) = (Encoder::new().unwrap(), Vec::new());
    let mut step = |desk: &mut Desk, rate: f64| {
        let damage = std::mem::take(&mut desk.damage);
        let allowance = Some(Allowance { bytes: 100_000, rate });
        updates.extend(encoder.encode_within(desk.frame(), &damage, allowance, Moment(1_000_000)).unwrap());
    };
    step(&mut desk, 1.0);
    step(&mut desk, 1.0);
    step(&mut desk, 1e9);
    desk.shift(Rect::new(0, 0, 70, 34), 0, -8, 4);
    step(&mut desk, 1e9);
    updates
}

/// Every stretch, of random small pictures, in rectangles that do and do not end with a whole square.
fn stretches() -> Vec<ScreenUpdate> {
    let mut random = fastrand::Rng::with_seed(5);
    let stretch = |(index, shift): (u32, u8)| {
        let (x, y, width, height) = (3 + u16::from(shift), 2, 40 + u16::from(shift), 24 + u16::from(shift));
        let small = usize::from(width.div_ceil(1 << shift)) * usize::from(height.div_ceil(1 << shift));
        let mut raw = vec![7, shift];
        raw.extend([x, y, width, height].iter().flat_map(|value| value.to_be_bytes()));
        raw.extend((0..small * 3).map(|_| random.u8(..)));
        ScreenUpdate {
            number: index + 1,
            base: index,
            width: SIZE.0,
            height: SIZE.1,
            more: false,
            raw_len: u32::try_from(raw.len()).unwrap(),
            operations_zstd: zstd::bulk::compress(&raw, 1).unwrap(),
        }
    };
    (0..3).zip(1..=3).map(stretch).collect()
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors/screen.json")
}

fn pixels_after(viewer: &mut Decoder, update: &ScreenUpdate) -> String {
    viewer.apply(update).unwrap();
    let pixels = viewer.picture().2.iter();
    hex::encode(pixels.flat_map(|pixel| pixel.to_be_bytes()[1..].to_vec()).collect::<Vec<u8>>())
}

#[test]
fn the_golden_vectors_hold() {
    if std::env::var_os("BELAY_WRITE_VECTORS").is_some() {
        let mut viewer = Decoder::new();
        let vector = |update: ScreenUpdate| {
            json!({
                "number": update.number, "base": update.base, "raw_length": update.raw_len,
                "operations_zstd": hex::encode(&update.operations_zstd), "pixels": pixels_after(&mut viewer, &update),
            })
        };
        let made: Vec<Value> = updates().into_iter().chain(stretches()).map(vector).collect();
        std::fs::write(file(), serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    assert!(vectors.len() >= 7);
    let mut viewer = Decoder::new();
    for vector in &vectors {
        let number = |name: &str| u32::try_from(vector[name].as_u64().unwrap()).unwrap();
        let update = ScreenUpdate {
            number: number("number"),
            base: number("base"),
            width: SIZE.0,
            height: SIZE.1,
            more: false,
            raw_len: number("raw_length"),
            operations_zstd: hex::decode(vector["operations_zstd"].as_str().unwrap()).unwrap(),
        };
        assert_eq!(pixels_after(&mut viewer, &update), vector["pixels"].as_str().unwrap());
    }
}
