//! Link, seal and relay together, as console, gateway and applet use them, in a world that is against them, beside the
//! simplest model there is: who said how much, and who heard how much of it.
//!
//! Time is a number that the world turns. Datagrams are lost, doubled and reordered; connections die with or without a
//! word; the gateway is started again, or is hostile itself: it drops, holds back, repeats and damages frames and puts
//! those of other sessions, of other pairings or of the receiver itself among them. Consoles begin anew.

mod end;
mod gateway;
mod ledger;
mod world;

pub use world::{Count, World};

/// One end of a session: the console.
const CONSOLE: usize = 0;
/// The other one.
const APPLET: usize = 1;

/// Who speaks: one end of one pairing of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Speaker {
    session: usize,
    /// The pairing's number within the session.
    pairing: u32,
    end: usize,
}

impl Speaker {
    /// Whom this end listens to.
    fn other(self) -> Speaker {
        Speaker { end: 1 - self.end, ..self }
    }
}
