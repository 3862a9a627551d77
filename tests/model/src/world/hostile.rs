//! Somebody in between who keeps what passes and gives it out again where it does not belong.

use super::World;
use crate::Speaker;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Frames that are kept to be given out again.
const KEPT: usize = 128;

#[derive(Default)]
pub(super) struct Hostile {
    /// Whose frame it is, by its hash.
    speakers: HashMap<u64, Speaker>,
    kept: Vec<Vec<u8>>,
    seen: usize,
    /// Frames of the gateway that it holds back.
    held_back: Vec<(usize, usize, Vec<u8>)>,
    /// It has given up.
    pub(super) over: bool,
}

impl Hostile {
    pub(super) fn sees(&mut self, frame: &[u8], speaker: Speaker) {
        self.speakers.insert(hash(frame), speaker);
        if frame.first() == Some(&belay_wire::seal::SEALED) {
            self.seen += 1;
            if self.kept.len() < KEPT {
                self.kept.push(frame.to_vec());
            } else if self.seen.is_multiple_of(7) {
                self.kept[self.seen / 7 % KEPT] = frame.to_vec();
            }
        }
    }

    /// Whose frame this is, if it is one.
    pub(super) fn whose(&self, frame: &[u8]) -> Option<Speaker> {
        self.speakers.get(&hash(frame)).copied()
    }
}

fn hash(frame: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame.hash(&mut hasher);
    hasher.finish()
}

impl World {
    /// Gives an end a frame that it has no use for: one of another session, of another pairing, its own, one that it has
    /// had already, or a damaged one; by the gateway or on a direct path.
    pub(super) fn meddle(&mut self, session: usize, end: usize) {
        let kept = &self.hostile.kept;
        if kept.is_empty() || !self.ends[session][end].has_relay() {
            return;
        }
        let mut frame = kept[self.rng.usize(..kept.len())].clone();
        let at = self.rng.usize(..frame.len());
        match self.rng.u8(..4) {
            0 => frame[at] ^= 1 << self.rng.u8(..8),
            1 => frame.truncate(at),
            _ => {}
        }
        self.count.meddled += 1;
        let from = self.hostile.whose(&frame);
        let way = self.ways.values().find(|way| way.session == session).and_then(|way| way.ids[end]);
        match way.filter(|_| self.rng.bool()) {
            Some(path) => self.ends[session][end].received_direct(path, &frame, from, self.now),
            None => self.ends[session][end].received(&frame, from, self.now),
        }
        self.drain(session, end);
    }

    /// A frame leaves the gateway, which may drop, repeat, damage or hold back what is sealed.
    pub(super) fn through_a_hostile_gateway(&mut self, session: usize, end: usize, frame: Vec<u8>) {
        let sealed = frame.first() == Some(&belay_wire::seal::SEALED);
        let meddles = sealed && !self.hostile.over && self.ends[session][end].has_relay();
        let mut frames = vec![frame];
        if meddles {
            self.count.meddled += 1;
            match self.rng.u8(..) {
                0 | 1 => frames.clear(),
                2 | 3 => frames.push(frames[0].clone()),
                4 | 5 => {
                    let at = self.rng.usize(..frames[0].len());
                    frames[0][at] ^= 1 << self.rng.u8(..8);
                }
                6 | 7 => self.hostile.held_back.extend(frames.drain(..).map(|frame| (session, end, frame))),
                _ => self.count.meddled -= 1,
            }
            if self.rng.u8(..20) == 0
                && let Some(at) =
                    self.hostile.held_back.iter().position(|held| (held.0, held.1) == (session, end))
            {
                frames.push(self.hostile.held_back.swap_remove(at).2);
            }
        }
        for frame in frames {
            let from = self.hostile.whose(&frame);
            self.ends[session][end].received(&frame, from, self.now);
        }
    }
}
