//! How long the encoder takes for what happens on a full HD desktop, and how many bytes come out.
//! Run with `cargo bench -p belay-screen`; compare runs of one machine only.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
// A bench measures time; the rule is for the code it measures.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "../tests/desk/mod.rs"]
mod desk;

use std::time::{Duration, Instant};

use belay_screen::{Decoder, Encoder, Rect};
use belay_wire::Moment;
use desk::Desk;

const ROUNDS: usize = 60;

fn main() {
    println!("| damage | encode ms median / worst | decode ms median | bytes median |");
    println!("| --- | --- | --- | --- |");
    let page = Rect::new(60, 60, 1260, 972);
    measure("whole picture", true, |_, _| ());
    measure("letter 9x18", false, |desk, n| desk.line(Rect::new(60 + 9 * n as u16, 60, 9, 18), n as u64));
    measure("block 440x330", false, |desk, n| {
        desk.fill(Rect::new(1400, 60, 440, 330), n as u32 * 0x0012_3456)
    });
    measure("scroll 1260x972", false, move |desk, n| desk.shift(page, 0, -18, n as u64));
    let (window, background) = (Desk::new(640, 420, 9), Desk::new(1920, 1080, 1));
    let mut at = (620, 330);
    measure("window 640x420 moved", false, move |desk, n| {
        let (x, y) = at;
        at = (620 + n * 11, 330 + n * 5);
        desk.restore(&background.pixels, Rect::new(x as u16, y as u16, 640, 420));
        desk.paste(&window, at.0, at.1);
    });
    measure("photo 640x360", false, |desk, n| desk.photo(Rect::new(640, 360, 640, 360), n as u64));
}

fn measure(name: &str, whole: bool, mut paint: impl FnMut(&mut Desk, usize)) {
    let mut desk = Desk::new(1920, 1080, 1);
    desk.write(Rect::new(60, 60, 1260, 972), 1);
    let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
    let (mut encoding, mut decoding, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round > 0 {
            paint(&mut desk, round);
        }
        if whole {
            encoder.resync();
        }
        let damage = std::mem::take(&mut desk.damage);
        let start = Instant::now();
        let updates = encoder.encode(desk.frame(), &damage, Moment(0)).unwrap();
        let encoded = start.elapsed();
        updates.iter().for_each(|update| viewer.apply(update).unwrap());
        if round > 0 {
            encoding.push(encoded);
            decoding.push(start.elapsed() - encoded);
            bytes.push(updates.iter().map(|update| update.operations_zstd.len()).sum::<usize>());
        }
    }
    encoding.sort();
    decoding.sort();
    bytes.sort();
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let middle = ROUNDS / 2;
    println!(
        "| {name} | {:.2} / {:.2} | {:.2} | {} |",
        ms(encoding[middle]),
        ms(encoding[ROUNDS - 2]),
        ms(decoding[middle]),
        bytes[middle]
    );
}
