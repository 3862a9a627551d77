//! The pointer: its look when that changes, its place while it moves, and no work while it rests.
//!
//! A program that hides it by an invisible look is seen to do so; one that asks XFixes to hide every pointer is not, for the server tells
//! nobody of that.

use std::time::{Duration, Instant};

use belay_screen::CursorImage;
use x11rb::connection::RequestConnection as _;
use x11rb::protocol::xfixes::{ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xinput::{self, ConnectionExt as _, XIEventMask};
use x11rb::protocol::xproto::{ConnectionExt as _, Rectangle};

use crate::DesktopError;
use crate::capture::Changes;
use crate::connection::Connection;

/// The pointer's place is asked for at most 60 times a second.
const INTERVAL: Duration = Duration::from_millis(16);
/// All master devices, in XInput's counting.
const ALL_MASTERS: u16 = 1;

/// What is known of the pointer.
pub struct Pointer {
    shape_is_old: bool,
    place_is_old: bool,
    asked: Option<Instant>,
    place: Option<(u16, u16)>,
    serial: Option<u32>,
}

impl Pointer {
    /// Has the server tell when the pointer moves or looks different. Without XInput its place is asked for when something is painted.
    pub fn watch(connection: &Connection) -> Result<Pointer, DesktopError> {
        let (x, root) = (&connection.x, connection.root);
        x.xfixes_select_cursor_input(root, CursorNotifyMask::DISPLAY_CURSOR)?.check()?;
        if x.extension_information(xinput::X11_EXTENSION_NAME)?.is_some() {
            x.xinput_xi_query_version(2, 1)?.reply()?;
            let motion = xinput::EventMask { deviceid: ALL_MASTERS, mask: vec![XIEventMask::RAW_MOTION] };
            x.xinput_xi_select_events(root, &[motion])?.check()?;
        }
        Ok(Pointer { shape_is_old: true, place_is_old: true, asked: None, place: None, serial: None })
    }

    /// It may be elsewhere.
    pub fn maybe_moved(&mut self) {
        self.place_is_old = true;
    }

    /// It looks different.
    pub fn changed_shape(&mut self) {
        self.shape_is_old = true;
    }

    /// Asks what may have changed and adds it to the news. Returns when to look again, if there is something left to ask.
    pub fn look(
        &mut self,
        connection: &Connection,
        area: Rectangle,
        now: Instant,
        news: &mut Changes,
    ) -> Result<Option<Instant>, DesktopError> {
        if std::mem::take(&mut self.shape_is_old) {
            let image = connection.x.xfixes_get_cursor_image()?.reply()?;
            if self.serial.replace(image.cursor_serial) != Some(image.cursor_serial) {
                let picture = CursorImage {
                    hot_x: image.xhot,
                    hot_y: image.yhot,
                    width: image.width,
                    height: image.height,
                    pixels: &image.cursor_image,
                };
                match picture.shape() {
                    Ok(shape) => news.shape = Some(shape),
                    Err(error) => tracing::warn!(%error, "the pointer's look stays as it was"),
                }
            }
        }
        if !self.place_is_old {
            return Ok(None);
        }
        if let Some(next) = self.asked.map(|asked| asked + INTERVAL).filter(|next| *next > now) {
            return Ok(Some(next));
        }
        self.place_is_old = false;
        self.asked = Some(now);
        let pointer = connection.x.query_pointer(connection.root)?.reply()?;
        let inside = |at: i16, from: i16, length: u16| {
            let last = i32::from(length) - 1;
            u16::try_from((i32::from(at) - i32::from(from)).clamp(0, last)).unwrap_or(0)
        };
        let place = (inside(pointer.root_x, area.x, area.width), inside(pointer.root_y, area.y, area.height));
        if self.place.replace(place) != Some(place) {
            news.pointer = Some(place);
        }
        Ok(None)
    }
}
