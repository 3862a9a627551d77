//! Capture on X11: XDamage wakes, MIT-SHM fetches what was painted, XFixes and XInput tell about the pointer.

mod pointer;
mod store;

use std::time::{Duration, Instant};

use belay_permission::Admitted;
use belay_screen::{Frame, Rect};
use belay_wire::Right;
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::xfixes::{ConnectionExt as _, Region};
use x11rb::protocol::xproto::Rectangle;

use super::{Changes, Picture};
use crate::connection::Connection;
use crate::monitors::{Desktop, watch};
use crate::wake::{Sleeper, Waker, Woken, pair};
use crate::{DesktopError, WHOLE_DESKTOP, spend};
use pointer::Pointer;
use store::Store;

/// More rectangles than this are fetched as the one around them.
const MAX_RECTANGLES: usize = 32;

/// Watches one monitor, or the whole desktop.
pub struct Capture {
    connection: Connection,
    damage: Damage,
    region: Region,
    sleeper: Sleeper,
    waker: Waker,
    desktop: Desktop,
    shown: u8,
    name: String,
    area: Rectangle,
    store: Store,
    pointer: Pointer,
    /// Something was painted that has not been fetched.
    painted: bool,
    /// All of the picture is to be fetched.
    whole: bool,
    /// Sizes may have changed.
    stale: bool,
    /// What the next wait reports without waiting.
    news: Changes,
}

/// What a capture needs before it may look: a connection, on which nothing is watched yet, and memory, in which there is nothing.
pub struct ReadyCapture {
    connection: Connection,
    monitor: u8,
    area: Rectangle,
    store: Store,
}

impl ReadyCapture {
    pub(crate) fn new(display: Option<&str>, monitor: u8) -> Result<ReadyCapture, DesktopError> {
        let connection = Connection::open(display)?;
        connection.x.xfixes_query_version(5, 0)?.reply()?;
        connection.x.damage_query_version(1, 1)?.reply()?;
        let area = Desktop::read(&connection)?.area(monitor).ok_or(DesktopError::NoMonitor(monitor))?;
        let store = Store::new(&connection, area)?;
        Ok(ReadyCapture { connection, monitor, area, store })
    }

    /// Width and height of the monitor, as it was then.
    pub(crate) fn size(&self) -> (u16, u16) {
        (self.area.width, self.area.height)
    }

    /// Starts to watch. Needs an admission of desktop view.
    pub fn begin(self, admitted: Admitted) -> Result<Capture, DesktopError> {
        spend(admitted, Right::DesktopView)?;
        let ReadyCapture { connection, monitor, area: ready_for, mut store } = self;
        let (sleeper, waker) = pair()?;
        watch(&connection)?;
        let desktop = Desktop::read(&connection)?;
        let area = desktop.area(monitor).ok_or(DesktopError::NoMonitor(monitor))?;
        if (area.width, area.height) != (ready_for.width, ready_for.height) {
            store.detach(&connection);
            store = Store::new(&connection, area)?;
        }
        let (damage, region) = (connection.x.generate_id()?, connection.x.generate_id()?);
        connection.x.xfixes_create_region(region, &[])?.check()?;
        connection.x.damage_create(damage, connection.root, ReportLevel::NON_EMPTY)?.check()?;
        let pointer = Pointer::watch(&connection)?;
        let name = desktop.monitors.iter().find(|known| known.id == monitor);
        let name = name.map(|known| known.name.clone()).unwrap_or_default();
        let news = Changes {
            picture: true,
            monitors: Some((monitor, desktop.monitors.clone())),
            ..Changes::default()
        };
        Ok(Capture {
            connection,
            damage,
            region,
            sleeper,
            waker,
            desktop,
            shown: monitor,
            name,
            area,
            store,
            pointer,
            painted: true,
            whole: true,
            stale: false,
            news,
        })
    }
}

