//! A recording: when which rectangles were painted, and the exact updates that paint them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use belay_desktop::{Screen, WHOLE_DESKTOP};
use belay_screen::{Encoder, Rect};
use belay_wire::message::ScreenUpdate;
use belay_wire::{Message, Moment};

use crate::desktop::EndUser;

/// What was painted between two looks.
pub struct Paint {
    /// Since the recording began.
    pub at: Duration,
    /// Where.
    pub damage: Vec<Rect>,
    /// What; applied in order to the paint before.
    pub updates: Vec<ScreenUpdate>,
}

/// Between two looks at least: no screen shows more than sixty pictures a second.
const REFRESH: Duration = Duration::from_micros(16_667);
/// Most pieces of a paint; a file with more is none of ours.
const MAX_PIECES: usize = 1 << 12;
/// Most bytes of a piece.
const MAX_BYTES: usize = 1 << 22;

/// Records the desktop of the environment for so many seconds.
pub fn record(file: &Path, seconds: u32) -> Result<()> {
    let mut out =
        BufWriter::new(File::create(file).with_context(|| format!("cannot write {}", file.display()))?);
    let screen = Screen::open(None)?;
    let mut capture = screen.capture(EndUser::who_allows_everything().view(), WHOLE_DESKTOP)?;
    let mut encoder = Encoder::new()?;
    let start = Instant::now();
    let end = Duration::from_secs(u64::from(seconds));
    let mut next = Duration::ZERO;
    while start.elapsed() < end {
        std::thread::sleep(next.saturating_sub(start.elapsed()));
        next = start.elapsed() + REFRESH;
        capture.wait(Some(end.saturating_sub(start.elapsed())))?;
        let at = start.elapsed();
        let Some(picture) = capture.fetch()? else { continue };
        let updates = encoder.encode(picture.frame, &picture.damage, Moment(0))?;
        write(&mut out, &Paint { at, damage: picture.damage, updates })?;
    }
    out.flush()?;
    Ok(())
}

fn write(out: &mut impl std::io::Write, paint: &Paint) -> Result<()> {
    let number = |count: usize| u32::try_from(count).map(u32::to_be_bytes);
    out.write_all(&u64::try_from(paint.at.as_micros())?.to_be_bytes())?;
    out.write_all(&number(paint.damage.len())?)?;
    for rect in &paint.damage {
        for side in [rect.x, rect.y, rect.width, rect.height] {
            out.write_all(&side.to_be_bytes())?;
        }
    }
    out.write_all(&number(paint.updates.len())?)?;
    for update in &paint.updates {
        let bytes = Message::ScreenUpdate(update.clone()).encode();
        out.write_all(&number(bytes.len())?)?;
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads a recording.
pub fn read(file: &Path) -> Result<Vec<Paint>> {
    let mut input =
        BufReader::new(File::open(file).with_context(|| format!("cannot read {}", file.display()))?);
    let mut paints = Vec::new();
    let mut at = [0; 8];
    while input.read_exact(&mut at).is_ok() {
        let damage = (0..count(&mut input, MAX_PIECES)?).map(|_| rect(&mut input)).collect::<Result<_>>()?;
        let updates =
            (0..count(&mut input, MAX_PIECES)?).map(|_| update(&mut input)).collect::<Result<_>>()?;
        paints.push(Paint { at: Duration::from_micros(u64::from_be_bytes(at)), damage, updates });
    }
    Ok(paints)
}

fn count(input: &mut impl std::io::Read, most: usize) -> Result<usize> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    let count = usize::try_from(u32::from_be_bytes(bytes))?;
    if count > most { bail!("this is no recording: {count} pieces") } else { Ok(count) }
}

fn rect(input: &mut impl std::io::Read) -> Result<Rect> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    let side = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    Ok(Rect::new(side(0), side(2), side(4), side(6)))
}

fn update(input: &mut impl std::io::Read) -> Result<ScreenUpdate> {
    let mut bytes = vec![0; count(input, MAX_BYTES)?];
    input.read_exact(&mut bytes)?;
    match Message::decode(&bytes)? {
        Message::ScreenUpdate(update) => Ok(update),
        _ => bail!("this is no recording: another message than an update"),
    }
}
