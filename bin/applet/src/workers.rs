//! Capture, input and panic key: the threads that touch the desktop.

mod hands;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use belay_desktop::{Feed, PanicKey, ReadyFeed, Screen};
use belay_media::Av1;
use belay_net::applet::Departures;
use belay_permission::Admitted;
use belay_screen::Video;
use belay_wire::input::Input;
use belay_wire::message::{VideoFormat, View};
use belay_wire::{Message, Right};
use tokio::sync::mpsc;

use crate::deeds::{Happening, Opening, Person, ScreenDeed};
use crate::run::FromWindow;
use hands::Hands;

/// Milliseconds that a thread which said its last word is given to end.
const LAST_STEPS: u32 = 50;

/// The threads that touch the desktop.
pub struct Workers {
    screen: Option<Arc<Screen>>,
    shown: Option<Shown>,
    /// What is about to be shown, if the end user allows it.
    ready: Option<Ready>,
    hands: Hands,
    /// Set by the panic key itself, before anybody decides anything: from then on nothing moves and no picture leaves.
    halted: Arc<AtomicBool>,
    panic_key: Option<PanicKey>,
    happen: mpsc::Sender<Happening>,
    departures: Departures,
    /// What a small message takes to the console and back.
    round_trip: Option<Duration>,
}

/// A feed that is being made ready, on a thread of its own: it takes some milliseconds, for which nobody waits but an end user who is quicker.
struct Ready {
    /// None: it is not wanted any more, but its thread still works on it.
    view: Option<View>,
    made: JoinHandle<Result<ReadyFeed, String>>,
}

/// A feed, and the flag that tells its end by our will from its end by failure.
struct Shown {
    opening: Opening,
    feed: Feed,
    closed: Arc<AtomicBool>,
}

impl Workers {
    /// Opens the desktop and takes the panic key; nothing is looked at or touched yet.
    pub fn start(
        happen: mpsc::Sender<Happening>,
        say: mpsc::Sender<FromWindow>,
        departures: Departures,
    ) -> Workers {
        let screen = told("the desktop cannot be shown", Screen::open(None).map(Arc::new));
        let halted = Arc::new(AtomicBool::new(false));
        let halt = halted.clone();
        let pressed = move || {
            halt.store(true, Ordering::SeqCst);
            if say.try_send(FromWindow::Person(Person::Panicked)).is_err() {
                tracing::error!("the panic key stopped everything, but the session does not know");
            }
        };
        let panic_key =
            screen.as_ref().and_then(|screen| told("no panic key", PanicKey::take(screen, pressed)));
        let hands = Hands::start(happen.clone(), halted.clone());
        Workers {
            screen,
            shown: None,
            ready: None,
            hands,
            halted,
            panic_key,
            happen,
            departures,
            round_trip: None,
        }
    }

    /// Whether the Pause key stops everything.
    pub fn has_panic_key(&self) -> bool {
        self.panic_key.is_some()
    }

    /// Notes how long the way to the console is, for the next opening of the screen.
    pub fn note_round_trip(&mut self, round_trip: Option<Duration>) {
        self.round_trip = round_trip;
    }

    /// Shows the screen, or no longer.
    pub fn screen(&mut self, deed: ScreenDeed) {
        match deed {
            ScreenDeed::Ready(None) => self.forget_ready(),
            ScreenDeed::Ready(Some(view)) => self.make_ready(view),
            ScreenDeed::Open(admitted, opening, view) => {
                self.close();
                match self.open(admitted, opening, view) {
                    Ok(shown) => self.shown = Some(shown),
                    Err(why) => self.failed(why),
                }
            }
            // The admission is used up by the picture that follows.
            ScreenDeed::Resync(_admitted) => {
                if let Some(shown) = &self.shown {
                    shown.feed.resync();
                }
            }
            ScreenDeed::Seen(number) => {
                if let Some(shown) = &self.shown {
                    shown.feed.seen(number);
                }
            }
            ScreenDeed::Watch(on) => {
                if let Some(shown) = &self.shown {
                    shown.feed.watch(on);
                }
            }
            ScreenDeed::Close => self.close(),
        }
    }

