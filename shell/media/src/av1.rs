//! AV1 for what animates on a desktop: full colour (4:4:4), one key frame, then every frame at once and from the one before.

mod aom;
mod colour;

use belay_screen::{Frame, Video, VideoError, VideoStream};

use aom::Encoder;

/// AV1 profile 1, BT.709 in full range, 8 bits: what browsers call `av01.1.…`.
#[derive(Debug, Default)]
pub struct Av1;

impl Av1 {
    /// A codec that is not working yet: each stream has an encoder of its own.
    pub fn new() -> Av1 {
        Av1
    }
}

impl Video for Av1 {
    fn open(&mut self, width: u16, height: u16) -> Result<Box<dyn VideoStream>, VideoError> {
        Ok(Box::new(Stream { encoder: Encoder::open(width, height)? }))
    }
}

struct Stream {
    encoder: Encoder,
}

impl VideoStream for Stream {
    fn encode(&mut self, picture: Frame<'_>) -> Result<Vec<u8>, VideoError> {
        if (picture.width(), picture.height()) != self.encoder.size() {
            return Err(VideoError("a picture of another size".to_owned()));
        }
        colour::convert(picture, self.encoder.planes());
        self.encoder.encode()
    }
}

#[cfg(test)]
mod tests;
