//! Input on X11, through XTEST: what it injects is to every program as if the end user's own mouse and keyboard had done it.

mod keyboard;
mod layout;
mod mouse;
mod repetition;
mod scroll;

use belay_permission::Admitted;
use belay_wire::Right;
use belay_wire::input::{Combination, Input as Wire};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::ConnectionExt as _;
use x11rb::protocol::xtest::ConnectionExt as _;

use crate::connection::Connection;
use crate::monitors::{Desktop, watch};
use crate::own_windows::OwnWindows;
use crate::{DesktopError, spend};
use keyboard::Keyboard;
use mouse::Mouse;

/// Mouse and keyboard for one technician. Lets go of everything when dropped.
pub struct Input {
    hands: Hands,
    mouse: Mouse,
    keyboard: Keyboard,
}

impl Input {
    pub(crate) fn open(display: Option<&str>, own: u32) -> Result<Input, DesktopError> {
        let connection = Connection::open(display)?;
        connection.x.xtest_get_version(2, 2)?.reply()?;
        watch(&connection)?;
        let desktop = Desktop::read(&connection)?;
        let own = OwnWindows::of(&connection, own)?;
        let keyboard = Keyboard::open(&connection)?;
        Ok(Input { hands: Hands { connection, own, desktop }, mouse: Mouse::default(), keyboard })
    }

    /// Does one thing. Needs an admission of remote control.
    ///
    /// [`DesktopError::OwnWindow`] means that it would have hit a window of our own process; nothing was done then, except that the
    /// pointer has moved. Letting go is always possible.
    pub fn apply(&mut self, admitted: Admitted, input: &Wire) -> Result<(), DesktopError> {
        spend(admitted, Right::RemoteControl)?;
        self.listen()?;
        let (hands, mouse, keyboard) = (&self.hands, &mut self.mouse, &mut self.keyboard);
        let done = match input {
            Wire::Move(at) => hands.point(*at),
            Wire::MoveBy { dx, dy } => hands.push(*dx, *dy),
            Wire::Press { button, down, at } => mouse.press(hands, *button, *down, *at),
            Wire::Wheel { dx, dy, at } => mouse.wheel(hands, i32::from(*dx), i32::from(*dy), *at),
            Wire::Key { down: true, usage, modifiers, text } => {
                keyboard.press(hands, *usage, *modifiers, text)
            }
            Wire::Key { down: false, usage, .. } => keyboard.release(hands, *usage),
            Wire::Text(text) => keyboard.type_text(hands, text),
            Wire::Combination(Combination::ControlAltDelete) => keyboard.control_alt_delete(hands),
            Wire::ReleaseAll => mouse.release_all(hands).and(keyboard.release_all(hands)),
        };
        self.hands.connection.x.flush()?;
        done
    }

    /// Lets go of every key and button. Needs no admission: it ends what one had begun.
    pub fn release_all(&mut self) -> Result<(), DesktopError> {
        let done = self.mouse.release_all(&self.hands).and(self.keyboard.release_all(&self.hands));
        self.hands.connection.sync()?;
        done
    }

    /// Takes note of new monitors and keyboard layouts.
    fn listen(&mut self) -> Result<(), DesktopError> {
        let (mut monitors, mut layout) = (false, false);
        while let Some(event) = self.hands.connection.x.poll_for_event()? {
            match event {
                Event::ConfigureNotify(_) | Event::RandrNotify(_) | Event::RandrScreenChangeNotify(_) => {
                    monitors = true;
                }
                Event::MappingNotify(_) | Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_) => {
                    layout = true
                }
                _ => {}
            }
        }
        if monitors {
            self.hands.desktop = Desktop::read(&self.hands.connection)?;
        }
        if layout {
            self.keyboard.reload(&self.hands.connection)?;
        }
        Ok(())
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let gone = self.release_all().and_then(|()| self.keyboard.give_back(&self.hands.connection));
        if let Err(error) = gone {
            tracing::debug!(%error, "keys could not be let go of; the display is gone");
        }
    }
}

/// What mouse and keyboard have in common: the connection, where things are, and what is out of reach.
pub(crate) struct Hands {
    connection: Connection,
    own: OwnWindows,
    desktop: Desktop,
}

/// What an action would hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The window under the pointer.
    Pointer,
    /// The window with the keyboard.
    Focus,
}

impl Hands {
    /// One event of a device; `kind` and `detail` as XTEST counts them.
    fn fake(&self, kind: u8, detail: u8) -> Result<(), DesktopError> {
        self.connection.x.xtest_fake_input(
            kind,
            detail,
            x11rb::CURRENT_TIME,
            self.connection.root,
            0,
            0,
            0,
        )?;
        Ok(())
    }

    /// Does something unless it would hit a window of our own. Nobody else can move windows in between: the server is ours meanwhile,
    /// so `act` must be short.
    fn guarded<T>(
        &self,
        target: Target,
        act: impl FnOnce() -> Result<T, DesktopError>,
    ) -> Result<T, DesktopError> {
        self.connection.x.grab_server()?;
        let own = match target {
            Target::Pointer => self.own.has_pointer(&self.connection),
            Target::Focus => self.own.has_focus(&self.connection),
        };
        let done = own.and_then(|own| if own { Err(DesktopError::OwnWindow) } else { act() });
        self.connection.x.ungrab_server()?;
        self.connection.x.flush()?;
        done
    }
}
