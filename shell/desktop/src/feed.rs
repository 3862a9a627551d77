//! A thread that watches the desktop and hands out messages: capture, encoder and pacer put together.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use belay_permission::Admitted;
use belay_screen::{Encoder, Pace, Pacer, Purpose, Taken, Timings, Video};
use belay_wire::message::{ScreenTimings, ScreenUpdate};
use belay_wire::{Message, Moment};

use crate::{Capture, DesktopError, ReadyCapture, Screen, Waker};

/// How long a paint is given to become whole while something is shown as video.
const SETTLE: Duration = Duration::from_millis(2);

/// What a feed needs before it may show anything. Made while the end user reads the question, it saves a third of the time to the first
/// picture. Nothing of the screen is in it.
pub struct ReadyFeed {
    capture: ReadyCapture,
    encoder: Encoder,
}

impl ReadyFeed {
    /// Makes ready to show a monitor (255: the whole desktop). With a `video` codec, which the viewer has to know, what keeps animating
    /// will be shown as video. Fails when there is no such monitor, or no memory for its picture.
    pub fn new(
        screen: &Screen,
        monitor: u8,
        video: Option<Box<dyn Video>>,
    ) -> Result<ReadyFeed, DesktopError> {
        let capture = screen.ready(monitor)?;
        let mut encoder = video.map_or_else(Encoder::new, Encoder::with_video)?;
        let (width, height) = capture.size();
        encoder.reserve(width, height)?;
        Ok(ReadyFeed { capture, encoder })
    }
}

/// Shows one opening of the screen, until it is dropped.
pub struct Feed {
    orders: Arc<Orders>,
    waker: Waker,
    thread: JoinHandle<()>,
}

/// What other threads want of the feed.
#[derive(Default)]
struct Orders {
    stop: AtomicBool,
    resync: AtomicBool,
    watch: AtomicBool,
    seen: AtomicU32,
    failed: Mutex<Option<DesktopError>>,
}

impl Feed {
    /// Starts to show what was made ready. `send` is called on the feed's thread with monitors, pointer and updates,
    /// and returns whether to go on; it may block, but input then still flows, for that has its own connection. `left` is asked, on the
    /// same thread, for the updates that the network has taken since it was asked last, with the time; only [`Feed::watch`] needs it.
    ///
    /// `round_trip` is what a small message takes to the viewer and back, if that is known: it tells whether to begin with everything or
    /// carefully. Needs an admission of desktop view.
    pub fn start(
        ready: ReadyFeed,
        admitted: Admitted,
        round_trip: Option<Duration>,
        send: impl FnMut(Message) -> bool + Send + 'static,
        left: impl FnMut() -> Vec<(u32, Instant)> + Send + 'static,
    ) -> Result<Feed, DesktopError> {
        let ReadyFeed { capture, encoder } = ready;
        let capture = capture.begin(admitted)?;
        let waker = capture.waker();
        let orders = Arc::new(Orders::default());
        let mut run = Run {
            capture,
            encoder,
            pacer: Pacer::new(round_trip),
            start: Instant::now(),
            withheld_since: None,
            painted_since: None,
            taken: Taken::default(),
            timings: Timings::default(),
            orders: orders.clone(),
            send,
            left,
        };
        let thread = std::thread::Builder::new().name("desktop".to_owned()).spawn(move || {
            if let Err(error) = run.show() {
                tracing::warn!(%error, "the desktop is no longer shown");
                *run.orders.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
            }
        });
        let thread = thread.map_err(|source| DesktopError::System { what: "a thread", source })?;
        Ok(Feed { orders, waker, thread })
    }

    /// The viewer has drawn everything up to this update.
    pub fn seen(&self, number: u32) {
        self.orders.seen.fetch_max(number, Ordering::AcqRel);
        self.waker.wake();
    }

