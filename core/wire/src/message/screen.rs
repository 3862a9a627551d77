//! The picture's messages. Spec: `docs/protocol/screen.md`.

use crate::codec::{Reader, WireError, Writer};

/// Most monitors in one list.
pub const MAX_MONITORS: usize = 16;
/// Largest cursor side in pixels.
pub const MAX_CURSOR_SIDE: u16 = 256;
/// Largest compressed update in bytes; larger changes travel as several updates.
pub const MAX_UPDATE: usize = 512 * 1024;

/// A monitor of the end user's desktop, in desktop pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// 0 to 15; 255 is kept for the whole desktop.
    pub id: u8,
    /// Whether it is the main one.
    pub primary: bool,
    /// Left edge.
    pub x: i16,
    /// Top edge.
    pub y: i16,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Its name, such as `HDMI-1`.
    pub name: String,
}

impl Monitor {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Monitor, WireError> {
        Ok(Monitor {
            id: r.u8()?,
            primary: r.flag("primary")?,
            x: r.i16()?,
            y: r.i16()?,
            width: r.u16()?,
            height: r.u16()?,
            name: r.text("monitor name", 64)?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.u8(self.id).u8(u8::from(self.primary)).i16(self.x).i16(self.y);
        w.u16(self.width).u16(self.height).text(&self.name, 64);
    }
}

/// What a viewer can show as video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum VideoFormat {
    /// Nothing: everything travels exactly.
    #[default]
    None = 0,
    /// AV1 profile 1: 4:4:4, 8 bits, BT.709 in full range.
    Av1 = 1,
}

impl VideoFormat {
    /// Every format, in the order of their numbers.
    pub const ALL: [VideoFormat; 2] = [VideoFormat::None, VideoFormat::Av1];
}

/// What a console wants to see: `[u8 monitor][u8 video]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// The monitor's id; 255 is the whole desktop.
    pub monitor: u8,
    /// What may be shown as video where something animates.
    pub video: VideoFormat,
}

impl View {
    /// A monitor, without video.
    pub const fn of(monitor: u8) -> View {
        View { monitor, video: VideoFormat::None }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<View, WireError> {
        let (monitor, value) = (r.u8()?, r.u8()?);
        let video = VideoFormat::ALL.into_iter().find(|format| *format as u8 == value);
        let video = video.ok_or(WireError::Unknown { what: "video format", value: u64::from(value) })?;
        Ok(View { monitor, video })
    }

    pub(super) fn write(self, w: &mut Writer) {
        w.u8(self.monitor).u8(self.video as u8);
    }
}

/// The pointer's picture: `[u16 hot x][u16 hot y][u16 width][u16 height][zstd of RGBA rows, alpha not multiplied…]`.
/// Width 0 means that the pointer is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorShape {
    /// The pixel that points, from the left.
    pub hot_x: u16,
    /// The pixel that points, from the top.
    pub hot_y: u16,
    /// Width in pixels, at most 256; 0 hides the pointer.
    pub width: u16,
    /// Height in pixels, at most 256.
    pub height: u16,
    /// zstd of width × height × 4 bytes.
    pub rgba_zstd: Vec<u8>,
}

impl CursorShape {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<CursorShape, WireError> {
        let shape = CursorShape {
            hot_x: r.u16()?,
            hot_y: r.u16()?,
            width: r.u16()?,
            height: r.u16()?,
            rgba_zstd: r.remaining().to_vec(),
        };
        if shape.width > MAX_CURSOR_SIDE || shape.height > MAX_CURSOR_SIDE {
            return Err(WireError::TooLong { what: "cursor side", limit: usize::from(MAX_CURSOR_SIDE) });
        }
        Ok(shape)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.u16(self.hot_x).u16(self.hot_y).u16(self.width).u16(self.height).raw(&self.rgba_zstd);
    }
}

/// A change of the picture: `[u32 number][u32 base][u16 width][u16 height][u8 more][u32 raw length][zstd of operations…]`.
///
/// It may be applied only by a viewer that holds exactly the picture `base` (0: nothing needed, start from black at this size).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenUpdate {
    /// Counts from 1 within one opening of the screen.
    pub number: u32,
    /// The update it builds on.
    pub base: u32,
    /// The picture's width in pixels.
    pub width: u16,
    /// The picture's height in pixels.
    pub height: u16,
    /// More updates of the same capture follow at once.
    pub more: bool,
    /// Bytes of the operations before compression.
    pub raw_len: u32,
    /// The operations, compressed with zstd; at most [`MAX_UPDATE`] bytes.
    pub operations_zstd: Vec<u8>,
}

impl ScreenUpdate {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<ScreenUpdate, WireError> {
        let update = ScreenUpdate {
            number: r.u32()?,
            base: r.u32()?,
            width: r.u16()?,
            height: r.u16()?,
            more: r.flag("more")?,
            raw_len: r.u32()?,
            operations_zstd: r.remaining().to_vec(),
        };
        if update.operations_zstd.len() > MAX_UPDATE {
            return Err(WireError::TooLong { what: "screen update", limit: MAX_UPDATE });
        }
        Ok(update)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.u32(self.number).u32(self.base).u16(self.width).u16(self.height);
        w.u8(u8::from(self.more)).u32(self.raw_len).raw(&self.operations_zstd);
    }
}

/// How long one stage took over some captures, in microseconds: `[u32 mean][u32 longest]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// On average.
    pub mean: u32,
    /// At most.
    pub longest: u32,
}

impl Stage {
    fn read(r: &mut Reader<'_>) -> Result<Stage, WireError> {
        Ok(Stage { mean: r.u32()?, longest: r.u32()? })
    }

    fn write(self, w: &mut Writer) {
        w.u32(self.mean).u32(self.longest);
    }
}

/// How long the applet's stages took over the captures since the last report: `[u16 captures]`, then each stage in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScreenTimings {
    /// How many captures this is about; at least one.
    pub captures: u16,
    /// From the news that something was painted to the capture: the pacer, and work that was under way.
    pub wait: Stage,
    /// Fetching what was painted.
    pub capture: Stage,
    /// Finding what moved and what changed, packing, video.
    pub encode: Stage,
    /// From there until the network has it, sealed.
    pub send: Stage,
}

impl ScreenTimings {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<ScreenTimings, WireError> {
        Ok(ScreenTimings {
            captures: r.u16()?,
            wait: Stage::read(r)?,
            capture: Stage::read(r)?,
            encode: Stage::read(r)?,
            send: Stage::read(r)?,
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.u16(self.captures);
        for stage in [self.wait, self.capture, self.encode, self.send] {
            stage.write(w);
        }
    }
}
