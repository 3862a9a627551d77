//! What can go wrong between us and the desktop.

use belay_wire::Right;
use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};

/// Why the desktop could not be shown or used.
#[derive(Debug, thiserror::Error)]
pub enum DesktopError {
    /// There is no desktop to show.
    #[error("the display {display} cannot be reached; start the program on a desktop, or set DISPLAY")]
    NoDisplay {
        /// Its name, such as `:0`.
        display: String,
        /// What the attempt said.
        source: ConnectError,
    },
    /// The X server lacks something we cannot do without.
    #[error(
        "the X server has no {0} extension, which is needed to show or control the desktop; switch it on"
    )]
    MissingExtension(&'static str),
    /// Pixels are not stored in a way we know.
    #[error(
        "the display has a depth of {depth} bits ({bits} a pixel); set it to TrueColor with a depth of 16, 24 or 30"
    )]
    PixelFormat {
        /// Significant bits of a pixel.
        depth: u8,
        /// Bits a pixel takes.
        bits: u8,
    },
    /// There is no such monitor.
    #[error("there is no monitor {0}; choose one of the list")]
    NoMonitor(u8),
    /// The admission is for something else.
    #[error("this needs the right {needed:?}, the admission is for {given:?}")]
    WrongRight {
        /// What is needed.
        needed: Right,
        /// What was given.
        given: Right,
    },
    /// The technician's mouse or keyboard would have acted on a window of this program, which is the end user's alone.
    #[error("this window belongs to the end user alone and takes no remote input")]
    OwnWindow,
    /// Another program keeps the panic key for itself.
    #[error("another program has taken the Pause key; remote control can be stopped in the window only")]
    PanicKeyTaken,
    /// The keyboard has no such key.
    #[error("this keyboard has no Pause key; remote control can be stopped in the window only")]
    NoPanicKey,
    /// The layout has no key for a character, and there is no free key to borrow.
    #[error("the character {0:?} cannot be typed: the keyboard layout has no free key")]
    NoFreeKey(char),
    /// The connection to the X server is gone.
    #[error("the connection to the X server is lost")]
    Lost(#[from] ConnectionError),
    /// The X server refused a request.
    #[error("the X server refused a request: {0}")]
    Refused(String),
    /// The picture could not be encoded.
    #[error(transparent)]
    Encode(#[from] belay_screen::EncodeError),
    /// The operating system refused something.
    #[error("the operating system refused {what}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
}

impl From<ReplyError> for DesktopError {
    fn from(error: ReplyError) -> DesktopError {
        match error {
            ReplyError::ConnectionError(error) => DesktopError::Lost(error),
            ReplyError::X11Error(error) => DesktopError::Refused(format!("{error:?}")),
        }
    }
}

impl From<ReplyOrIdError> for DesktopError {
    fn from(error: ReplyOrIdError) -> DesktopError {
        match error {
            ReplyOrIdError::IdsExhausted => DesktopError::Refused("no ids are left".to_owned()),
            ReplyOrIdError::ConnectionError(error) => DesktopError::Lost(error),
            ReplyOrIdError::X11Error(error) => DesktopError::Refused(format!("{error:?}")),
        }
    }
}
