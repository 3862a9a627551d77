//! Paints a recording on an X server, each paint at its time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use belay_screen::{Decoder, Rect};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, ImageFormat, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use crate::recording::Paint;

/// Most bytes of one request; servers take at least four times that.
const REQUEST: usize = 1 << 16;

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

    fn put(&self, area: Rect) -> Result<()> {
        let (width, _, pixels) = self.picture.picture();
        let rows = usize::from(area.y)..area.bottom();
        let rows: Vec<usize> = rows.collect();
        for rows in rows.chunks((REQUEST / 4 / usize::from(area.width).max(1)).max(1)) {
            let row = |y: &usize| {
                &pixels[y * usize::from(width) + usize::from(area.x)..][..usize::from(area.width)]
            };
            let data: Vec<u8> = rows.iter().flat_map(row).flat_map(|pixel| pixel.to_ne_bytes()).collect();
            let (x, y) = (i16::try_from(area.x)?, i16::try_from(rows[0])?);
            let height = u16::try_from(rows.len())?;
            let format = ImageFormat::Z_PIXMAP;
            self.x.put_image(format, self.window, self.gc, area.width, height, x, y, 0, 24, &data)?;
        }
        Ok(())
    }
}
