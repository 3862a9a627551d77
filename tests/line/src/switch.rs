//! The switch in the middle: each host hangs on it by one cable, and frames go where their address was last seen.

use crate::pipe::{Counts, Pipe};
use crate::shape::Shape;
use belay_wire::Moment;
use std::collections::HashMap;

/// An Ethernet frame, from the destination's address on.
pub type Frame = Vec<u8>;

type Address = [u8; 6];

/// Which way frames go through a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host into the network.
    Up,
    /// To the host.
    Down,
}

struct Cable {
    up: Pipe<Frame>,
    down: Pipe<Frame>,
}

/// Hosts and their cables. A host is known by its number, from 0.
pub struct Switch {
    cables: Vec<Cable>,
    seen: HashMap<Address, usize>,
}

impl Switch {
    /// A switch with `hosts` perfect cables. Each direction of each cable draws from a chance of its own, so that what
    /// one host does changes nothing for another.
    pub fn new(hosts: usize, seed: u64) -> Self {
        let cable = |host: u64| Cable {
            up: Pipe::new(mixed(seed, 2 * host)),
            down: Pipe::new(mixed(seed, 2 * host + 1)),
        };
        Self { cables: (0..hosts as u64).map(cable).collect(), seen: HashMap::new() }
    }

    /// Changes one direction of a host's cable. A host that is not there is left alone.
    pub fn reshape(&mut self, host: usize, direction: Direction, shape: Shape) {
        if let Some(cable) = self.cables.get_mut(host) {
            match direction {
                Direction::Up => cable.up.reshape(shape),
                Direction::Down => cable.down.reshape(shape),
            }
        }
    }

    /// A host sends a frame.
    pub fn handle(&mut self, host: usize, frame: Frame, now: Moment) {
        if let Some(cable) = self.cables.get_mut(host) {
            let size = frame.len();
            cable.up.offer(frame, size, now);
        }
    }

    /// The next frame that has arrived at a host by now.
    pub fn poll(&mut self, now: Moment) -> Option<(usize, Frame)> {
        for host in 0..self.cables.len() {
            while let Some(frame) = self.cables[host].up.poll(now) {
                self.pass(host, frame, now);
            }
        }
        self.cables.iter_mut().enumerate().find_map(|(host, cable)| Some((host, cable.down.poll(now)?)))
    }

    /// When there is something to do again.
    pub fn wake(&self) -> Option<Moment> {
        self.cables.iter().flat_map(|cable| [cable.up.wake(), cable.down.wake()]).flatten().min()
    }

    /// What became of a host's frames, up and down.
    pub fn counts(&self, host: usize) -> Option<(Counts, Counts)> {
        self.cables.get(host).map(|cable| (cable.up.counts(), cable.down.counts()))
    }

    /// From one cable's end into the others: to where the address was seen, or to all.
    fn pass(&mut self, from: usize, frame: Frame, now: Moment) {
        let Some((to, by)) = addresses(&frame) else { return };
        self.seen.insert(by, from);
        let size = frame.len();
        let known = if to[0] & 1 == 1 { None } else { self.seen.get(&to).copied() };
        match known {
            Some(host) if host == from => {}
            Some(host) => self.cables[host].down.offer(frame, size, now),
            None => {
                for (host, cable) in self.cables.iter_mut().enumerate() {
                    if host != from {
                        cable.down.offer(frame.clone(), size, now);
                    }
                }
            }
        }
    }
}

fn addresses(frame: &[u8]) -> Option<(Address, Address)> {
    Some((frame.get(0..6)?.try_into().ok()?, frame.get(6..12)?.try_into().ok()?))
}

/// Neighbouring seeds give pipes that have nothing to do with each other (SplitMix64).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut value = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ALL: u8 = 0xff;

    fn frame(to: u8, by: u8) -> Frame {
        let mut frame = vec![0; 60];
        frame[0..6].fill(to);
        frame[6..12].fill(by);
        frame
    }

    fn drain(switch: &mut Switch, now: Moment) -> Vec<usize> {
        std::iter::from_fn(|| switch.poll(now)).map(|(host, _)| host).collect()
    }

    #[test]
    fn a_frame_for_a_stranger_goes_to_all_and_for_a_known_host_to_it_alone() {
        let mut switch = Switch::new(3, 1);
        switch.handle(0, frame(2, 4), Moment(0));
        assert_eq!(drain(&mut switch, Moment(0)), [1, 2]);
        switch.handle(1, frame(4, 2), Moment(1));
        assert_eq!(drain(&mut switch, Moment(1)), [0]);
        switch.handle(2, frame(ALL, 6), Moment(2));
        assert_eq!(drain(&mut switch, Moment(2)), [0, 1]);
        assert_eq!(switch.wake(), None);
    }

    #[test]
    fn both_cables_on_the_way_count() {
        let mut switch = Switch::new(2, 1);
        let slow = |milliseconds| Shape { delay: Duration::from_millis(milliseconds), ..Shape::default() };
        switch.reshape(0, Direction::Up, slow(10));
        switch.reshape(1, Direction::Down, slow(20));
        switch.handle(0, frame(ALL, 2), Moment(0));
        assert_eq!(switch.wake(), Some(Moment(10_000)));
        assert_eq!(switch.poll(Moment(10_000)), None);
        assert_eq!(switch.wake(), Some(Moment(30_000)));
        assert_eq!(drain(&mut switch, Moment(30_000)), [1]);
        // The way back is perfect.
        switch.handle(1, frame(2, 4), Moment(40_000));
        assert_eq!(drain(&mut switch, Moment(40_000)), [0]);
    }

    #[test]
    fn a_host_that_is_cut_off_hears_and_says_nothing() {
        let mut switch = Switch::new(3, 1);
        for direction in [Direction::Up, Direction::Down] {
            switch.reshape(1, direction, Shape { cut: true, ..Shape::default() });
        }
        switch.handle(1, frame(ALL, 2), Moment(0));
        switch.handle(0, frame(ALL, 4), Moment(0));
        assert_eq!(drain(&mut switch, Moment(0)), [2]);
    }

    #[test]
    fn scraps_are_dropped() {
        let mut switch = Switch::new(2, 1);
        switch.handle(0, vec![1, 2, 3], Moment(0));
        switch.handle(9, frame(1, 2), Moment(0));
        assert_eq!(drain(&mut switch, Moment(0)), []);
    }
}
