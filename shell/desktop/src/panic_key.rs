//! The end user's panic key: Pause (or Break), wherever the keyboard is, takes everything back at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{ConnectionExt as _, GrabMode, Keycode, ModMask};

use crate::connection::Connection;
use crate::input::{BREAK, PAUSE};
use crate::wake::{Sleeper, Waker, pair};
use crate::{DesktopError, Screen};

/// The panic key, ours until dropped.
pub struct PanicKey {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl PanicKey {
    /// Takes the key, on a connection and thread of its own. `pressed` is called on that thread at every press.
    ///
    /// Fails with [`DesktopError::PanicKeyTaken`] when another program has it, with [`DesktopError::NoPanicKey`] when the keyboard has none.
    pub fn take(screen: &Screen, pressed: impl FnMut() + Send + 'static) -> Result<PanicKey, DesktopError> {
        let connection = Connection::open(screen.display())?;
        let keys = grab(&connection)?;
        let (sleeper, waker) = pair()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("panic key".to_owned()).spawn(move || {
            if let Err(error) = listen(&connection, keys, &sleeper, &stopped, pressed) {
                tracing::warn!(%error, "the panic key no longer works");
            }
        });
        let thread = thread.map_err(|source| DesktopError::System { what: "a thread", source })?;
        Ok(PanicKey { stop, waker, thread: Some(thread) })
    }
}

impl Drop for PanicKey {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook; there is nothing left to do about it here.
            let _ = thread.join();
        }
    }
}

fn listen(
    connection: &Connection,
    mut keys: Vec<Keycode>,
    sleeper: &Sleeper,
    stop: &AtomicBool,
    mut pressed: impl FnMut(),
) -> Result<(), DesktopError> {
    while !stop.load(Ordering::Acquire) {
        let mut moved = false;
        while let Some(event) = connection.x.poll_for_event()? {
            match event {
                Event::KeyPress(event) if keys.contains(&event.detail) => pressed(),
                Event::MappingNotify(_) => moved = true,
                _ => {}
            }
        }
        if moved && find(connection)? != keys {
            for key in &keys {
                connection.x.ungrab_key(*key, connection.root, ModMask::ANY)?;
            }
            keys = grab(connection)?;
        }
        if moved {
            // The replies may have brought events along, which the descriptor no longer tells of.
            continue;
        }
        connection.x.flush()?;
        sleeper.sleep(connection.readable(), None)?;
    }
    Ok(())
}

/// The keys named Pause or Break.
fn find(connection: &Connection) -> Result<Vec<Keycode>, DesktopError> {
    let setup = connection.x.setup();
    let (first, last) = (setup.min_keycode, setup.max_keycode);
    let mapping = connection.x.get_keyboard_mapping(first, last - first + 1)?.reply()?;
    let rows = mapping.keysyms.chunks(usize::from(mapping.keysyms_per_keycode).max(1));
    let keys =
        (first..=last).zip(rows).filter(|(_, names)| names.iter().any(|name| [PAUSE, BREAK].contains(name)));
    Ok(keys.map(|(keycode, _)| keycode).collect())
}

/// Grabs them, whatever locks are on. With Control it is Break; that one is welcome but not needed.
fn grab(connection: &Connection) -> Result<Vec<Keycode>, DesktopError> {
    let keys = find(connection)?;
    if keys.is_empty() {
        return Err(DesktopError::NoPanicKey);
    }
    let locks = [ModMask::LOCK, ModMask::M2, ModMask::M3, ModMask::M5];
    for base in [ModMask::from(0u16), ModMask::CONTROL] {
        for set in 0..1u16 << locks.len() {
            let on = locks.iter().enumerate().filter(|(index, _)| set & 1 << index != 0);
            let modifiers = on.fold(base, |all, (_, lock)| all | *lock);
            for key in &keys {
                let (root, mode) = (connection.root, GrabMode::ASYNC);
                match connection.x.grab_key(false, root, modifiers, *key, mode, mode)?.check() {
                    Ok(()) => {}
                    Err(ReplyError::X11Error(_)) if base == ModMask::CONTROL => {}
                    Err(ReplyError::X11Error(_)) => return Err(DesktopError::PanicKeyTaken),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(keys)
}
