//! The thread that moves mouse and keyboard. It never waits for anything but the next thing to do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use belay_desktop::{DesktopError, Input, Screen};
use belay_permission::Admitted;
use belay_wire::Right;
use belay_wire::input::Input as Motion;
use tokio::sync::mpsc;

use crate::deeds::Happening;

/// What may wait; a desktop that is so far behind is better told no more.
const MAX_WAITING: usize = 1024;

/// The technician's hands on this desktop.
pub struct Hands {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// What waits to be done.
#[derive(Default)]
struct Desk {
    orders: Mutex<Orders>,
    news: Condvar,
}

#[derive(Default)]
struct Orders {
    waiting: VecDeque<(Admitted, Motion)>,
    let_go: bool,
    stop: bool,
}

enum Order {
    Do(Admitted, Motion),
    LetGo,
    Stop,
}

impl Hands {
    /// Starts the thread; it touches nothing before the first admission.
    pub fn start(happen: mpsc::Sender<Happening>, halted: Arc<AtomicBool>) -> Hands {
        let desk = Arc::new(Desk::default());
        let own = desk.clone();
        let thread =
            std::thread::Builder::new().name("hands".into()).spawn(move || work(&own, &happen, &halted));
        let thread = thread.map_err(|error| tracing::error!(%error, "no thread for mouse and keyboard")).ok();
        Hands { desk, thread }
    }

    /// Does this soon. A movement right after a movement takes its place, a step right after a step adds to it.
    pub fn inject(&self, admitted: Admitted, motion: Motion) {
        let mut orders = self.desk.lock();
        let joined = orders.waiting.back().and_then(|(_, last)| joined(last, &motion));
        let motion = match joined {
            Some(both) => {
                orders.waiting.pop_back();
                both
            }
            None => motion,
        };
        if orders.waiting.len() >= MAX_WAITING {
            tracing::warn!("the desktop does not keep up with mouse and keyboard");
            return;
        }
        orders.waiting.push_back((admitted, motion));
        self.desk.news.notify_one();
    }

    /// Drops what waits and lets go of every key and button.
    pub fn let_go(&self) {
        let mut orders = self.desk.lock();
        orders.waiting.clear();
        orders.let_go = true;
        self.desk.news.notify_one();
    }

    /// Ends the thread, everything let go of.
    pub fn stop(&mut self) {
        {
            let mut orders = self.desk.lock();
            orders.waiting.clear();
            orders.stop = true;
            self.desk.news.notify_one();
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of mouse and keyboard failed");
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Order {
        let mut orders = self.lock();
        loop {
            if orders.stop {
                return Order::Stop;
            }
            if std::mem::take(&mut orders.let_go) {
                return Order::LetGo;
            }
            if let Some((admitted, motion)) = orders.waiting.pop_front() {
                return Order::Do(admitted, motion);
            }
            orders = self.news.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What has the effect of both, if there is such a thing: of two places the newer, of two steps their sum.
fn joined(last: &Motion, next: &Motion) -> Option<Motion> {
    if let (Motion::Move(_), Motion::Move(_)) = (last, next) {
        return Some(next.clone());
    }
    let Motion::MoveBy { dx, dy } = last else { return None };
    let Motion::MoveBy { dx: more_x, dy: more_y } = next else { return None };
    Some(Motion::MoveBy { dx: dx.checked_add(*more_x)?, dy: dy.checked_add(*more_y)? })
}

fn work(desk: &Desk, happen: &mpsc::Sender<Happening>, halted: &AtomicBool) {
    let mut hands: Option<Input> = None;
    loop {
        match desk.next() {
            Order::Stop => return,
            // Dropping it lets go of everything.
            Order::LetGo => hands = None,
            Order::Do(..) if halted.load(Ordering::SeqCst) => hands = None,
            Order::Do(admitted, motion) => {
                if let Err(error) = perform(&mut hands, admitted, &motion) {
                    tell(happen, error);
                }
            }
        }
    }
}

fn perform(hands: &mut Option<Input>, admitted: Admitted, motion: &Motion) -> Result<(), DesktopError> {
    let ready = match hands {
        Some(ready) => ready,
        None => hands.insert(Screen::open(None)?.input(std::process::id())?),
    };
    ready.apply(admitted, motion)
}

fn tell(happen: &mpsc::Sender<Happening>, error: DesktopError) {
    let happening = match error {
        DesktopError::OwnWindow => Happening::OwnWindow,
        // One character that this layout lacks is no reason to stop.
        DesktopError::NoFreeKey(_) => return tracing::warn!(%error, "not typed"),
        error => Happening::Failed(Right::RemoteControl, error.to_string()),
    };
    if happen.try_send(happening).is_err() {
        tracing::warn!("what became of mouse and keyboard could not be told");
    }
}

#[cfg(test)]
mod tests {
    use belay_wire::input::Place;

    use super::*;

    #[test]
    fn of_places_the_newest_counts_and_steps_add_up() {
        let place = |x| Motion::Move(Place { monitor: 0, x, y: 0 });
        let step = |dx, dy| Motion::MoveBy { dx, dy };
        assert_eq!(joined(&place(1), &place(2)), Some(place(2)));
        assert_eq!(joined(&step(3, -4), &step(-10, 1)), Some(step(-7, -3)));
        assert_eq!(joined(&step(i16::MAX, 0), &step(1, 0)), None, "what is too long for one stays two");
        assert_eq!(joined(&place(1), &step(1, 1)), None);
        assert_eq!(joined(&step(1, 1), &place(1)), None);
        assert_eq!(joined(&step(1, 1), &Motion::ReleaseAll), None);
    }
}
