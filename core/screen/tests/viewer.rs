//! A viewer fed by the encoder ends pixel-identical to the source, whatever happens on the source's screen.
#![allow(clippy::unwrap_used)]

mod desk;

use belay_screen::{Allowance, DecodeError, Decoder, Encoder, Rect};
use belay_wire::Moment;
use belay_wire::message::{MAX_UPDATE, ScreenUpdate};
use desk::Desk;

/// Without video, time does not matter.
const NOW: Moment = Moment(1_000_000);

fn send(encoder: &mut Encoder, viewer: &mut Decoder, desk: &mut Desk) -> Vec<ScreenUpdate> {
    let damage = std::mem::take(&mut desk.damage);
    let updates = encoder.encode(desk.frame(), &damage, NOW).unwrap();
    for (index, update) in updates.iter().enumerate() {
        assert!(update.operations_zstd.len() <= MAX_UPDATE);
        assert_eq!(update.more, index + 1 < updates.len());
        viewer.apply(update).unwrap();
    }
    updates
}

fn assert_same(viewer: &Decoder, desk: &Desk) {
    let (width, height, pixels) = viewer.picture();
    assert_eq!((usize::from(width), usize::from(height)), (desk.width, desk.height));
    let differing = pixels.iter().zip(&desk.pixels).position(|(a, b)| a != b);
    assert_eq!(differing, None, "first differing pixel");
}

fn wire_bytes(updates: &[ScreenUpdate]) -> usize {
    updates.iter().map(|update| update.operations_zstd.len() + 18).sum()
}

#[test]
fn any_sequence_ends_identical() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut desk = Desk::new(random.usize(1..700), random.usize(1..500), seed);
        let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
        for _ in 0..40 {
            for _ in 0..random.usize(1..4) {
                desk.something(&mut random);
            }
            if random.u8(..) < 12 {
                encoder.resync();
                viewer = Decoder::new();
            }
            send(&mut encoder, &mut viewer, &mut desk);
            assert_same(&viewer, &desk);
        }
        assert!(
            encoder.encode(desk.frame(), &[Rect::new(0, 0, u16::MAX, u16::MAX)], NOW).unwrap().is_empty(),
            "still"
        );
    }
}

#[test]
fn a_scroll_and_a_dragged_window_travel_as_moves() {
    let mut desk = Desk::new(1280, 900, 3);
    let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
    desk.write(Rect::new(40, 40, 900, 800), 1);
    let first = wire_bytes(&send(&mut encoder, &mut viewer, &mut desk));
    for (dx, dy) in [(0, -18), (0, 36), (-23, 0), (0, -18)] {
        desk.shift(Rect::new(40, 40, 900, 800), dx, dy, 5);
        let scrolled = wire_bytes(&send(&mut encoder, &mut viewer, &mut desk));
        assert_same(&viewer, &desk);
        assert!(scrolled * 8 < first, "a scroll by {dx} {dy} took {scrolled} bytes, the picture {first}");
    }
    let window = Desk::new(400, 300, 9);
    let background = desk.pixels.clone();
    let mut at = (100, 100);
    desk.paste(&window, at.0, at.1);
    let opened = wire_bytes(&send(&mut encoder, &mut viewer, &mut desk));
    for (dx, dy) in [(7, 5), (-3, 11), (60, -40), (1, 0)] {
        desk.restore(&background, Rect::new(at.0 as u16, at.1 as u16, 400, 300));
        at = ((at.0 as i32 + dx) as usize, (at.1 as i32 + dy) as usize);
        desk.paste(&window, at.0, at.1);
        let dragged = wire_bytes(&send(&mut encoder, &mut viewer, &mut desk));
        assert_same(&viewer, &desk);
        assert!(dragged * 2 < opened, "a drag by {dx} {dy} took {dragged} bytes, opening took {opened}");
    }
}

#[test]
fn noise_is_split_into_pieces_that_fit() {
    let mut desk = Desk::new(1920, 1080, 1);
    desk.noise(Rect::new(0, 0, 1920, 1080), 4);
    let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
    let updates = send(&mut encoder, &mut viewer, &mut desk);
    assert!(updates.len() > 10);
    assert_eq!(updates[0].base, 0);
    assert!(updates.windows(2).all(|pair| pair[1].base == pair[0].number));
    assert_same(&viewer, &desk);
}

#[test]
fn a_black_picture_is_an_update_too() {
    let mut desk = Desk::black(70, 70);
    let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
    assert_eq!(send(&mut encoder, &mut viewer, &mut desk).len(), 1);
    assert_same(&viewer, &desk);
}

#[test]
fn a_viewer_that_missed_an_update_refuses_the_next_and_recovers() {
    let mut desk = Desk::new(300, 200, 2);
    let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
    send(&mut encoder, &mut viewer, &mut desk);
    desk.noise(Rect::new(0, 0, 50, 50), 1);
    let damage = std::mem::take(&mut desk.damage);
    let missed = encoder.encode(desk.frame(), &damage, NOW).unwrap();
    desk.noise(Rect::new(50, 0, 50, 50), 2);
    let damage = std::mem::take(&mut desk.damage);
    let next = encoder.encode(desk.frame(), &damage, NOW).unwrap();
    let wrong = DecodeError::WrongBase { held: 1, base: missed[0].number };
    assert_eq!(viewer.apply(&next[0]), Err(wrong));
    encoder.resync();
    send(&mut encoder, &mut viewer, &mut desk);
    assert_same(&viewer, &desk);
}

#[test]
fn mutated_updates_are_refused_without_a_panic() {
    let mut desk = Desk::new(200, 150, 7);
    let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
    let mut corpus = send(&mut encoder, &mut viewer, &mut desk);
    for round in 0..6 {
        desk.shift(Rect::new(10, 10, 180, 120), 0, -9, round);
        corpus.extend(send(&mut encoder, &mut viewer, &mut desk));
    }
    // Coarse rectangles, and the exact ones after them.
    for rate in [1.0, 1e9] {
        desk.photo(Rect::new(0, 0, 200, 150), 5);
        let damage = std::mem::take(&mut desk.damage);
        let allowance = Some(Allowance { bytes: 100_000, rate });
        let updates = encoder.encode_within(desk.frame(), &damage, allowance, NOW).unwrap();
        updates.iter().for_each(|update| viewer.apply(update).unwrap());
        corpus.extend(updates);
    }
    let mut random = fastrand::Rng::with_seed(99);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut update = corpus[random.usize(..corpus.len())].clone();
        let mut raw = zstd::bulk::decompress(&update.operations_zstd, 1 << 20).unwrap();
        match random.u8(0..8) {
            0 => update.width = random.u16(..) >> random.u8(0..16),
            1 => update.raw_len = random.u32(..) >> random.u8(0..32),
            2 => update.base = random.u32(0..4),
            3 => raw.truncate(random.usize(..raw.len())),
            _ => {
                for _ in 0..random.usize(1..8) {
                    let at = random.usize(..raw.len().min(400));
                    raw[at] = random.u8(..);
                }
            }
        }
        if random.bool() {
            update.operations_zstd = zstd::bulk::compress(&raw, 1).unwrap();
        } else if random.bool() {
            let at = random.usize(..update.operations_zstd.len());
            update.operations_zstd[at] ^= 1 << random.u8(0..8);
        }
        let mut victim = viewer.clone();
        if victim.apply(&update).is_err() {
            refused += 1;
            assert_eq!(victim.held(), 0);
        }
    }
    assert!(refused > 5_000, "{refused}");
}
