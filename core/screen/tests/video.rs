//! What keeps animating becomes video, typing and scrolling do not, and a viewer fed by any sequence of paint, rest, loss and
//! failing codecs ends with exactly the display's picture.
#![allow(clippy::unwrap_used)]

mod desk;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use belay_screen::{Allowance, Decoder, Encoder, Frame, MAX_STREAMS, Rect, Video, VideoError, VideoStream};
use belay_wire::Moment;
use desk::Desk;

/// A codec that loses nothing, each of whose frames says only what is different from the one before: whoever misses one
/// frame, or takes them in another order, sees something else.
struct Differences {
    /// Frames after which it fails, counted over all streams.
    fails_after: Option<usize>,
}

struct Stream {
    before: Vec<u32>,
    fails_after: Option<usize>,
}

impl Video for Differences {
    fn open(&mut self, width: u16, height: u16) -> Result<Box<dyn VideoStream>, VideoError> {
        if self.fails_after == Some(0) {
            return Err(VideoError("no more streams".to_owned()));
        }
        let before = vec![0; usize::from(width) * usize::from(height)];
        Ok(Box::new(Stream { before, fails_after: self.fails_after }))
    }
}

fn pixels(picture: Frame<'_>) -> Vec<u32> {
    let (width, height) = (picture.width(), picture.height());
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| picture.pixel(x, y)).collect()
}

impl VideoStream for Stream {
    fn encode(&mut self, picture: Frame<'_>) -> Result<Vec<u8>, VideoError> {
        if let Some(left) = &mut self.fails_after {
            *left = left.checked_sub(1).ok_or_else(|| VideoError("out of order".to_owned()))?;
        }
        let now = pixels(picture);
        let changes: Vec<u8> =
            now.iter().zip(&self.before).flat_map(|(a, b)| (a ^ b).to_be_bytes()).collect();
        self.before = now;
        Ok(zstd::bulk::compress(&changes, 1).unwrap())
    }
}

/// A viewer with the codec's other half.
#[derive(Default)]
struct Viewer {
    decoder: Decoder,
    videos: [Vec<u32>; MAX_STREAMS],
    /// Bytes since the last look.
    bytes: usize,
}

struct Stage {
    desk: Desk,
    encoder: Encoder,
    viewer: Viewer,
    now: Moment,
    allowance: Option<Allowance>,
}

impl Stage {
    fn new(desk: Desk, fails_after: Option<usize>) -> Stage {
        let encoder = Encoder::with_video(Box::new(Differences { fails_after })).unwrap();
        let mut stage =
            Stage { desk, encoder, viewer: Viewer::default(), now: Moment(1_000_000), allowance: None };
        stage.show();
        stage
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = self.now + Duration::from_millis(milliseconds);
    }

    fn show(&mut self) {
        let damage = std::mem::take(&mut self.desk.damage);
        let updates =
            self.encoder.encode_within(self.desk.frame(), &damage, self.allowance, self.now).unwrap();
        let Viewer { decoder, videos, bytes } = &mut self.viewer;
        for update in updates {
            *bytes += update.operations_zstd.len();
            decoder.apply(&update).unwrap();
            for frame in decoder.take_frames() {
                let changes = zstd::bulk::decompress(&frame.bytes, 1 << 26).unwrap();
                let words = changes.chunks_exact(4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]));
                let video = &mut videos[usize::from(frame.stream)];
                if frame.key {
                    *video = vec![0; frame.area.area()];
                }
                video.iter_mut().zip(words).for_each(|(pixel, change)| *pixel ^= change);
            }
        }
    }

    /// What the viewer sees.
    fn seen(&self) -> Vec<u32> {
        let (width, _, picture) = self.viewer.decoder.picture();
        let mut seen = picture.to_vec();
        for (stream, area) in self.viewer.decoder.covered() {
            let rows = self.viewer.videos[usize::from(stream)].chunks_exact(usize::from(area.width));
            for (y, row) in rows.enumerate() {
                let from = (usize::from(area.y) + y) * usize::from(width) + usize::from(area.x);
                seen[from..from + row.len()].copy_from_slice(row);
            }
        }
        seen
    }

    fn assert_same(&self, what: &str) {
        let differing = self.seen().iter().zip(&self.desk.pixels).position(|(a, b)| a != b);
        let at = differing.map(|at| (at % self.desk.width, at / self.desk.width));
        assert_eq!(at, None, "first differing pixel {what}");
    }

    fn covered(&self) -> Vec<Rect> {
        self.viewer.decoder.covered().map(|(_, area)| area).collect()
    }

    /// Lets time pass as the feed does, until nothing is video any more.
    fn rest(&mut self) {
        let mut waits = 0;
        while let Some(wake) = self.encoder.wake() {
            self.now = self.now.max(wake);
            self.show();
            waits += 1;
            assert!(waits < 10, "it never comes to rest");
        }
    }

    fn play(&mut self, area: Rect, frames: u64, milliseconds: u64) {
        for frame in 0..frames {
            self.desk.photo(area, self.now.0 + frame);
            self.show();
            self.assert_same("while it plays");
            self.pass(milliseconds);
        }
    }
}

