//! Where windows stand: the bar at the top of the main monitor, the question in front with the focus.

use std::time::Duration;

use raw_window_handle::{HasWindowHandle, RawWindowHandle};
use slint::ComponentHandle;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    ClientMessageEvent, ConfigureWindowAux, ConnectionExt, EventMask, InputFocus, StackMode, Window,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::generated::BarWindow;
use crate::display;

/// Time the window manager takes to map a window.
const MAPPED: Duration = Duration::from_millis(60);

/// Tells the bar how wide the main monitor is: it is never wider, whatever the names in it are.
pub fn make_fit(bar: &BarWindow) {
    if let Some((_, _, width)) = display::main_monitor() {
        bar.set_room(width as f32 / bar.window().scale_factor());
    }
}

/// Puts the bar at the top centre of the main monitor, once its size is known.
pub fn at_top(bar: &BarWindow) {
    let weak = bar.as_weak();
    slint::Timer::single_shot(MAPPED, move || {
        let (Some(bar), Some((left, top, width))) = (weak.upgrade(), display::main_monitor()) else { return };
        // The window's scale is known for sure only now.
        make_fit(&bar);
        let own = bar.window().size().width;
        let margin = i32::try_from(width.saturating_sub(own) / 2).unwrap_or(0);
        bar.window().set_position(slint::PhysicalPosition::new(left + margin, top));
    });
}

/// Brings a window to the front and gives it the keyboard, once it is there.
pub fn in_front<W: ComponentHandle + 'static>(component: &W) {
    let weak = component.as_weak();
    slint::Timer::single_shot(MAPPED, move || {
        let Some(component) = weak.upgrade() else { return };
        let Some(window) = x11_window(component.window()) else { return };
        if let Err(error) = activate(window) {
            tracing::warn!(%error, "the question could not be brought to the front");
        }
    });
}

fn x11_window(window: &slint::Window) -> Option<Window> {
    match window.window_handle().window_handle().ok()?.as_raw() {
        RawWindowHandle::Xlib(handle) => Window::try_from(handle.window).ok(),
        RawWindowHandle::Xcb(handle) => Some(handle.window.get()),
        _ => None,
    }
}

/// Asks the window manager; without one, does it ourselves.
fn activate(window: Window) -> anyhow::Result<()> {
    let (connection, screen) = RustConnection::connect(None)?;
    let Some(screen) = connection.setup().roots.get(screen) else { return Ok(()) };
    let root = screen.root;
    let atom =
        |name: &[u8]| -> anyhow::Result<u32> { Ok(connection.intern_atom(false, name)?.reply()?.atom) };
    let (active, manager) = (atom(b"_NET_ACTIVE_WINDOW")?, atom(b"_NET_SUPPORTING_WM_CHECK")?);
    let managed = connection.get_property(false, root, manager, x11rb::NONE, 0, 1)?.reply()?.value_len > 0;
    if managed {
        // Source 2: on behalf of the person, which this question is.
        let message = ClientMessageEvent::new(32, window, active, [2, x11rb::CURRENT_TIME, 0, 0, 0]);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        connection.send_event(false, root, mask, message)?;
    } else {
        connection.configure_window(window, &ConfigureWindowAux::new().stack_mode(StackMode::ABOVE))?;
        connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME)?;
    }
    connection.sync()?;
    Ok(())
}
