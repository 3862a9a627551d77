//! One recording through capture, encoder and video to a viewer that acknowledges at once.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use belay_desktop::{Feed, ReadyFeed, Screen, WHOLE_DESKTOP};
use belay_media::Av1;
use belay_screen::{Decoder, Video};
use belay_wire::Message;

use crate::desktop::{EndUser, Server};
use crate::painter::Painter;
use crate::recording::{Paint, read};

/// The table's head.
pub const HEAD: &str = "| recording | seconds | painted /s | shown /s | KB/s | of it video % | capture and encoder % of a core | exact at rest after ms |\n| --- | --- | --- | --- | --- | --- | --- | --- |";

/// How long the picture may take to become exact.
const PATIENCE: Duration = Duration::from_secs(10);
/// The feed's own thread, by its name.
const FEED: &str = "desktop";

/// What the viewer has seen.
struct Viewer {
    decoder: Decoder,
    captures: usize,
    bytes: usize,
    video: usize,
}

impl Viewer {
    /// Takes what comes within this time; whether something came.
    fn look(&mut self, messages: &mpsc::Receiver<Message>, feed: &Feed, time: Duration) -> Result<bool> {
        let Ok(message) = messages.recv_timeout(time) else { return Ok(false) };
        self.bytes += message.encode().len();
        if let Message::ScreenUpdate(update) = message {
            self.decoder.apply(&update)?;
            self.video += self.decoder.take_frames().iter().map(|frame| frame.bytes.len()).sum::<usize>();
            if !update.more {
                self.captures += 1;
                feed.seen(update.number);
            }
        }
        Ok(true)
    }
}

/// The viewer is in the same process: nothing is sent coarsely.
const NEARBY: Duration = Duration::from_millis(1);

/// Replays a recording and returns a row of the table.
pub fn replay(file: &Path, whole: bool, exact: bool) -> Result<String> {
    let paints: Vec<Paint> = read(file)?;
    let first = paints.iter().find_map(|paint| paint.updates.first()).context("the recording is empty")?;
    let (width, height) = (first.width, first.height);
    let server = Server::start(&format!("{width}x{height}x24"));
    let mut painter = Painter::on(&server.display, width, height)?;
    let screen = Screen::open(Some(&server.display))?;
    let (sender, messages) = mpsc::sync_channel(256);
    let video: Option<Box<dyn Video>> = if exact { None } else { Some(Box::new(Av1::new())) };
    let view = EndUser::who_allows_everything().view();
    let send = move |message| sender.send(message).is_ok();
    let feed =
        Feed::start(ReadyFeed::new(&screen, WHOLE_DESKTOP, video)?, view, Some(NEARBY), send, Vec::new)?;
    let mut viewer = Viewer { decoder: Decoder::new(), captures: 0, bytes: 0, video: 0 };
    while viewer.look(&messages, &feed, Duration::from_millis(500))? {}
    // The first paint is the desktop as it was found: it is not counted.
    let (found, played) = paints.split_first().context("the recording is empty")?;
    painter.play(
        &[Paint { at: Duration::ZERO, damage: found.damage.clone(), updates: found.updates.clone() }],
        true,
    )?;
    while viewer.look(&messages, &feed, Duration::from_millis(700))? {}
    (viewer.captures, viewer.bytes, viewer.video) = (0, 0, 0);
    let (before, start) = (busy(FEED)?, Instant::now());
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|threads| -> Result<()> {
        let finished = over.clone();
        let painting = threads.spawn({
            let painter = &mut painter;
            move || {
                let done = painter.play(played, whole);
                finished.store(true, Ordering::Release);
                done
            }
        });
        while !over.load(Ordering::Acquire) {
            viewer.look(&messages, &feed, Duration::from_millis(5))?;
        }
        painting.join().ok().context("the painter failed")?
    })?;
    let (worked, time) = (busy(FEED)?.saturating_sub(before), start.elapsed());
    let (captures, bytes, video) = (viewer.captures, viewer.bytes, viewer.video);
    let rest = Instant::now();
    let identical = |viewer: &Viewer| {
        viewer.decoder.picture() == painter.picture() && viewer.decoder.covered().next().is_none()
    };
    while !identical(&viewer) && rest.elapsed() < PATIENCE {
        viewer.look(&messages, &feed, Duration::from_millis(2))?;
    }
    let exact_after =
        if identical(&viewer) { rest.elapsed().as_millis().to_string() } else { "never".to_owned() };
    let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let seconds = time.as_secs_f64();
    let per_second = |count: usize| count as f64 / seconds;
    Ok(format!(
        "| {name} | {seconds:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {exact_after} |",
        per_second(played.len()),
        per_second(captures),
        per_second(bytes) / 1000.0,
        video as f64 * 100.0 / bytes.max(1) as f64,
        worked.as_secs_f64() * 100.0 / seconds,
    ))
}

/// Processor time of this process's threads of a name.
fn busy(name: &str) -> Result<Duration> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == name {
            let spent = std::fs::read_to_string(task.join("schedstat"))?;
            sum += spent.split(' ').next().context("the kernel counts no processor time")?.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(sum))
}