const FILM: Rect = Rect::new(200, 120, 320, 240);

#[test]
fn a_film_becomes_video_and_exact_again_a_quarter_of_a_second_after_its_end() {
    let mut stage = Stage::new(Desk::new(900, 600, 1), None);
    stage.play(FILM, 2, 33);
    assert_eq!(stage.covered(), [], "two pictures are no film");
    stage.play(FILM, 1, 33);
    assert_eq!(stage.covered(), [FILM], "three large ones are");
    stage.play(FILM, 20, 33);
    assert_eq!(stage.covered(), [FILM]);
    let last = Moment(stage.now.0 - 33_000);
    assert_eq!(stage.encoder.wake(), Some(last + Duration::from_millis(250)));
    stage.show();
    assert_eq!(stage.covered(), [FILM], "not yet at rest");
    stage.rest();
    assert!(stage.now.since(last) <= Duration::from_millis(250));
    assert_eq!((stage.covered(), stage.encoder.animates()), (vec![], false));
    stage.assert_same("at rest");
    assert_eq!(stage.viewer.decoder.picture().2, &stage.desk.pixels[..], "the picture itself");
}

#[test]
fn seven_changes_make_a_slow_film() {
    const SMALL: Rect = Rect::new(200, 120, 192, 128);
    for (milliseconds, changes) in [(120, 7), (33, 4)] {
        let mut stage = Stage::new(Desk::new(900, 600, 1), None);
        stage.play(SMALL, changes - 1, milliseconds);
        assert_eq!(stage.covered(), []);
        stage.play(SMALL, 1, milliseconds);
        assert_eq!(stage.covered(), [SMALL]);
    }
    let mut slower = Stage::new(Desk::new(900, 600, 1), None);
    slower.play(FILM, 30, 300);
    assert_eq!(slower.covered(), [], "three pictures a second are no film");
    let mut thin = Stage::new(Desk::new(900, 600, 1), None);
    for _ in 0..7 {
        thin.encoder.withheld(Duration::from_millis(200));
        thin.play(FILM, 1, 300);
    }
    assert_eq!(thin.covered(), [FILM], "unless the viewer was slow");
}

#[test]
fn two_films_a_film_that_grows_and_one_of_which_a_corner_is_left() {
    let mut stage = Stage::new(Desk::new(1200, 800, 1), None);
    let other = Rect::new(800, 500, 200, 150);
    for _ in 0..12 {
        stage.desk.photo(FILM, stage.now.0);
        stage.desk.photo(other, stage.now.0 + 5);
        stage.show();
        stage.pass(33);
    }
    assert_eq!(stage.covered(), [FILM, other]);
    stage.assert_same("two films");
    let larger = Rect::new(200, 120, 480, 300);
    stage.play(larger, 12, 33);
    assert_eq!(stage.covered().len(), 1, "the other film has come to rest");
    assert!(stage.covered()[0].contains(larger), "{:?}", stage.covered());
    let corner = Rect::new(200, 120, 100, 100);
    stage.play(corner, 60, 33);
    assert!(stage.covered().iter().all(|area| area.area() < larger.area() / 2), "{:?}", stage.covered());
    stage.rest();
    stage.assert_same("at rest");
}

/// A thin way: two kilobytes at once, 200 kbit/s.
const THIN: Allowance = Allowance { bytes: 2000, rate: 25_000.0 };