    /// The viewer wants everything anew.
    pub fn resync(&self) {
        self.orders.resync.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether to tell how long each stage takes, about once a second while pictures are made.
    pub fn watch(&self, on: bool) {
        self.orders.watch.store(on, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the thread has ended by itself, and why if it failed.
    pub fn ended(&self) -> Option<Option<DesktopError>> {
        let over = self.thread.is_finished();
        let mut failed = self.orders.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        over.then(|| failed.take())
    }
}

impl Drop for Feed {
    /// Stops the feed without waiting for its thread, which ends by itself as soon as its `send` returns: `send` may be waiting for
    /// whoever drops the feed. At most the message that is being sent still comes.
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// The updates of one capture that were handed out.
struct Handed {
    /// The number of the last one.
    last: u32,
    /// Of their operations, in all.
    bytes: usize,
    /// When the last one was packed.
    packed: Instant,
}

struct Run<S, L> {
    capture: Capture,
    encoder: Encoder,
    pacer: Pacer,
    start: Instant,
    /// Since when something waits to be captured that the pacer holds back.
    withheld_since: Option<Instant>,
    /// Since when something waits to be captured.
    painted_since: Option<Instant>,
    /// What the newest capture took.
    taken: Taken,
    timings: Timings,
    orders: Arc<Orders>,
    send: S,
    left: L,
}

impl<S: FnMut(Message) -> bool, L: FnMut() -> Vec<(u32, Instant)>> Run<S, L> {
    fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    fn moment(&self, at: Instant) -> Moment {
        Moment(1_000_000) + at.saturating_duration_since(self.start)
    }

    /// Hands a message out; false when it is time to end.
    fn say(&mut self, message: Message) -> bool {
        !self.orders.stop.load(Ordering::Acquire) && (self.send)(message)
    }

    fn show(&mut self) -> Result<(), DesktopError> {
        loop {
            let time = self.rest();
            let changes = self.capture.wait(time)?;
            if self.orders.stop.load(Ordering::Acquire) {
                return Ok(());
            }
            if self.orders.resync.swap(false, Ordering::AcqRel) {
                self.encoder.resync();
                self.pacer.restart();
                self.capture.invalidate();
            }
            self.pacer.seen(self.orders.seen.load(Ordering::Acquire), self.now());
            if let Some((x, y)) = changes.pointer {
                self.encoder.look_at(x, y);
            }
            let timings = self.timings().map(Message::ScreenTimings);
            let monitors = changes.monitors.map(|(chosen, list)| Message::Monitors { chosen, list });
            let shape = changes.shape.map(Message::CursorShape);
            let place = changes.pointer.map(|(x, y)| Message::CursorPosition { x, y });
            for message in [monitors, shape, place, timings].into_iter().flatten() {
                if !self.say(message) {
                    return Ok(());
                }
            }
            let Some(purpose) = self.due() else { continue };
            self.painted_since.get_or_insert_with(Instant::now);
            if self.pacer.ask(purpose, self.now()) != Pace::Now {
                if self.capture.pending() {
                    self.withheld_since.get_or_insert_with(Instant::now);
                }
                continue;
            }
            let (handed, heard) = self.updates()?;
            if !heard {
                return Ok(());
            }
            if let Some(Handed { last, bytes, packed }) = handed {
                self.pacer.sent(last, bytes, purpose, self.encoder.owes(), self.now());
                self.timings.captured(self.taken, last, self.moment(packed));
            }
        }
    }

    /// Whether there is something to capture, a film that has come to rest, or something that the viewer is owed.
    fn due(&self) -> Option<Purpose> {
        if self.capture.pending() || self.encoder.wake().is_some_and(|wake| wake <= self.now()) {
            Some(Purpose::News)
        } else if self.encoder.owes() {
            Some(Purpose::Refinement)
        } else {
            None
        }
    }

    /// Keeps the times that somebody watches; the report, when one is due.
    fn timings(&mut self) -> Option<ScreenTimings> {
        let (watch, now) = (self.orders.watch.load(Ordering::Acquire), self.now());
        if watch != self.timings.watched() {
            self.timings.watch(watch, now);
        }
        if !watch {
            return None;
        }
        for (number, at) in (self.left)() {
            self.timings.left(number, self.moment(at));
        }
        self.timings.report(now)
    }

    /// Captures, encodes, and hands every update out as soon as it is there. What was handed out, and whether to go on.
    fn updates(&mut self) -> Result<(Option<Handed>, bool), DesktopError> {
        if let Some(since) = self.withheld_since.take() {
            self.encoder.withheld(since.elapsed());
        }
        if self.encoder.animates() && self.capture.pending() {
            // A film's picture is often painted in strips: half of one would be a frame more.
            std::thread::sleep(SETTLE);
        }
        let (start, now) = (Instant::now(), self.now());
        let wait = self.painted_since.take().map_or(Duration::ZERO, |since| start - since);
        let picture = if self.capture.pending() { self.capture.fetch()? } else { self.capture.last() };
        let Some(picture) = picture else { return Ok((None, true)) };
        let capture = start.elapsed();
        let (mut handed, mut heard, mut saying) = (None::<Handed>, true, Duration::ZERO);
        let (orders, send) = (&self.orders, &mut self.send);
        let mut hand_on = |update: ScreenUpdate| {
            let before = handed.as_ref().map_or(0, |handed| handed.bytes);
            let packed = Instant::now();
            let bytes = before + update.operations_zstd.len();
            handed = Some(Handed { last: update.number, bytes, packed });
            heard = heard && !orders.stop.load(Ordering::Acquire) && send(Message::ScreenUpdate(update));
            saying += packed.elapsed();
        };
        let allowance = self.pacer.allowance();
        self.encoder.encode_each(picture.frame, &picture.damage, allowance, now, &mut hand_on)?;
        let encode = start.elapsed().saturating_sub(capture + saying);
        self.taken = Taken { wait, capture, encode };
        self.pacer.worked(capture + encode, self.now());
        if let Some(error) = self.encoder.video_failure() {
            tracing::warn!(%error, "everything is sent exactly from now on");
        }
        Ok((handed, heard))
    }

    /// How long to wait at most: until the next capture may be taken, or a film is over.
    fn rest(&self) -> Option<Duration> {
        let now = self.now();
        let pace = |purpose| match self.pacer.ask(purpose, now) {
            Pace::Now => Duration::ZERO,
            Pace::At(next) | Pace::Seen(next) => next.since(now),
        };
        let report = self.timings.due().map(|due| due.since(now));
        if self.capture.pending() {
            return report.into_iter().chain([pace(Purpose::News)]).min();
        }
        let film = self.encoder.wake().map(|wake| wake.since(now).max(pace(Purpose::News)));
        let owed = self.encoder.owes().then(|| pace(Purpose::Refinement));
        [film, owed, report].into_iter().flatten().min()
    }
}