impl Capture {
    /// Lets other threads end a [`Capture::wait`].
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Which monitor is shown; another than the one asked for once that one is gone.
    pub fn shown(&self) -> u8 {
        self.shown
    }

    /// Whether something was painted that has not been fetched.
    pub fn pending(&self) -> bool {
        self.painted
    }

    /// Has the next fetch bring all of the picture.
    pub fn invalidate(&mut self) {
        (self.painted, self.whole) = (true, true);
    }

    /// Waits until something happens, at most `time` (`None`: for ever). Paint is reported once, until it is fetched.
    pub fn wait(&mut self, time: Option<Duration>) -> Result<Changes, DesktopError> {
        let end = time.map(|time| Instant::now() + time);
        loop {
            self.drain()?;
            let mut news = std::mem::take(&mut self.news);
            let now = Instant::now();
            let ask_again = self.pointer.look(&self.connection, self.area, now, &mut news)?;
            if !news.is_empty() {
                return Ok(news);
            }
            if end.is_some_and(|end| now >= end) {
                return Ok(Changes::default());
            }
            // Replies may have brought events along, which the descriptor no longer tells of.
            if self.drain()? {
                continue;
            }
            let until = [end, ask_again].into_iter().flatten().min();
            let rest = until.map(|until| until.saturating_duration_since(now));
            self.connection.x.flush()?;
            if self.sleeper.sleep(self.connection.readable(), rest)? == Woken::Called {
                self.drain()?;
                return Ok(Changes { called: true, ..std::mem::take(&mut self.news) });
            }
        }
    }

    /// The picture as last fetched, when nothing was painted since; `None` when something was.
    pub fn last(&self) -> Option<Picture<'_>> {
        let width = usize::from(self.area.width);
        let frame = Frame::new(self.store.pixels(), width, self.area.width, self.area.height);
        frame.filter(|_| !self.painted && !self.stale).map(|frame| Picture { frame, damage: Vec::new() })
    }

    /// Fetches what was painted; `None` when nothing was.
    pub fn fetch(&mut self) -> Result<Option<Picture<'_>>, DesktopError> {
        if self.stale {
            self.measure()?;
        }
        if !self.painted {
            return Ok(None);
        }
        // Subtracted first: what is painted during the fetch is reported anew.
        self.connection.x.damage_subtract(self.damage, x11rb::NONE, self.region)?;
        let painted = self.connection.x.xfixes_fetch_region(self.region)?.reply()?;
        self.painted = false;
        let bounds = Rect::new(0, 0, self.area.width, self.area.height);
        let damage = if std::mem::take(&mut self.whole) {
            vec![bounds]
        } else {
            gathered(painted.rectangles.iter().filter_map(|rect| within(*rect, self.area)).collect())
        };
        match self.store.fetch(&self.connection, self.area, &damage) {
            Ok(()) => {}
            Err(DesktopError::Refused(why)) => {
                // The desktop has just become smaller; the news of it is on its way.
                tracing::debug!(why, "the picture could not be fetched");
                (self.stale, self.painted, self.whole) = (true, true, true);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let width = usize::from(self.area.width);
        let frame = Frame::new(self.store.pixels(), width, self.area.width, self.area.height);
        Ok(frame.filter(|_| !damage.is_empty()).map(|frame| Picture { frame, damage }))
    }

    /// Takes note of what the server has said; whether it had said anything.
    fn drain(&mut self) -> Result<bool, DesktopError> {
        let mut any = false;
        while let Some(event) = self.connection.x.poll_for_event()? {
            any = true;
            match event {
                Event::DamageNotify(_) => {
                    self.news.picture |= !self.painted;
                    self.painted = true;
                    self.pointer.maybe_moved();
                }
                Event::ConfigureNotify(event) if event.window == self.connection.root => self.stale = true,
                Event::RandrNotify(_) | Event::RandrScreenChangeNotify(_) => self.stale = true,
                Event::XfixesCursorNotify(_) => self.pointer.changed_shape(),
                Event::XinputRawMotion(_) => self.pointer.maybe_moved(),
                _ => {}
            }
        }
        if self.stale {
            self.measure()?;
        }
        Ok(any)
    }

    /// Looks again at the desktop's monitors and adapts.
    fn measure(&mut self) -> Result<(), DesktopError> {
        self.stale = false;
        let desktop = Desktop::read(&self.connection)?;
        if desktop == self.desktop {
            return Ok(());
        }
        if self.shown != WHOLE_DESKTOP {
            self.shown = desktop.successor(&self.name);
        }
        let area = desktop.area(self.shown).ok_or(DesktopError::NoMonitor(self.shown))?;
        let corner = |area: Rectangle| (area.x, area.y, area.width, area.height);
        if corner(area) != corner(self.area) {
            if (area.width, area.height) != (self.area.width, self.area.height) {
                self.store.detach(&self.connection);
                self.store = Store::new(&self.connection, area)?;
            }
            self.area = area;
            (self.painted, self.whole, self.news.picture) = (true, true, true);
            self.pointer.maybe_moved();
        }
        self.news.monitors = Some((self.shown, desktop.monitors.clone()));
        self.desktop = desktop;
        Ok(())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // The server frees everything of this connection when it closes, which happens next.
        self.store.detach(&self.connection);
    }
}

