//! How the X server stores a pixel, and how that becomes `0x00RRGGBB`.

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ImageOrder, VisualClass};

use crate::DesktopError;
use crate::connection::Connection;

/// Bits of the channels red, green and blue in a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Channel {
    shift: u32,
    // INVARIANT: 1 to 16.
    bits: u32,
}

/// The way from the server's pixels to ours.
#[derive(Clone, Debug)]
enum Way {
    /// 32-bit words with 8 bits for each channel where ours has them.
    Same,
    /// 32-bit words with other channels, such as 10 bits each.
    Words([Channel; 3]),
    /// 16-bit words: what each of the 65536 values becomes.
    Table(Box<[u32]>),
}

/// The format of the pixels of a display.
#[derive(Clone, Debug)]
pub(crate) struct PixelFormat {
    way: Way,
    /// A row takes a multiple of so many bytes.
    pad: usize,
}

impl PixelFormat {
    /// The format of this connection's screen. Fails unless it is TrueColor in 16 or 32-bit words of this machine's byte order.
    pub fn of(connection: &Connection) -> Result<PixelFormat, DesktopError> {
        let setup = connection.x.setup();
        let screen = &setup.roots[connection.screen];
        let stored = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
        let bits = stored.map_or(0, |format| format.bits_per_pixel);
        let unknown = DesktopError::PixelFormat { depth: screen.root_depth, bits };
        let visual =
            screen.allowed_depths.iter().flat_map(|depth| &depth.visuals).find(|visual| {
                visual.visual_id == screen.root_visual && visual.class == VisualClass::TRUE_COLOR
            });
        let native =
            if cfg!(target_endian = "little") { ImageOrder::LSB_FIRST } else { ImageOrder::MSB_FIRST };
        let (Some(visual), Some(stored)) = (visual, stored) else { return Err(unknown) };
        if setup.image_byte_order != native {
            return Err(unknown);
        }
        let channels = [visual.red_mask, visual.green_mask, visual.blue_mask].map(channel);
        let [Some(red), Some(green), Some(blue)] = channels else { return Err(unknown) };
        let channels = [red, green, blue];
        let way = match bits {
            32 if channels == [16, 8, 0].map(|shift| Channel { shift, bits: 8 }) => Way::Same,
            32 => Way::Words(channels),
            16 => Way::Table((0..=0xffff).map(|word| rgb(channels, word)).collect()),
            _ => return Err(unknown),
        };
        Ok(PixelFormat { way, pad: usize::from(stored.scanline_pad / 8).max(1) })
    }

    /// Bytes of a row of so many pixels; at most four for each.
    pub fn row(&self, pixels: usize) -> usize {
        let bytes = match self.way {
            Way::Same | Way::Words(_) => 4,
            Way::Table(_) => 2,
        };
        (pixels * bytes).next_multiple_of(self.pad)
    }

    /// Turns a row of the server's pixels into ours: as many as `to` is long.
    pub fn unpack(&self, row: &[u8], to: &mut [u32]) {
        let words =
            row.chunks_exact(4).map(|bytes| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        match &self.way {
            Way::Same => to.iter_mut().zip(words).for_each(|(to, word)| *to = word & 0x00ff_ffff),
            Way::Words(channels) => {
                to.iter_mut().zip(words).for_each(|(to, word)| *to = rgb(*channels, word))
            }
            Way::Table(table) => {
                let halves = row.chunks_exact(2).map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
                to.iter_mut().zip(halves).for_each(|(to, half)| *to = table[usize::from(half)]);
            }
        }
    }
}

/// Where a mask has its bits: one run of 1 to 16.
fn channel(mask: u32) -> Option<Channel> {
    let (shift, bits) = (mask.trailing_zeros(), mask.count_ones());
    let one_run = (1..=16).contains(&bits) && mask >> shift == (1 << bits) - 1;
    one_run.then_some(Channel { shift, bits })
}

fn rgb(channels: [Channel; 3], word: u32) -> u32 {
    channels.iter().fold(0, |rgb, channel| rgb << 8 | eight(word >> channel.shift, channel.bits))
}

/// The lowest `bits` of a value as 8 bits, so that the brightest becomes 255.
fn eight(value: u32, bits: u32) -> u32 {
    if bits >= 8 {
        return value >> (bits - 8) & 0xff;
    }
    let most = (1 << bits) - 1;
    ((value & most) * 255 + most / 2) / most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_is_black_and_white_is_white_in_every_depth() {
        for masks in [[0xf800, 0x07e0, 0x001f], [0x7c00, 0x03e0, 0x001f], [0x3ff0_0000, 0x000f_fc00, 0x3ff]] {
            let channels = masks.map(|mask| channel(mask).unwrap());
            assert_eq!(rgb(channels, 0), 0);
            assert_eq!(rgb(channels, masks.iter().sum()), 0x00ff_ffff);
            assert_eq!(rgb(channels, masks[0]), 0x00ff_0000);
            assert_eq!(
                rgb(channels, masks[2] | 0xc000_0000 & !masks[0]),
                0x0000_00ff,
                "other bits do not matter"
            );
        }
        assert_eq!((eight(16, 5), eight(32, 6), eight(513, 10)), (132, 130, 128));
    }

    #[test]
    fn a_mask_with_a_gap_or_none_is_no_channel() {
        assert_eq!([0, 0b101, 0x0001_ffff].map(channel), [None; 3]);
    }

    #[test]
    fn rows_are_padded_and_unpacked() {
        let table = (0..=0xffff).map(|word: u32| word * 2).collect();
        let format = PixelFormat { way: Way::Table(table), pad: 4 };
        assert_eq!((format.row(1), format.row(2), format.row(3)), (4, 4, 8));
        let mut pixels = [0; 3];
        let row: Vec<u8> = [1u16, 2, 0xffff, 7].iter().flat_map(|half| half.to_ne_bytes()).collect();
        format.unpack(&row, &mut pixels);
        assert_eq!(pixels, [2, 4, 0x1_fffe]);
    }
}