    /// Why the capture of this opening ended, if it failed.
    pub async fn why_ended(&self, opening: Opening) -> Option<String> {
        let shown = self.shown.as_ref().filter(|shown| shown.opening == opening)?;
        // Its last word is said just before the thread is gone.
        for _ in 0..LAST_STEPS {
            if let Some(ended) = shown.feed.ended() {
                return ended.map(|error| error.to_string());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        None
    }

    /// Moves mouse or keyboard, soon.
    pub fn inject(&mut self, admitted: Admitted, input: Input) {
        self.hands.inject(admitted, input);
    }

    /// Drops what still waits, and lets go of every key and button.
    pub fn let_go(&mut self) {
        self.hands.let_go();
    }

    /// Stops everything for good.
    pub fn stop(&mut self) {
        self.close();
        self.ready = None;
        self.hands.stop();
        self.panic_key = None;
    }

    /// One at a time, however often a console asks; what it asks for meanwhile is made when it is to be shown. What fails here fails again
    /// then, and is told.
    fn make_ready(&mut self, view: View) {
        if self.ready.as_ref().is_some_and(|ready| ready.view == Some(view) || !ready.made.is_finished()) {
            return;
        }
        let screen = self.screen.clone();
        let made = std::thread::Builder::new()
            .name("ready".into())
            .spawn(move || ready_feed(screen.as_deref(), view));
        self.ready = told("the capture is not made ready", made).map(|made| Ready { view: Some(view), made });
    }

    fn forget_ready(&mut self) {
        match &mut self.ready {
            Some(ready) if !ready.made.is_finished() => ready.view = None,
            _ => self.ready = None,
        }
    }

    fn take_ready(&mut self, view: View) -> Option<ReadyFeed> {
        let Some(ready) = self.ready.take_if(|ready| ready.view == Some(view)) else {
            self.forget_ready();
            return None;
        };
        let made = ready.made.join().unwrap_or_else(|_| Err("its thread has panicked".into()));
        told("the capture was not made ready", made)
    }

    fn open(&mut self, admitted: Admitted, opening: Opening, view: View) -> Result<Shown, String> {
        let ready = match self.take_ready(view) {
            Some(ready) => ready,
            None => ready_feed(self.screen.as_deref(), view)?,
        };
        let closed = Arc::new(AtomicBool::new(false));
        let end = EndOfFeed { opening, closed: closed.clone(), happen: self.happen.clone() };
        let halted = self.halted.clone();
        let send = move |message: Message| {
            !end.closed.load(Ordering::SeqCst)
                && !halted.load(Ordering::SeqCst)
                && end.happen.blocking_send(Happening::Picture(opening, message)).is_ok()
        };
        // What left of an earlier opening is none of this one's.
        self.departures.take();
        let departures = self.departures.clone();
        let left = move || departures.take();
        match Feed::start(ready, admitted, self.round_trip, send, left) {
            Ok(feed) => Ok(Shown { opening, feed, closed }),
            Err(error) => {
                // The end of a feed that never began is told by its error alone.
                closed.store(true, Ordering::SeqCst);
                Err(error.to_string())
            }
        }
    }

    fn close(&mut self) {
        if let Some(shown) = self.shown.take() {
            shown.closed.store(true, Ordering::SeqCst);
        }
    }

    fn failed(&self, why: String) {
        if self.happen.try_send(Happening::Failed(Right::DesktopView, why)).is_err() {
            tracing::error!("a failure of the capture could not be told");
        }
    }
}

/// Tells when a feed ends that nobody closed.
struct EndOfFeed {
    opening: Opening,
    closed: Arc<AtomicBool>,
    happen: mpsc::Sender<Happening>,
}

impl Drop for EndOfFeed {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::SeqCst)
            && self.happen.try_send(Happening::CaptureEnded(self.opening)).is_err()
        {
            tracing::debug!("nobody is left to be told that the capture ended");
        }
    }
}

fn ready_feed(screen: Option<&Screen>, view: View) -> Result<ReadyFeed, String> {
    let screen = screen.ok_or("this desktop cannot be captured")?;
    let video: Option<Box<dyn Video>> = match view.video {
        VideoFormat::None => None,
        VideoFormat::Av1 => Some(Box::new(Av1::new())),
    };
    ReadyFeed::new(screen, view.monitor, video).map_err(|error| error.to_string())
}

fn told<T>(what: &str, result: Result<T, impl std::fmt::Display>) -> Option<T> {
    result.map_err(|error| tracing::warn!(%error, "{what}")).ok()
}
