//! One connection to the X server. Each thread opens its own, so that nobody waits for anybody.

use std::os::fd::{AsFd, BorrowedFd};

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::xproto::{ConnectionExt as _, Window};
use x11rb::rust_connection::RustConnection;

use crate::DesktopError;

/// A connection and the root window of its screen.
pub(crate) struct Connection {
    pub x: RustConnection,
    pub root: Window,
    pub screen: usize,
}

impl Connection {
    /// Connects to a display such as `:0`; `None` is the one in the environment variable DISPLAY.
    pub fn open(display: Option<&str>) -> Result<Connection, DesktopError> {
        let (x, screen) = RustConnection::connect(display).map_err(|source| DesktopError::NoDisplay {
            display: display.map_or_else(|| std::env::var("DISPLAY").unwrap_or_default(), str::to_owned),
            source,
        })?;
        let root = x.setup().roots[screen].root;
        Ok(Connection { x, root, screen })
    }

    /// Fails when the server lacks one of these extensions.
    pub fn require(&self, extensions: &[&'static str]) -> Result<(), DesktopError> {
        for extension in extensions {
            if self.x.extension_information(extension)?.is_none() {
                return Err(DesktopError::MissingExtension(extension));
            }
        }
        Ok(())
    }

    /// Waits until the server has done everything asked so far.
    pub fn sync(&self) -> Result<(), DesktopError> {
        self.x.get_input_focus()?.reply()?;
        Ok(())
    }

    /// Becomes readable when the server says something.
    pub fn readable(&self) -> BorrowedFd<'_> {
        self.x.stream().as_fd()
    }
}
