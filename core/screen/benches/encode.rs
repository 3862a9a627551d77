//! How long the encoder takes for what happens on a desktop of full HD and of twice its sides, and how many bytes come out.
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
    on(1);
    on(2);
}

/// On a desktop of so many times the sides of full HD; everything that is painted is as many times larger, but letters are not.
fn on(times: u16) {
    let rect = |x, y, width, height| Rect::new(x * times, y * times, width * times, height * times);
    let page = rect(60, 60, 1260, 972);
    let name = |what: &str, area: Rect| format!("{what} {}x{}", area.width, area.height);
    measure(times, &format!("whole picture {}x{}", 1920 * times, 1080 * times), true, |_, _| ());
    measure(times, "letter 9x18", false, |desk, n| {
        desk.line(Rect::new(60 + 9 * n as u16, 60, 9, 18), n as u64)
    });
    let block = rect(1400, 60, 440, 330);
    measure(times, &name("block", block), false, |desk, n| desk.fill(block, n as u32 * 0x0012_3456));
    measure(times, &name("scroll", page), false, move |desk, n| desk.shift(page, 0, -18, n as u64));
    measure(times, &name("smooth scroll (1 to 3 px)", page), false, move |desk, n| {
        desk.shift(page, 0, -(1 + n as i32 % 3), n as u64)
    });
    let (width, height) = (640 * times, 420 * times);
    let background = Desk::new(1920 * usize::from(times), 1080 * usize::from(times), 1);
    let window = Desk::new(usize::from(width), usize::from(height), 9);
    let mut at = (620, 330);
    measure(times, &name("window moved", Rect::new(0, 0, width, height)), false, move |desk, n| {
        let (x, y) = at;
        at = (620 + n * 11, 330 + n * 5);
        desk.restore(&background.pixels, Rect::new(x as u16, y as u16, width, height));
        desk.paste(&window, at.0, at.1);
    });
    let photo = rect(640, 360, 640, 360);
    measure(times, &name("photo", photo), false, |desk, n| desk.photo(photo, n as u64));
    let all = rect(0, 0, 1920, 1080);
    measure(times, "painted anew and the same", false, |desk, _| desk.damage.push(all));
}

fn measure(times: u16, name: &str, whole: bool, mut paint: impl FnMut(&mut Desk, usize)) {
    let times = usize::from(times);
    let mut desk = Desk::new(1920 * times, 1080 * times, 1);
    desk.write(Rect::new(60, 60, 1260 * times as u16, 972 * times as u16), 1);
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
