//! Pointer, buttons and wheel.

use belay_wire::input::{Aim, Button, Place};
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, MOTION_NOTIFY_EVENT,
};
use x11rb::protocol::xtest::ConnectionExt as _;

use super::scroll::{SmoothWheel, Way};
use super::{Hands, Target};
use crate::DesktopError;

/// One notch of a wheel, as consoles count.
pub const NOTCH: i32 = 120;
/// Notches turned at once at most; more is a mistake somewhere.
const MAX_NOTCHES: i32 = 40;
/// XTEST's word for a motion from where the pointer is.
pub const RELATIVE: u8 = 1;
const WHEEL_UP: u8 = 4;
const WHEEL_DOWN: u8 = 5;
const WHEEL_LEFT: u8 = 6;
const WHEEL_RIGHT: u8 = 7;

/// What the technician holds of the mouse.
#[derive(Default)]
pub struct Mouse {
    held: Vec<Button>,
    /// Parts of a notch that were not enough yet, right and down.
    rest: (i32, i32),
    smooth: SmoothWheel,
}

impl Hands {
    /// Moves the pointer.
    pub fn point(&self, at: Place) -> Result<(), DesktopError> {
        let (x, y) = self.pixel(at)?;
        let root = self.connection.root;
        self.connection.x.xtest_fake_input(MOTION_NOTIFY_EVENT, 0, x11rb::CURRENT_TIME, root, x, y, 0)?;
        Ok(())
    }

    /// Where a place is on the desktop.
    fn pixel(&self, at: Place) -> Result<(i16, i16), DesktopError> {
        let area = self.desktop.area(at.monitor).ok_or(DesktopError::NoMonitor(at.monitor))?;
        let pixel = |start: i16, length: u16, place: u16| {
            let last = u32::from(length.max(1) - 1);
            let offset = (u32::from(place) * last + 32_767) / 65_535;
            start.saturating_add_unsigned(u16::try_from(offset).unwrap_or(u16::MAX))
        };
        Ok((pixel(area.x, area.width, at.x), pixel(area.y, area.height, at.y)))
    }

    /// Whether the pointer is where somebody aims.
    fn is_at(&self, at: Aim) -> Result<bool, DesktopError> {
        let Aim::At(place) = at else { return Ok(true) };
        let pointer = self.connection.x.query_pointer(self.connection.root)?.reply()?;
        Ok((pointer.root_x, pointer.root_y) == self.pixel(place)?)
    }

    /// Moves the pointer by so many pixels, for programs that hold it in its place and listen to how it wants to move. It stops at the
    /// desktop's edges and where a program holds it.
    pub fn push(&self, dx: i16, dy: i16) -> Result<(), DesktopError> {
        let root = self.connection.root;
        self.connection.x.xtest_fake_input(
            MOTION_NOTIFY_EVENT,
            RELATIVE,
            x11rb::CURRENT_TIME,
            root,
            dx,
            dy,
            0,
        )?;
        Ok(())
    }

    fn aim(&self, at: Aim) -> Result<(), DesktopError> {
        match at {
            Aim::At(place) => self.point(place),
            Aim::Here => Ok(()),
        }
    }
}

impl Mouse {
    /// Aims, then presses a button or lets go of it.
    pub fn press(&mut self, hands: &Hands, button: Button, down: bool, at: Aim) -> Result<(), DesktopError> {
        hands.aim(at)?;
        if down {
            if !self.held.contains(&button) {
                hands.guarded(Target::Pointer, || hands.fake(BUTTON_PRESS_EVENT, number(button)))?;
                self.held.push(button);
            }
        } else if let Some(index) = self.held.iter().position(|held| *held == button) {
            self.held.swap_remove(index);
            hands.fake(BUTTON_RELEASE_EVENT, number(button))?;
        }
        Ok(())
    }

    /// Aims, then turns the wheel: whole notches by its buttons, and what has parts of one smoothly where the desktop can, elsewhere by
    /// whole notches as they add up.
    pub fn wheel(&mut self, hands: &Hands, dx: i32, dy: i32, at: Aim) -> Result<(), DesktopError> {
        // For programs a wheel that was aimed is another mouse's, of which they begin to count anew.
        if !hands.is_at(at)? {
            hands.aim(at)?;
        }
        for (rest, by) in [(&mut self.rest.0, dx), (&mut self.rest.1, dy)] {
            if rest.signum() != by.signum() {
                *rest = 0;
            }
            *rest = (*rest + by).clamp(-MAX_NOTCHES * NOTCH, MAX_NOTCHES * NOTCH);
        }
        // Whatever cannot be turned is not turned later, somewhere else.
        let (mut right, mut down) = std::mem::take(&mut self.rest);
        let smooth = right % NOTCH != 0 || down % NOTCH != 0 || self.smooth.is_turning();
        if smooth && self.smooth.is_there(&hands.connection)? {
            hands.guarded(Target::Pointer, || {
                for (way, parts) in [(Way::Right, &mut right), (Way::Down, &mut down)] {
                    if self.smooth.turn(&hands.connection, way, *parts)? {
                        *parts = 0;
                    }
                }
                Ok(())
            })?;
        }
        self.rest = (right % NOTCH, down % NOTCH);
        let (right, down) = (right / NOTCH, down / NOTCH);
        if (right, down) == (0, 0) {
            return Ok(());
        }
        hands.guarded(Target::Pointer, || {
            for (notches, back, on) in [(down, WHEEL_UP, WHEEL_DOWN), (right, WHEEL_LEFT, WHEEL_RIGHT)] {
                for _ in 0..notches.abs() {
                    let button = if notches < 0 { back } else { on };
                    hands.fake(BUTTON_PRESS_EVENT, button)?;
                    hands.fake(BUTTON_RELEASE_EVENT, button)?;
                }
            }
            Ok(())
        })
    }

    /// Lets go of every button.
    pub fn release_all(&mut self, hands: &Hands) -> Result<(), DesktopError> {
        self.rest = (0, 0);
        self.held.drain(..).try_for_each(|button| hands.fake(BUTTON_RELEASE_EVENT, number(button)))
    }
}

/// X's number of a button.
fn number(button: Button) -> u8 {
    match button {
        Button::Left => 1,
        Button::Middle => 2,
        Button::Right => 3,
        Button::Back => 8,
        Button::Forward => 9,
    }
}
