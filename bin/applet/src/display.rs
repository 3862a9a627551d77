//! Whether there is a desktop to show a window on; asked before the toolkit, which would end the program without a word.

use std::ffi::CStr;

use x11rb::connection::Connection;
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// Libraries the toolkit opens by itself and cannot do without.
const LIBRARIES: [&CStr; 6] = [
    c"libxkbcommon-x11.so.0",
    c"libxkbcommon.so.0",
    c"libX11.so.6",
    c"libX11-xcb.so.1",
    c"libXcursor.so.1",
    c"libXi.so.6",
];

/// Why there can be no window.
#[derive(Debug)]
pub enum NoDisplay {
    /// No X server answers.
    Server(String),
    /// A library is missing.
    Library(&'static str),
}

/// Checks that a window can be opened.
///
/// # Errors
/// When no X server answers, or a library is missing.
pub fn check() -> Result<(), NoDisplay> {
    RustConnection::connect(None).map_err(|error| NoDisplay::Server(error.to_string()))?;
    for library in LIBRARIES {
        if !can_open(library) {
            return Err(NoDisplay::Library(library.to_str().unwrap_or("?")));
        }
    }
    Ok(())
}

#[allow(unsafe_code)]
fn can_open(library: &CStr) -> bool {
    // SAFETY: a valid C string; the libraries are the ones the toolkit opens a moment later in any case, and stay open.
    !unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) }.is_null()
}

/// Left, top and width of the main monitor in desktop pixels.
pub fn main_monitor() -> Option<(i32, i32, u32)> {
    let (connection, screen) = RustConnection::connect(None).ok()?;
    let root = connection.setup().roots.get(screen)?;
    let whole = (0, 0, u32::from(root.width_in_pixels));
    let monitors = connection.randr_get_monitors(root.root, true).ok().and_then(|asked| asked.reply().ok());
    let Some(monitors) = monitors else { return Some(whole) };
    let main = monitors.monitors.iter().find(|monitor| monitor.primary).or(monitors.monitors.first());
    Some(main.map_or(whole, |monitor| (i32::from(monitor.x), i32::from(monitor.y), u32::from(monitor.width))))
}
