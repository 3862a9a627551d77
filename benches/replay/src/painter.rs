//! Paints a recording on an X server, each paint at its time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use belay_screen::{Decoder, Rect};
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, ImageFormat, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use crate::recording::Paint;

/// Bytes of a request besides its pixels, and some more.
const HEAD: usize = 64;

/// A window that fills the screen, and what it shows.
pub struct Painter {
    x: RustConnection,
    window: Window,
    gc: Gcontext,
    picture: Decoder,
}

impl Painter {
    /// Opens the window.
    pub fn on(display: &str, width: u16, height: u16) -> Result<Painter> {
        let (x, screen) = RustConnection::connect(Some(display))?;
        let root = x.setup().roots.get(screen).context("this display has no screen")?.root;
        let (window, gc) = (x.generate_id()?, x.generate_id()?);
        let look = CreateWindowAux::new().override_redirect(1).background_pixel(0);
        x.create_window(0, window, root, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &look)?
            .check()?;
        x.create_gc(gc, window, &CreateGCAux::new())?.check()?;
        x.map_window(window)?.check()?;
        Ok(Painter { x, window, gc, picture: Decoder::new() })
    }

    /// Paints all of it; `whole` paints the whole window each time.
    pub fn play(&mut self, paints: &[Paint], whole: bool) -> Result<()> {
        let start = Instant::now();
        for paint in paints {
            std::thread::sleep(paint.at.saturating_sub(start.elapsed()).max(Duration::from_micros(1)));
            for update in &paint.updates {
                self.picture.apply(update)?;
            }
            let (width, height, _) = self.picture.picture();
            if whole {
                self.put(Rect::new(0, 0, width, height))?;
            } else {
                paint.damage.iter().try_for_each(|rect| self.put(*rect))?;
            }
            self.x.get_input_focus()?.reply()?;
        }
        Ok(())
    }

    /// What the viewer must show in the end.
    pub fn picture(&self) -> (u16, u16, &[u32]) {
        self.picture.picture()
    }

    /// In as few requests as the server takes, for a program paints a picture at once.
    fn put(&self, area: Rect) -> Result<()> {
        let (stride, width) = (usize::from(self.picture.picture().0), usize::from(area.width));
        let pixels = self.picture.picture().2;
        let room = (self.x.maximum_request_bytes().saturating_sub(HEAD) / 4 / width.max(1)).max(1);
        for top in (usize::from(area.y)..area.bottom()).step_by(room) {
            let rows = top..(top + room).min(area.bottom());
            let mut data = Vec::with_capacity(rows.len() * width * 4);
            for y in rows.clone() {
                let row = &pixels[y * stride + usize::from(area.x)..][..width];
                data.extend(row.iter().flat_map(|pixel| pixel.to_ne_bytes()));
            }
            let (x, y, height) = (i16::try_from(area.x)?, i16::try_from(top)?, u16::try_from(rows.len())?);
            let format = ImageFormat::Z_PIXMAP;
            self.x.put_image(format, self.window, self.gc, area.width, height, x, y, 0, 24, &data)?;
        }
        Ok(())
    }
}