#[test]
fn when_a_film_ends_on_a_thin_way_its_last_picture_stays_coarsely_and_becomes_exact() {
    let mut stage = Stage::new(Desk::new(900, 600, 1), None);
    stage.desk.fill(FILM, 0x0000_ff00);
    stage.show();
    stage.allowance = Some(THIN);
    stage.pass(1000);
    for frame in 0..12 {
        stage.desk.noise(FILM, frame);
        stage.show();
        stage.pass(33);
    }
    assert_eq!(stage.covered(), [FILM]);
    stage.desk.fill(FILM, 0x00ff_0000);
    stage.desk.noise(Rect { height: 120, ..FILM }, 5);
    stage.show();
    stage.now = stage.encoder.wake().unwrap();
    stage.show();
    assert_eq!(stage.covered(), []);
    assert!(stage.encoder.owes(), "noise is too much for one update");
    let row = (usize::from(FILM.y) + 100) * stage.desk.width + usize::from(FILM.x);
    let old = stage.seen()[row..row + usize::from(FILM.width)]
        .iter()
        .filter(|pixel| **pixel == 0x0000_ff00)
        .count();
    assert_eq!(old, 0, "nothing of what was there before the film");
    let mut steps = 0;
    while stage.encoder.owes() {
        stage.pass(80);
        stage.show();
        steps += 1;
        assert!(steps < 500, "it never becomes exact");
    }
    stage.assert_same("in the end");
}

#[test]
fn any_sequence_with_films_and_allowances_ends_identical() {
    let mut films = 0;
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let fails_after = (random.u8(0..4) == 0).then(|| random.usize(0..30));
        let mut stage =
            Stage::new(Desk::new(random.usize(100..600), random.usize(100..400), seed), fails_after);
        for step in 0..120 {
            let bytes = random.usize(1..5000);
            let rate = [1.0, 25_000.0, 90_000.0, f64::INFINITY][random.usize(0..4)];
            stage.allowance = (random.u8(0..8) > 0).then_some(Allowance { bytes, rate });
            let film = Rect::new(20, 20, 70, 70).intersection(stage.desk.frame().bounds());
            if step % 40 < 25 {
                stage.desk.noise(film, step);
            } else {
                stage.desk.something(&mut random);
            }
            if random.u8(..) < 5 {
                stage.encoder.resync();
            }
            stage.show();
            films += stage.covered().len();
            stage.pass(random.u64(1..60));
        }
        let mut steps = 0;
        while stage.encoder.owes() || stage.encoder.wake().is_some() {
            stage.pass(20);
            stage.show();
            steps += 1;
            assert!(steps < 5000, "seed {seed} never comes to rest");
        }
        stage.show();
        assert_eq!(stage.covered(), []);
        stage.assert_same("in the end");
    }
    assert!(films > 200, "{films}");
}

/// Notes the sizes of its streams.
#[derive(Clone, Default)]
struct Sizes(Arc<Mutex<Vec<(u16, u16)>>>);

impl Video for Sizes {
    fn open(&mut self, width: u16, height: u16) -> Result<Box<dyn VideoStream>, VideoError> {
        self.0.lock().unwrap().push((width, height));
        Ok(Box::new(self.clone()))
    }
}

impl VideoStream for Sizes {
    fn encode(&mut self, picture: Frame<'_>) -> Result<Vec<u8>, VideoError> {
        assert_eq!(self.0.lock().unwrap().last(), Some(&(picture.width(), picture.height())));
        Ok(vec![1])
    }
}

#[test]
fn a_film_that_fills_the_screen_is_coded_smaller_and_exact_in_the_end() {
    for (screen, coded) in [((1921, 1080), (961, 540)), ((3840, 2160), (1280, 720))] {
        fills_the_screen(screen, coded);
    }
}

fn fills_the_screen((width, height): (u16, u16), coded: (u16, u16)) {
    let sizes = Sizes::default();
    let mut desk = Desk::new(width.into(), height.into(), 1);
    let mut encoder = Encoder::with_video(Box::new(sizes.clone())).unwrap();
    let mut viewer = Decoder::new();
    let mut now = Moment(1_000_000);
    let mut show = |desk: &mut Desk, encoder: &mut Encoder, now: Moment| {
        let damage = std::mem::take(&mut desk.damage);
        for update in encoder.encode(desk.frame(), &damage, now).unwrap() {
            viewer.apply(&update).unwrap();
        }
        (viewer.covered().count(), viewer.picture().2 == desk.pixels)
    };
    for frame in 0..8 {
        desk.photo(Rect::new(0, 0, width, height), frame);
        show(&mut desk, &mut encoder, now);
        now = now + Duration::from_millis(40);
    }
    assert_eq!(*sizes.0.lock().unwrap(), [coded]);
    assert_eq!(show(&mut desk, &mut encoder, now), (1, false));
    let wake = encoder.wake().unwrap();
    assert_eq!(show(&mut desk, &mut encoder, wake), (0, true));
}

