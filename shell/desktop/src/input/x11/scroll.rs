//! Turning the wheel by parts of a notch, where the desktop has a mouse or touch pad that can: XTEST moves the scroll axes of that device.
//!
//! XTEST's own pointer has no such axes, so there is nothing to turn on a desktop without a mouse of that kind (as Xvfb's). Programs that
//! know smooth scrolling (XInput 2.1) hear each part; for all others the server makes button presses of whole notches.
//! Source: "XTEST Extension Library", section 4 (`XTestFakeDeviceMotionEvent`), and `XI2proto.txt`, "Smooth scrolling".

use std::io::IoSlice;
use std::time::{Duration, Instant};

use x11rb::connection::RequestConnection as _;
use x11rb::protocol::xinput::{
    self, ConnectionExt as _, DeviceClassData, DeviceType, ScrollType, XIDeviceInfo,
};
use x11rb::protocol::xtest::{self, FAKE_INPUT_REQUEST};

use super::mouse::{NOTCH, RELATIVE};
use crate::DesktopError;
use crate::connection::Connection;

/// How often it is looked which devices there are, while the wheel turns.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Without a turn for so long, a scroll is over.
const OVER_AFTER: Duration = Duration::from_millis(500);
/// Axes that fit into one event for XTEST.
const MAX_AXES: u16 = 6;
/// All devices, in XInput's counting.
const ALL_DEVICES: u16 = 0;
/// In an event for XTEST: another one belongs to it.
const MORE_EVENTS: u8 = 0x80;
/// XInput's events, counted from its first.
const DEVICE_VALUATOR: u8 = 0;
const DEVICE_MOTION_NOTIFY: u8 = 5;

/// The smooth wheel of a desktop, if it has one.
#[derive(Default)]
pub struct SmoothWheel {
    device: Option<Device>,
    looked: Option<Instant>,
    turned: Option<Instant>,
}

/// Which way a wheel turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Right,
    Down,
}

/// A device of the end user's with scroll axes.
struct Device {
    id: u8,
    right: Option<Axis>,
    down: Axis,
}

struct Axis {
    number: u8,
    /// What the axis moves by for a notch; its sign is the direction.
    notch: f64,
    /// Less than a step that was not enough yet.
    owed: f64,
}

impl SmoothWheel {
    /// Whether there is one; to be asked before each turn.
    pub fn is_there(&mut self, connection: &Connection) -> Result<bool, DesktopError> {
        if self.looked.is_none_or(|looked| looked.elapsed() > LOOK_EVERY) {
            self.device = find(connection)?;
            self.looked = Some(Instant::now());
        }
        Ok(self.device.is_some())
    }

    /// Whether a scroll by this wheel is under way: what follows belongs to it, also whole notches.
    pub fn is_turning(&self) -> bool {
        self.turned.is_some_and(|turned| turned.elapsed() < OVER_AFTER)
    }

    /// Turns by parts of a notch. False: there is nothing that turns this way, and nothing was turned.
    pub fn turn(&mut self, connection: &Connection, way: Way, parts: i32) -> Result<bool, DesktopError> {
        let Some(device) = &mut self.device else { return Ok(false) };
        let axis = match way {
            Way::Right => device.right.as_mut(),
            Way::Down => Some(&mut device.down),
        };
        let Some(axis) = axis else { return Ok(false) };
        let steps = axis.steps(parts);
        let turned = steps == 0 || move_axis(connection, device.id, axis.number, steps)?;
        if turned {
            self.turned = Some(Instant::now());
        } else {
            *self = SmoothWheel::default();
        }
        Ok(turned)
    }
}

impl Axis {
    /// The axis' own steps for so many parts of a notch; what is less than a step counts the next time.
    fn steps(&mut self, parts: i32) -> i32 {
        self.owed += f64::from(parts) * self.notch / f64::from(NOTCH);
        let steps = self.owed.trunc();
        self.owed -= steps;
        // Saturates, far beyond what a mouse may turn by.
        #[allow(clippy::cast_possible_truncation)]
        let steps = steps as i32;
        steps
    }
}

