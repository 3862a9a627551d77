//! Monitors by RandR, pixel formats by the connection's setup.

use belay_wire::message::{MAX_MONITORS, Monitor};
use x11rb::connection::RequestConnection as _;
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Rectangle};

use crate::connection::Connection;
use crate::{DesktopError, WHOLE_DESKTOP};

/// The desktop's size and monitors at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Desktop {
    pub width: u16,
    pub height: u16,
    // INVARIANT: not empty; every monitor lies inside the desktop and is not empty.
    pub monitors: Vec<Monitor>,
}

impl Desktop {
    /// Asks the server.
    pub fn read(connection: &Connection) -> Result<Desktop, DesktopError> {
        let whole = connection.x.get_geometry(connection.root)?.reply()?;
        let mut monitors = Vec::new();
        if has_monitors(connection)? {
            let found = connection.x.randr_get_monitors(connection.root, true)?.reply()?;
            for found in found.monitors.into_iter().take(MAX_MONITORS) {
                let name = connection.x.get_atom_name(found.name)?.reply()?.name;
                let name = String::from_utf8_lossy(&name).chars().take(16).collect();
                let (x, y) = (found.x.max(0), found.y.max(0));
                let room =
                    |start: i16, side: u16, whole: u16| side.min(whole.saturating_sub(start.unsigned_abs()));
                let monitor = Monitor {
                    id: u8::try_from(monitors.len()).unwrap_or(u8::MAX),
                    primary: found.primary,
                    width: room(x, found.width, whole.width),
                    height: room(y, found.height, whole.height),
                    x,
                    y,
                    name,
                };
                if monitor.width > 0 && monitor.height > 0 {
                    monitors.push(monitor);
                }
            }
        }
        if monitors.is_empty() {
            monitors.push(Monitor {
                id: 0,
                primary: true,
                x: 0,
                y: 0,
                width: whole.width,
                height: whole.height,
                name: "desktop".to_owned(),
            });
        }
        Ok(Desktop { width: whole.width, height: whole.height, monitors })
    }

    /// Where a monitor is, or the whole desktop.
    pub fn area(&self, monitor: u8) -> Option<Rectangle> {
        if monitor == WHOLE_DESKTOP {
            return Some(Rectangle { x: 0, y: 0, width: self.width, height: self.height });
        }
        let found = self.monitors.iter().find(|known| known.id == monitor)?;
        Some(Rectangle { x: found.x, y: found.y, width: found.width, height: found.height })
    }

    /// The monitor to go on with when the one shown may have gone: the same name, else the main one, else the first.
    pub fn successor(&self, name: &str) -> u8 {
        let named = self.monitors.iter().find(|monitor| monitor.name == name);
        named.or_else(|| self.monitors.iter().find(|monitor| monitor.primary)).map_or(0, |monitor| monitor.id)
    }
}

fn has_monitors(connection: &Connection) -> Result<bool, DesktopError> {
    if connection.x.extension_information(randr::X11_EXTENSION_NAME)?.is_none() {
        return Ok(false);
    }
    let version = connection.x.randr_query_version(1, 5)?.reply()?;
    Ok((version.major_version, version.minor_version) >= (1, 5))
}

/// Has the server tell this connection when monitors change.
pub(crate) fn watch(connection: &Connection) -> Result<(), DesktopError> {
    let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    connection.x.change_window_attributes(connection.root, &mask)?.check()?;
    if has_monitors(connection)? {
        let changes = randr::NotifyMask::SCREEN_CHANGE | randr::NotifyMask::CRTC_CHANGE;
        connection.x.randr_select_input(connection.root, changes)?.check()?;
    }
    Ok(())
}