/// The part of a rectangle of the desktop that lies on the monitor, in pixels of the picture.
fn within(rect: Rectangle, area: Rectangle) -> Option<Rect> {
    let cut = |start: i16, side: u16, from: i16, length: u16| {
        let first = i32::from(start).max(i32::from(from));
        let last = (i32::from(start) + i32::from(side)).min(i32::from(from) + i32::from(length));
        let side = u16::try_from(last - first).ok().filter(|side| *side > 0)?;
        Some((u16::try_from(first - i32::from(from)).ok()?, side))
    };
    let (x, width) = cut(rect.x, rect.width, area.x, area.width)?;
    let (y, height) = cut(rect.y, rect.height, area.y, area.height)?;
    Some(Rect::new(x, y, width, height))
}

/// Few rectangles: many small ones cost more to ask for than the one around them.
fn gathered(rectangles: Vec<Rect>) -> Vec<Rect> {
    let around = rectangles.iter().fold(Rect::default(), |all, rect| all.union(*rect));
    let area: usize = rectangles.iter().map(|rect| rect.area()).sum();
    if rectangles.len() > MAX_RECTANGLES || (rectangles.len() > 1 && area * 10 > around.area() * 8) {
        return vec![around];
    }
    rectangles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_cut_to_the_monitor() {
        let area = Rectangle { x: 100, y: 50, width: 200, height: 100 };
        let cut = |x, y, width, height| within(Rectangle { x, y, width, height }, area);
        assert_eq!(cut(0, 0, 50, 50), None);
        assert_eq!(cut(-10, -10, 65535, 65535), Some(Rect::new(0, 0, 200, 100)));
        assert_eq!(cut(290, 60, 50, 10), Some(Rect::new(190, 10, 10, 10)));
        assert_eq!(cut(300, 60, 50, 10), None);
    }

    #[test]
    fn crowded_damage_becomes_one_rectangle() {
        let apart = vec![Rect::new(0, 0, 1, 1), Rect::new(500, 500, 1, 1)];
        assert_eq!(gathered(apart.clone()), apart);
        let near = vec![Rect::new(0, 0, 9, 10), Rect::new(9, 0, 9, 10)];
        assert_eq!(gathered(near), [Rect::new(0, 0, 18, 10)]);
        let many = (0..40).map(|n| Rect::new(n * 20, n * 20, 1, 1)).collect();
        assert_eq!(gathered(many), [Rect::new(0, 0, 781, 781)]);
    }
}
