//! Windows of our own process: the end user's alone, out of the technician's reach.

use x11rb::connection::RequestConnection as _;
use x11rb::protocol::res::{self, ClientIdMask, ClientIdSpec, ConnectionExt as _};
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, InputFocus, Window};

use crate::DesktopError;
use crate::connection::Connection;

/// Tells whether pointer or keyboard are on a window of one process.
pub(crate) struct OwnWindows {
    process: u32,
    process_property: Atom,
    /// Whether the server itself knows which process a window belongs to.
    server_knows: bool,
}

impl OwnWindows {
    /// Windows of the process with this id.
    pub fn of(connection: &Connection, process: u32) -> Result<OwnWindows, DesktopError> {
        let process_property = connection.x.intern_atom(false, b"_NET_WM_PID")?.reply()?.atom;
        let known = connection.x.extension_information(res::X11_EXTENSION_NAME)?.is_some();
        let server_knows = known && {
            let version = connection.x.res_query_version(1, 2)?.reply()?;
            (version.server_major, version.server_minor) >= (1, 2)
        };
        Ok(OwnWindows { process, process_property, server_knows })
    }

    /// Whether the pointer is on one of them.
    pub fn has_pointer(&self, connection: &Connection) -> Result<bool, DesktopError> {
        self.any(connection, &under_pointer(connection)?)
    }

    /// Whether key strokes would go to one of them.
    pub fn has_focus(&self, connection: &Connection) -> Result<bool, DesktopError> {
        let focus = connection.x.get_input_focus()?.reply()?.focus;
        if focus == Window::from(InputFocus::NONE) {
            return Ok(false);
        }
        let mut windows = under_pointer(connection)?;
        if focus != Window::from(InputFocus::POINTER_ROOT) && focus != connection.root {
            // Key strokes go to the focus, or to the pointer's window where that is inside the focus.
            if !windows.contains(&focus) {
                windows.clear();
            }
            let mut window = focus;
            while window != connection.root && window != x11rb::NONE {
                windows.push(window);
                window = connection.x.query_tree(window)?.reply()?.parent;
            }
        }
        self.any(connection, &windows)
    }

    fn any(&self, connection: &Connection, windows: &[Window]) -> Result<bool, DesktopError> {
        if windows.is_empty() {
            return Ok(false);
        }
        let properties = windows
            .iter()
            .map(|window| {
                connection.x.get_property(false, *window, self.process_property, AtomEnum::CARDINAL, 0, 1)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let asked: Vec<ClientIdSpec> = windows
            .iter()
            .map(|window| ClientIdSpec { client: *window, mask: ClientIdMask::LOCAL_CLIENT_PID })
            .collect();
        let known = if self.server_knows { Some(connection.x.res_query_client_ids(&asked)?) } else { None };
        let mut own = false;
        for property in properties {
            // A window that has just gone is nobody's.
            let Ok(property) = property.reply() else { continue };
            own |= property.value32().is_some_and(|mut value| value.next() == Some(self.process));
        }
        if let Some(known) = known {
            own |= known.reply()?.ids.iter().any(|id| id.value.first() == Some(&self.process));
        }
        Ok(own)
    }
}

/// The windows at the pointer, outermost first, without the root.
fn under_pointer(connection: &Connection) -> Result<Vec<Window>, DesktopError> {
    let mut windows = Vec::new();
    let mut window = connection.root;
    loop {
        let below = connection.x.query_pointer(window)?.reply()?.child;
        if below == x11rb::NONE {
            return Ok(windows);
        }
        windows.push(below);
        window = below;
    }
}
