//! What the encoder needs of a video codec: pictures in, compressed frames out. The codecs themselves are in `shell/media`.

use crate::Frame;

/// Streams of video at once, at most.
pub const MAX_STREAMS: usize = 4;
/// Pixels of a video rectangle, at most.
pub const MAX_VIDEO_PIXELS: usize = 1 << 24;

/// Makes streams of one format.
pub trait Video: Send {
    /// A stream of pictures of this size. Its first frame builds on nothing.
    fn open(&mut self, width: u16, height: u16) -> Result<Box<dyn VideoStream>, VideoError>;
}

/// Compresses pictures of one size; each frame may build on those before it.
pub trait VideoStream: Send {
    /// The next frame.
    fn encode(&mut self, picture: Frame<'_>) -> Result<Vec<u8>, VideoError>;
}

/// Why there is no video; what was to be video is then sent exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoError(pub String);

impl std::fmt::Display for VideoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the video encoder refuses to work: {}", self.0)
    }
}

impl std::error::Error for VideoError {}
