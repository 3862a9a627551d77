//! The frame buffer: memory shared with the server, and our copy of the picture.

use belay_screen::Rect;
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat, Rectangle};

use crate::DesktopError;
use crate::connection::Connection;
use crate::memory::SharedMemory;
use crate::pixels::PixelFormat;

/// The picture as last fetched.
pub struct Store {
    pixels: Vec<u32>,
    format: PixelFormat,
    /// Absent where the server cannot share memory (a display over the network); then pictures travel through the connection.
    shared: Option<(SharedMemory, shm::Seg)>,
}

impl Store {
    /// A black picture of this size. Its memory is there, not only promised: the first fetch does not wait for it.
    pub fn new(connection: &Connection, area: Rectangle) -> Result<Store, DesktopError> {
        let format = PixelFormat::of(connection)?;
        let size = usize::from(area.width) * usize::from(area.height);
        // Four bytes for a pixel have room for the padded rows of every place.
        let shared = share(connection, size * 4)?;
        if shared.is_none() {
            tracing::warn!("the display shares no memory; pictures will be slow");
        }
        let mut pixels = vec![0; size];
        // The system gives memory when it is written; the box hides that it is zero already.
        std::hint::black_box(&mut pixels).fill(0);
        Ok(Store { pixels, format, shared })
    }

    /// Rows of `0x00RRGGBB` pixels without gaps.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// Brings these places up to date. They do not overlap and lie inside the picture.
    pub fn fetch(
        &mut self,
        connection: &Connection,
        area: Rectangle,
        places: &[Rect],
    ) -> Result<(), DesktopError> {
        let (x, root) = (&connection.x, connection.root);
        let corner =
            |place: &Rect| (area.x.saturating_add_unsigned(place.x), area.y.saturating_add_unsigned(place.y));
        let width = usize::from(area.width);
        let format = u8::from(ImageFormat::Z_PIXMAP);
        if let Some((memory, segment)) = &self.shared {
            let mut open = Vec::with_capacity(places.len());
            let mut offset = 0;
            for place in places {
                let (left, top) = corner(place);
                let bytes = u32::try_from(offset).unwrap_or(u32::MAX);
                let request =
                    x.shm_get_image(root, left, top, place.width, place.height, !0, format, *segment, bytes)?;
                open.push((place, offset, request));
                offset += self.format.row(usize::from(place.width)) * usize::from(place.height);
            }
            // All replies first: the server no longer writes when the memory is read.
            let mut filled = Vec::with_capacity(open.len());
            for (place, offset, request) in open {
                request.reply()?;
                filled.push((place, offset));
            }
            for (place, offset) in filled {
                let bytes = self.format.row(usize::from(place.width)) * usize::from(place.height);
                take(&self.format, &mut self.pixels, width, *place, memory.bytes(offset, bytes));
            }
            return Ok(());
        }
        for place in places {
            let (left, top) = corner(place);
            let image = x
                .get_image(ImageFormat::Z_PIXMAP, root, left, top, place.width, place.height, !0)?
                .reply()?;
            take(&self.format, &mut self.pixels, width, *place, &image.data);
        }
        Ok(())
    }

    /// Has the server let go of the memory.
    pub fn detach(&mut self, connection: &Connection) {
        if let Some((_, segment)) = self.shared.take() {
            // The connection may be lost already; then the server has let go by itself.
            let _ = connection.x.shm_detach(segment);
            let _ = connection.x.flush();
        }
    }
}

/// Puts what the server sent for a place into the picture, whose rows are `width` long.
fn take(format: &PixelFormat, pixels: &mut [u32], width: usize, place: Rect, data: &[u8]) {
    let side = usize::from(place.width);
    let rows = data.chunks_exact(format.row(side)).take(usize::from(place.height));
    for (row, bytes) in rows.enumerate() {
        let to = (usize::from(place.y) + row) * width + usize::from(place.x);
        format.unpack(bytes, &mut pixels[to..to + side]);
    }
}

fn share(connection: &Connection, bytes: usize) -> Result<Option<(SharedMemory, shm::Seg)>, DesktopError> {
    if connection.x.extension_information(shm::X11_EXTENSION_NAME)?.is_none() {
        return Ok(None);
    }
    let version = connection.x.shm_query_version()?.reply()?;
    if (version.major_version, version.minor_version) < (1, 2) {
        return Ok(None);
    }
    let memory = SharedMemory::new(bytes)?;
    let segment = connection.x.generate_id()?;
    match connection.x.shm_attach_fd(segment, memory.share()?, false)?.check() {
        Ok(()) => Ok(Some((memory, segment))),
        Err(x11rb::errors::ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
