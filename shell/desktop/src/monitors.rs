//! The desktop as a whole: which monitors it has and where they are.

mod x11;

use belay_wire::message::Monitor;

use crate::connection::Connection;
use crate::pixels::PixelFormat;
use crate::{Capture, DesktopError, Input, ReadyCapture};
use belay_permission::Admitted;

pub(crate) use x11::{Desktop, watch};

/// The monitor number that means the whole desktop.
pub const WHOLE_DESKTOP: u8 = 255;

/// The end user's desktop.
pub struct Screen {
    display: Option<String>,
    connection: Connection,
}

impl Screen {
    /// Opens a display such as `:0`; `None` is the desktop the program runs on. Looking at it needs an admission.
    ///
    /// Fails when there is none, when its server lacks an extension we need, or when pixels are stored in a way we do not know.
    pub fn open(display: Option<&str>) -> Result<Screen, DesktopError> {
        let connection = Connection::open(display)?;
        connection.require(&["XTEST", "DAMAGE", "XFIXES", "XKEYBOARD"])?;
        PixelFormat::of(&connection)?;
        Ok(Screen { display: display.map(str::to_owned), connection })
    }

    /// The monitors there are now, in the order of their numbers; at least one.
    pub fn monitors(&self) -> Result<Vec<Monitor>, DesktopError> {
        Ok(Desktop::read(&self.connection)?.monitors)
    }

    /// Makes ready what it takes to watch a monitor (255: the whole desktop), without looking at anything but its size.
    pub fn ready(&self, monitor: u8) -> Result<ReadyCapture, DesktopError> {
        ReadyCapture::new(self.display.as_deref(), monitor)
    }

    /// Starts to watch a monitor (255: the whole desktop). Needs an admission of desktop view.
    pub fn capture(&self, admitted: Admitted, monitor: u8) -> Result<Capture, DesktopError> {
        self.ready(monitor)?.begin(admitted)
    }

    /// Mouse and keyboard, on a connection of their own. Every use needs an admission of remote control. Windows of the process
    /// `own` (its process id) are out of reach.
    pub fn input(&self, own: u32) -> Result<Input, DesktopError> {
        Input::open(self.display.as_deref(), own)
    }

    /// The display's name, as given.
    pub fn display(&self) -> Option<&str> {
        self.display.as_deref()
    }
}