#[test]
fn the_picture_beside_and_under_a_film_stays_exact() {
    let mut stage = Stage::new(Desk::new(900, 600, 1), None);
    stage.play(FILM, 12, 33);
    assert_eq!(stage.covered(), [FILM]);
    for round in 0..20 {
        stage.desk.photo(FILM, round);
        stage.desk.fill(Rect::new(100, 60, 500, 20), round as u32 * 999);
        stage.desk.damage.push(Rect::new(0, 0, 900, 600));
        stage.show();
        stage.assert_same("beside it");
        stage.pass(33);
    }
    let before = stage.viewer.bytes;
    stage.desk.damage.push(Rect::new(0, 0, 900, 600));
    stage.show();
    assert_eq!(stage.viewer.bytes, before, "painted anew and the same: nothing to send");
}

#[test]
fn typing_scrolling_dragging_and_small_things_are_no_films() {
    let mut stage = Stage::new(Desk::new(1280, 900, 3), None);
    let page = Rect::new(40, 40, 900, 800);
    stage.desk.write(page, 1);
    for round in 0..120u16 {
        // Letters with a caret, fifteen a second, over several lines.
        let (x, y) = (48 + 9 * (round % 90), 60 + 18 * (round / 90));
        stage.desk.noise(Rect::new(x, y, 9, 18), u64::from(round));
        stage.desk.fill(Rect::new(x + 9, y, 2, 18), 0);
        stage.show();
        assert_eq!(stage.covered(), [], "typing {round}");
        stage.pass(66);
    }
    for round in 0..90 {
        stage.desk.shift(page, 0, if round % 9 == 0 { 36 } else { -18 }, round);
        stage.show();
        assert_eq!(stage.covered(), [], "scrolling {round}");
        stage.pass(33);
    }
    let (window, background) = (Desk::new(400, 300, 9), stage.desk.pixels.clone());
    for round in 0..90 {
        // A large button that lights up with each key, and says which; at the corner of four cells.
        stage.desk.fill(Rect::new(640, 300, 440, 330), round as u32 * 54_321);
        stage.desk.noise(Rect::new(650, 310, 90, 24), round);
        stage.show();
        assert_eq!(stage.covered(), [], "lighting up {round}");
        stage.pass(40);
    }
    for round in 0..90usize {
        let at = (100 + round * 5, 100 + round * 3);
        stage.desk.paste(&window, at.0, at.1);
        stage.show();
        assert_eq!(stage.covered(), [], "dragging {round}");
        stage.desk.restore(&background, Rect::new(at.0 as u16, at.1 as u16, 400, 300));
        stage.pass(16);
    }
    for round in 0..90 {
        stage.desk.noise(Rect::new(700, 500, 24, 24), round);
        stage.desk.fill(Rect::new(300, 500, 200, 100), round as u32 * 12_345);
        stage.show();
        assert_eq!(stage.covered(), [], "a spinner and a blinking box {round}");
        stage.pass(16);
    }
    stage.assert_same("at the end");
}

#[test]
fn any_sequence_with_films_ends_identical() {
    let mut films = 0;
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let fails_after = (random.u8(0..4) == 0).then(|| random.usize(0..30));
        let mut stage =
            Stage::new(Desk::new(random.usize(100..700), random.usize(100..500), seed), fails_after);
        let mut film = Rect::default();
        for step in 0..160 {
            if step % 40 == 0 {
                let (width, height) = (stage.desk.width as u16, stage.desk.height as u16);
                let (x, y) = (random.u16(..width - 50), random.u16(..height - 50));
                film = Rect::new(x, y, random.u16(50..=width - x), random.u16(50..=height - y));
            }
            if random.u8(0..10) > 0 && step % 40 < 35 {
                let inside = film.intersection(stage.desk.frame().bounds());
                if random.bool() {
                    stage.desk.noise(inside, random.u64(..));
                } else {
                    stage.desk.photo(inside, random.u64(1..9999));
                }
            }
            if random.u8(0..12) == 0 {
                stage.desk.something(&mut random);
            }
            if random.u8(..) < 4 {
                stage.encoder.resync();
                stage.viewer = Viewer::default();
            }
            if random.u8(0..12) == 0 {
                stage.encoder.withheld(Duration::from_millis(random.u64(0..400)));
            }
            stage.show();
            stage.assert_same(&format!("seed {seed}, step {step}"));
            films += stage.covered().len();
            stage.pass([5, 16, 33, 33, 33, 60, 120][random.usize(0..7)]);
        }
        stage.rest();
        stage.assert_same("at rest");
        assert_eq!(
            stage.viewer.decoder.picture().2,
            &stage.desk.pixels[..],
            "the picture itself, seed {seed}"
        );
        assert_eq!(
            stage.encoder.video_failure().is_some(),
            fails_after.is_some() && !stage.encoder.has_video()
        );
    }
    assert!(films > 500, "{films}");
}
