//! A made-up desktop for tests and benches: it paints, and says where it painted.
#![allow(dead_code, clippy::unwrap_used)] // shared by several programs, none of which uses all of it

use belay_screen::{Frame, Rect};

/// A picture with the damage since the last look.
#[derive(Clone)]
pub struct Desk {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u32>,
    pub damage: Vec<Rect>,
}

impl Desk {
    pub fn black(width: usize, height: usize) -> Desk {
        Desk { width, height, pixels: vec![0; width * height], damage: Vec::new() }
    }

    /// A gradient, a page of text, a photo-like corner.
    pub fn new(width: usize, height: usize, seed: u64) -> Desk {
        let mut desk = Desk::black(width, height);
        for y in 0..height {
            let shade = (20 + y * 30 / height) << 16 | (60 + y * 60 / height) << 8 | (110 + y * 80 / height);
            desk.pixels[y * width..][..width].fill(shade as u32);
        }
        desk.write(desk.part(0, 0, 5, 7), seed);
        desk.photo(desk.part(6, 4, 2, 3), seed);
        desk
    }

    /// A rectangle by eighths of the picture.
    fn part(&self, x: usize, y: usize, width: usize, height: usize) -> Rect {
        let (across, down) = (self.width / 8, self.height / 8);
        Rect::new((x * across) as u16, (y * down) as u16, (width * across) as u16, (height * down) as u16)
    }

    pub fn frame(&self) -> Frame<'_> {
        Frame::new(&self.pixels, self.width, self.width as u16, self.height as u16).unwrap()
    }

    fn paint(&mut self, area: Rect, mut colour: impl FnMut(usize, usize) -> u32) {
        let area = area.intersection(Rect::new(0, 0, self.width as u16, self.height as u16));
        for y in usize::from(area.y)..area.bottom() {
            for x in usize::from(area.x)..area.right() {
                self.pixels[y * self.width + x] = colour(x, y) & 0x00ff_ffff;
            }
        }
        self.damage.push(area);
    }

    pub fn fill(&mut self, area: Rect, colour: u32) {
        self.paint(area, |_, _| colour);
    }

    pub fn noise(&mut self, area: Rect, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        self.paint(area, |_, _| random.u32(..));
    }

    pub fn photo(&mut self, area: Rect, seed: u64) {
        let wave = |v: usize| ((v as f32 / 17.0 + seed as f32).sin() * 100.0 + 128.0) as u32;
        self.paint(area, |x, y| wave(x * 3 + y) << 16 | wave(y * 2) << 8 | wave(x + y));
    }

    /// Words in lines of 18 pixels, anti-aliased.
    pub fn write(&mut self, area: Rect, seed: u64) {
        self.fill(area, 0x00ff_ffff);
        for top in (usize::from(area.y)..area.bottom()).step_by(18) {
            self.line(
                Rect::new(area.x, top as u16, area.width, 18).intersection(area),
                seed * 1000 + top as u64,
            );
        }
    }

    /// One line of text.
    pub fn line(&mut self, area: Rect, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        self.fill(area, 0x00ff_ffff);
        let length = random.u16(3..10) * area.width / 10;
        for x in (0..length).step_by(9) {
            let letter = random.u64(0..26);
            if letter > 3 {
                let mut glyph = fastrand::Rng::with_seed(letter);
                let cell = Rect::new(area.x + x + 1, area.y + 4, 7, 11).intersection(area);
                self.paint(cell, |_, _| 0x0001_0101 * [255, 255, 0, 90, 180][glyph.usize(0..5)]);
                self.damage.pop();
            }
        }
    }

    /// Moves the contents of `area` inside it and writes something new where nothing came to.
    pub fn shift(&mut self, area: Rect, dx: i32, dy: i32, seed: u64) {
        let area = area.intersection(Rect::new(0, 0, self.width as u16, self.height as u16));
        let before = self.pixels.clone();
        let width = self.width;
        let damage = self.damage.len();
        self.write(area, seed);
        self.damage.truncate(damage);
        for y in usize::from(area.y)..area.bottom() {
            for x in usize::from(area.x)..area.right() {
                let (old_x, old_y) = (x as i32 - dx, y as i32 - dy);
                let inside = old_x >= i32::from(area.x)
                    && old_y >= i32::from(area.y)
                    && old_x < area.right() as i32
                    && old_y < area.bottom() as i32;
                if inside {
                    self.pixels[y * width + x] = before[old_y as usize * width + old_x as usize];
                }
            }
        }
        self.damage.push(area);
    }

    pub fn paste(&mut self, window: &Desk, left: usize, top: usize) {
        let area = Rect::new(left as u16, top as u16, window.width as u16, window.height as u16);
        self.paint(area, |x, y| window.pixels[(y - top) * window.width + x - left]);
    }

    pub fn restore(&mut self, background: &[u32], area: Rect) {
        let width = self.width;
        self.paint(area, |x, y| background[y * width + x]);
    }

    fn somewhere(&self, random: &mut fastrand::Rng) -> Rect {
        let (x, y) = (random.usize(..self.width), random.usize(..self.height));
        let (w, h) = (random.usize(1..=self.width - x), random.usize(1..=self.height - y));
        Rect::new(x as u16, y as u16, w as u16, h as u16)
    }

    /// One of everything that happens on a desktop.
    pub fn something(&mut self, random: &mut fastrand::Rng) {
        let area = self.somewhere(random);
        let seed = random.u64(1..1000);
        match random.u8(0..12) {
            0 => self.fill(area, random.u32(..)),
            1 => self.noise(area, seed),
            2 => self.photo(area, seed),
            3 | 4 => self.write(area, seed),
            5 => self.line(Rect { height: area.height.min(18), ..area }, seed),
            6 | 7 => self.shift(area, 0, random.i32(-60..60), seed),
            8 => self.shift(area, random.i32(-60..60), 0, seed),
            9 => self.shift(area, random.i32(-90..90), random.i32(-90..90), seed),
            10 => self.damage.push(area),
            _ => {
                if random.u8(0..6) == 0 {
                    *self = Desk::new(random.usize(1..700), random.usize(1..500), seed);
                } else {
                    let window = Desk::new(usize::from(area.width), usize::from(area.height), 1);
                    self.paste(&window, usize::from(area.x), usize::from(area.y));
                }
            }
        }
    }
}