/// The first mouse or touch pad that moves this program's pointer and scrolls smoothly up and down.
fn find(connection: &Connection) -> Result<Option<Device>, DesktopError> {
    let x = &connection.x;
    if x.extension_information(xinput::X11_EXTENSION_NAME)?.is_none() {
        return Ok(None);
    }
    let version = x.xinput_xi_query_version(2, 1)?.reply()?;
    if (version.major_version, version.minor_version) < (2, 1) {
        return Ok(None);
    }
    let pointer = x.xinput_xi_get_client_pointer(x11rb::NONE)?.reply()?.deviceid;
    let devices = x.xinput_xi_query_device(ALL_DEVICES)?.reply()?.infos;
    Ok(devices
        .iter()
        .filter(|info| info.type_ == DeviceType::SLAVE_POINTER && info.attachment == pointer && info.enabled)
        .find_map(|info| {
            // XTEST counts devices in seven bits.
            let id = u8::try_from(info.deviceid).ok().filter(|id| *id < MORE_EVENTS)?;
            let down = axis(info, ScrollType::VERTICAL)?;
            Some(Device { id, right: axis(info, ScrollType::HORIZONTAL), down })
        }))
}

fn axis(info: &XIDeviceInfo, wanted: ScrollType) -> Option<Axis> {
    let scroll = info.classes.iter().find_map(|class| match &class.data {
        DeviceClassData::Scroll(scroll) if scroll.scroll_type == wanted => Some(scroll),
        _ => None,
    })?;
    let notch = f64::from(scroll.increment.integral) + f64::from(scroll.increment.frac) / 4_294_967_296.0;
    // XTEST moves axes by whole numbers: where a notch is no more than 1, as on XWayland, there are no parts of it.
    let fits = scroll.number < MAX_AXES && notch.abs() > 1.0;
    Some(Axis { number: u8::try_from(scroll.number).ok()?, notch, owed: 0.0 }).filter(|_| fits)
}

/// Moves one axis of a device by so much. False: the server refuses, for the device is gone or has become another.
fn move_axis(connection: &Connection, device: u8, axis: u8, steps: i32) -> Result<bool, DesktopError> {
    let x = &connection.x;
    let (Some(xtest), Some(xinput)) = (
        x.extension_information(xtest::X11_EXTENSION_NAME)?,
        x.extension_information(xinput::X11_EXTENSION_NAME)?,
    ) else {
        return Ok(false);
    };
    // x11rb writes FakeInput with one event; the axes are in a second one. All axes from the first are named, for X.Org's server takes
    // the values of others from the wrong place; those before the last are moved by 0.
    let mut request = [0_u8; 68];
    request[0] = xtest.major_opcode;
    request[1] = FAKE_INPUT_REQUEST;
    request[2..4].copy_from_slice(&17_u16.to_ne_bytes());
    request[4] = xinput.first_event + DEVICE_MOTION_NOTIFY;
    request[5] = RELATIVE;
    request[35] = device | MORE_EVENTS;
    request[36] = xinput.first_event + DEVICE_VALUATOR;
    request[37] = device;
    request[42] = axis + 1;
    let value = 44 + 4 * usize::from(axis);
    request[value..value + 4].copy_from_slice(&steps.to_ne_bytes());
    let sent = x.send_request_without_reply(&[IoSlice::new(&request)], Vec::new())?;
    match sent.check() {
        Ok(()) => Ok(true),
        Err(x11rb::errors::ReplyError::X11Error(error)) => {
            tracing::debug!(?error, "the wheel is turned by notches: its device is gone");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_or_won_on_the_way() {
        for notch in [120.0, -120.0, 15.0, 53.0, 0.5, 1000.0] {
            let mut axis = Axis { number: 3, notch, owed: 0.0 };
            let moved: i32 = (0..12_000).map(|_| axis.steps(7)).sum();
            assert!((f64::from(moved) - 700.0 * notch).abs() < 1.1, "{moved} steps of {notch} a notch");
        }
    }
}
