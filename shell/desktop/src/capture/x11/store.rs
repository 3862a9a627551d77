//! The frame buffer: memory shared with the server, and our copy of the picture.

use belay_screen::Rect;
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat, Rectangle};

use crate::DesktopError;
use crate::connection::Connection;
use crate::memory::SharedMemory;

/// The picture as last fetched.
pub struct Store {
    pixels: Vec<u32>,
    /// Absent where the server cannot share memory (a display over the network); then pictures travel through the connection.
    shared: Option<(SharedMemory, shm::Seg)>,
}

impl Store {
    /// A black picture of this size.
    pub fn new(connection: &Connection, area: Rectangle) -> Result<Store, DesktopError> {
        let size = usize::from(area.width) * usize::from(area.height);
        let shared = share(connection, size)?;
        if shared.is_none() {
            tracing::warn!("the display shares no memory; pictures will be slow");
        }
        Ok(Store { pixels: vec![0; size], shared })
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
                let bytes = u32::try_from(offset * 4).unwrap_or(u32::MAX);
                let request =
                    x.shm_get_image(root, left, top, place.width, place.height, !0, format, *segment, bytes)?;
                open.push((place, offset, request));
                offset += place.area();
            }
            for (place, offset, request) in open {
                request.reply()?;
                for row in 0..usize::from(place.height) {
                    let to = (usize::from(place.y) + row) * width + usize::from(place.x);
                    let side = usize::from(place.width);
                    memory.read(offset + row * side, &mut self.pixels[to..to + side]);
                }
            }
            return Ok(());
        }
        for place in places {
            let (left, top) = corner(place);
            let image = x
                .get_image(ImageFormat::Z_PIXMAP, root, left, top, place.width, place.height, !0)?
                .reply()?;
            let rows = image.data.chunks_exact(usize::from(place.width) * 4);
            for (row, bytes) in rows.enumerate() {
                let to = (usize::from(place.y) + row) * width + usize::from(place.x);
                let words = bytes
                    .chunks_exact(4)
                    .map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]) & 0x00ff_ffff);
                self.pixels[to..].iter_mut().zip(words).for_each(|(pixel, word)| *pixel = word);
            }
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

fn share(connection: &Connection, words: usize) -> Result<Option<(SharedMemory, shm::Seg)>, DesktopError> {
    if connection.x.extension_information(shm::X11_EXTENSION_NAME)?.is_none() {
        return Ok(None);
    }
    let version = connection.x.shm_query_version()?.reply()?;
    if (version.major_version, version.minor_version) < (1, 2) {
        return Ok(None);
    }
    let memory = SharedMemory::new(words)?;
    let segment = connection.x.generate_id()?;
    match connection.x.shm_attach_fd(segment, memory.share()?, false)?.check() {
        Ok(()) => Ok(Some((memory, segment))),
        Err(x11rb::errors::ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
