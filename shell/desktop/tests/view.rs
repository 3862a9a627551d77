//! What the desktop shows arrives as it is, on a real X server.
#![allow(clippy::unwrap_used)]

mod desktop;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use belay_desktop::{Changes, DesktopError, Feed, Picture, ReadyFeed, Screen, WHOLE_DESKTOP};
use belay_screen::{Decoder, Frame, Video, VideoError, VideoStream};
use belay_wire::{Message, Moment, Right};
use desktop::{EndUser, Painter, Server, until};
use x11rb::connection::Connection as _;
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, CreateWindowAux, Rectangle, WindowClass};

#[test]
fn a_capture_equals_what_the_server_shows() {
    let (server, user) = (Server::start("800x600x24"), EndUser::who_allows_everything());
    let painter = Painter::on(&server);
    painter.fill(10, 20, 300, 200, 0x00c0_ffee);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut capture = screen.capture(user.view(), 0).unwrap();
    let first = capture.wait(Some(Duration::from_secs(5))).unwrap();
    assert!(first.picture && first.shape.is_some() && first.pointer.is_some());
    assert_eq!(first.monitors.unwrap().1.len(), 1);
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..30 {
        let picture = capture.fetch().unwrap().unwrap();
        let damaged: usize = picture.damage.iter().map(|rect| rect.area()).sum();
        assert!(round == 0 || damaged < 60 * 60, "only what was painted is fetched: {damaged}");
        let (mut encoder, mut viewer) = (belay_screen::Encoder::new().unwrap(), Decoder::new());
        for update in encoder.encode(picture.frame, &picture.damage, Moment(0)).unwrap() {
            viewer.apply(&update).unwrap();
        }
        assert_eq!(viewer.picture().2, painter.image(0, 0, 800, 600), "round {round}");
        assert!(capture.fetch().unwrap().is_none(), "nothing is fetched twice");
        assert_eq!(capture.wait(Some(Duration::from_millis(5))).unwrap(), Changes::default());
        let (x, y) = (random.i16(-20..790), random.i16(-20..590));
        painter.fill(x, y, random.u16(21..50), random.u16(21..50), random.u32(..0x100_0000));
        assert!(capture.wait(Some(Duration::from_secs(5))).unwrap().picture);
    }
}

/// What the server stores for each of these colours, and what the viewer must see.
fn colours_are_those_of_a_display_with_other_pixels(size: &str, shift: [u32; 3], bits: [u32; 3]) {
    let (server, user) = (Server::start(size), EndUser::who_allows_everything());
    let painter = Painter::on(&server);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut capture = screen.capture(user.view(), 0).unwrap();
    let (mut encoder, mut viewer) = (belay_screen::Encoder::new().unwrap(), Decoder::new());
    let mut random = fastrand::Rng::with_seed(6);
    capture.wait(Some(Duration::from_secs(5))).unwrap();
    for round in 0..20 {
        // Odd sides and places: the rows of a display of 16 bits are padded.
        let (x, y) = (random.u16(0..500), random.u16(0..300));
        let (width, height) = (random.u16(1..90), random.u16(1..60));
        let value = [0, 1, 2].map(|channel| random.u32(..1 << bits[channel]));
        let stored = (0..3).fold(0, |word, channel| word | value[channel] << shift[channel]);
        painter.fill(x as i16, y as i16, width, height, stored);
        capture.wait(Some(Duration::from_millis(200))).unwrap();
        let picture = capture.fetch().unwrap().unwrap();
        for update in encoder.encode(picture.frame, &picture.damage, Moment(0)).unwrap() {
            viewer.apply(&update).unwrap();
        }
        let seen = |x: u16, y: u16| viewer.picture().2[usize::from(y) * 640 + usize::from(x)].to_be_bytes();
        let [_, corner @ ..] = seen(x, y);
        for (channel, seen) in corner.into_iter().enumerate() {
            let exact = f64::from(value[channel]) * 255.0 / f64::from((1 << bits[channel]) - 1);
            assert!((f64::from(seen) - exact).abs() < 1.0, "round {round}: {seen} for {exact}");
        }
        assert_eq!(seen(x, y), seen(x + width - 1, y + height - 1), "round {round}");
    }
}

#[test]
fn sixteen_bits_a_pixel_are_shown_in_their_colours() {
    colours_are_those_of_a_display_with_other_pixels("640x480x16", [11, 5, 0], [5, 6, 5]);
}

#[test]
fn ten_bits_a_channel_are_shown_in_their_colours() {
    colours_are_those_of_a_display_with_other_pixels("640x480x30", [20, 10, 0], [10, 10, 10]);
}

#[test]
fn waiting_ends_by_a_call_and_costs_nothing() {
    let (server, user) = (Server::start("640x480x24"), EndUser::who_allows_everything());
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut capture = screen.capture(user.view(), WHOLE_DESKTOP).unwrap();
    capture.wait(None).unwrap();
    capture.fetch().unwrap();
    let waker = capture.waker();
    let caller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        waker.wake();
    });
    let start = Instant::now();
    let changes = capture.wait(None).unwrap();
    assert!(changes.called && start.elapsed() >= Duration::from_millis(190));
    caller.join().unwrap();
}

#[test]
fn the_pointer_is_told_apart_from_the_picture() {
    let (server, user) = (Server::start("640x480x24"), EndUser::who_allows_everything());
    let painter = Painter::on(&server);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut capture = screen.capture(user.view(), 0).unwrap();
    let mut input = screen.input(0).unwrap();
    capture.wait(None).unwrap();
    capture.fetch().unwrap();
    let at = belay_wire::input::Place { monitor: 0, x: 65535, y: 0 };
    input.apply(user.control(), &belay_wire::input::Input::Move(at)).unwrap();
    let mut place = None;
    until("the pointer's new place", || {
        place = capture.wait(Some(Duration::from_millis(100))).unwrap().pointer.or(place);
        place == Some((639, 0))
    });
    // A window with a pointer of its own: a cross of 2 x 2 pixels.
    let (window, pixmap, cursor) = (
        painter.x.generate_id().unwrap(),
        painter.x.generate_id().unwrap(),
        painter.x.generate_id().unwrap(),
    );
    painter.x.create_pixmap(1, pixmap, painter.root, 16, 16).unwrap();
    let gc = painter.x.generate_id().unwrap();
    painter.x.create_gc(gc, pixmap, &CreateGCAux::new().foreground(1)).unwrap();
    painter.x.poly_fill_rectangle(pixmap, gc, &[Rectangle { x: 0, y: 0, width: 16, height: 16 }]).unwrap();
    painter.x.create_cursor(cursor, pixmap, pixmap, 0xffff, 0, 0, 0, 0, 0xffff, 3, 4).unwrap();
    let look = CreateWindowAux::new().cursor(cursor).override_redirect(1);
    let class = WindowClass::INPUT_OUTPUT;
    painter.x.create_window(0, window, painter.root, 0, 0, 640, 480, 0, class, 0, &look).unwrap();
    painter.x.map_window(window).unwrap();
    painter.x.flush().unwrap();
    let mut shape = None;
    until("the pointer's new shape", || {
        shape = capture.wait(Some(Duration::from_millis(100))).unwrap().shape.or(shape.take());
        shape.as_ref().is_some_and(|shape| shape.width == 16)
    });
    let shape = shape.unwrap();
    assert_eq!((shape.hot_x, shape.hot_y), (3, 4));
    let rgba = zstd_of(&shape.rgba_zstd);
    assert_eq!(rgba[..4], [255, 0, 0, 255]);
    painter.point(5, 5);
    painter.fill(0, 0, 1, 1, 0);
}

/// Unpacks by way of the decoder's own library.
fn zstd_of(packed: &[u8]) -> Vec<u8> {
    zstd::bulk::decompress(packed, 1 << 20).unwrap()
}

#[test]
fn what_was_made_ready_for_another_size_shows_the_new_one() {
    let (server, user) = (Server::with_outputs(), EndUser::who_allows_everything());
    let screen = Screen::open(Some(&server.display)).unwrap();
    let ready = screen.ready(0).unwrap();
    server.xrandr("--output DUMMY0 --mode 1024x768");
    let mut capture = ready.begin(user.view()).unwrap();
    let size = |picture: Picture<'_>| (picture.frame.width(), picture.frame.height());
    assert_eq!(size(capture.fetch().unwrap().unwrap()), (1024, 768));
}

#[test]
fn every_monitor_can_be_shown_alone() {
    let (server, user) = (Server::start("800x600x24"), EndUser::who_allows_everything());
    let painter = Painter::on(&server);
    let version = painter.x.randr_query_version(1, 5).unwrap().reply().unwrap();
    assert!(version.minor_version >= 5);
    for (name, x, width) in [("LEFT", 0, 300), ("RIGHT", 300, 500)] {
        let name = painter.x.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let monitor = MonitorInfo {
            name,
            primary: x == 300,
            automatic: false,
            x,
            y: 0,
            width,
            height: 600,
            width_in_millimeters: 100,
            height_in_millimeters: 100,
            outputs: vec![],
        };
        painter.x.randr_set_monitor(painter.root, monitor).unwrap().check().unwrap();
    }
    let screen = Screen::open(Some(&server.display)).unwrap();
    let monitors = screen.monitors().unwrap();
    let right = monitors.iter().find(|monitor| monitor.name == "RIGHT").unwrap();
    assert_eq!((right.x, right.width, right.height, right.primary), (300, 500, 600, true));
    painter.fill(310, 40, 20, 20, 0x0012_3456);
    let mut capture = screen.capture(user.view(), right.id).unwrap();
    capture.wait(None).unwrap();
    let (mut encoder, mut viewer) = (belay_screen::Encoder::new().unwrap(), Decoder::new());
    let picture = capture.fetch().unwrap().unwrap();
    assert_eq!((picture.frame.width(), picture.frame.height()), (500, 600));
    for update in encoder.encode(picture.frame, &picture.damage, Moment(0)).unwrap() {
        viewer.apply(&update).unwrap();
    }
    assert_eq!(viewer.picture().2, painter.image(300, 0, 500, 600));
    painter.fill(10, 10, 50, 50, 0x00ff_0000);
    capture.wait(Some(Duration::from_millis(300))).unwrap();
    assert!(capture.fetch().unwrap().is_none(), "paint on the other monitor is no concern of this one");
    assert!(matches!(screen.capture(user.view(), 9), Err(DesktopError::NoMonitor(9))));
    let control = screen.capture(user.control(), 0);
    assert!(matches!(control, Err(DesktopError::WrongRight { needed: Right::DesktopView, .. })));
}

#[test]
fn a_feed_keeps_a_viewer_identical_through_paint_resync_and_new_sizes() {
    identical_through_paint_resync_and_new_sizes(Some(NEARBY));
}

#[test]
fn so_does_a_feed_that_knows_nothing_of_the_way_and_begins_coarsely() {
    identical_through_paint_resync_and_new_sizes(None);
}

fn identical_through_paint_resync_and_new_sizes(round_trip: Option<Duration>) {
    let (server, user) = (Server::start("1280x800x24"), EndUser::who_allows_everything());
    let painter = Painter::on(&server);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let (sender, messages) = mpsc::sync_channel(64);
    let ready = ReadyFeed::new(&screen, 0, None).unwrap();
    let send = move |message| sender.send(message).is_ok();
    let feed = Feed::start(ready, user.view(), round_trip, send, Vec::new).unwrap();
    let mut viewer = Decoder::new();
    let mut random = fastrand::Rng::with_seed(4);
    let settle = |viewer: &mut Decoder, width: u16, height: u16| {
        until("the viewer shows what the server shows", || {
            while let Ok(message) = messages.recv_timeout(Duration::from_millis(20)) {
                if let Message::ScreenUpdate(update) = message {
                    viewer.apply(&update).unwrap();
                    feed.seen(update.number);
                }
            }
            let (w, h, pixels) = viewer.picture();
            (w, h) == (width, height) && pixels == painter.image(0, 0, width, height)
        });
    };
    settle(&mut viewer, 1280, 800);
    for _ in 0..10 {
        for _ in 0..20 {
            let (x, y) = (random.i16(0..1200), random.i16(0..700));
            painter.fill(x, y, random.u16(1..300), random.u16(1..200), random.u32(..0x100_0000));
        }
        settle(&mut viewer, 1280, 800);
    }
    viewer = Decoder::new();
    feed.resync();
    settle(&mut viewer, 1280, 800);
    assert!(feed.ended().is_none());
    let mode = "--newmode small 63.5 1024 1072 1176 1328 768 771 775 798";
    for order in [mode, "--addmode screen small", "--output screen --mode small"] {
        server.done("xrandr", &order.split(' ').collect::<Vec<_>>());
    }
    painter.fill(0, 0, 1024, 768, 0x0033_6699);
    settle(&mut viewer, 1024, 768);
}

/// The round trip of a network nearby.
const NEARBY: Duration = Duration::from_millis(1);
/// What a made-up network takes to take an update.
const NETWORK: Duration = Duration::from_millis(2);

#[test]
fn a_feed_tells_how_long_its_stages_take_while_somebody_watches() {
    let (server, user) = (Server::start("1280x800x24"), EndUser::who_allows_everything());
    let painter = Painter::on(&server);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let (sender, messages) = mpsc::sync_channel(64);
    let left = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let network = left.clone();
    let send = move |message: Message| {
        if let Message::ScreenUpdate(update) = &message {
            std::thread::sleep(NETWORK);
            network.lock().unwrap().push((update.number, std::time::Instant::now()));
        }
        sender.send(message).is_ok()
    };
    let left = move || std::mem::take(&mut *left.lock().unwrap());
    let ready = ReadyFeed::new(&screen, 0, None).unwrap();
    let feed = Feed::start(ready, user.view(), Some(NEARBY), send, left).unwrap();
    let mut colour = 0;
    let mut told = |wanted: usize| {
        let (start, mut reports, mut captures) = (std::time::Instant::now(), Vec::new(), 0);
        while reports.len() < wanted && start.elapsed() < Duration::from_millis(3500) {
            colour += 1;
            painter.fill(10, 10, 200, 100, colour);
            while let Ok(message) = messages.recv_timeout(Duration::from_millis(20)) {
                match message {
                    Message::ScreenUpdate(update) => {
                        captures += u32::from(!update.more);
                        feed.seen(update.number);
                    }
                    Message::ScreenTimings(report) => reports.push(report),
                    _ => {}
                }
            }
        }
        (reports, captures)
    };
    assert_eq!(told(1).0, [], "nobody watches");
    feed.watch(true);
    let (reports, captures) = told(2);
    assert_eq!(reports.len(), 2, "about one a second");
    for report in &reports {
        assert!(report.captures > 1 && u32::from(report.captures) <= captures, "{report:?}, {captures} seen");
        for stage in [report.capture, report.encode, report.send] {
            assert!(stage.mean > 0 && stage.mean <= stage.longest, "{report:?}");
            assert!(stage.longest < 1_000_000, "{report:?}");
        }
        assert!(u128::from(report.send.mean) >= NETWORK.as_micros(), "{report:?}");
    }
}

/// A codec of which only the number of frames matters.
struct Counted;

impl Video for Counted {
    fn open(&mut self, _: u16, _: u16) -> Result<Box<dyn VideoStream>, VideoError> {
        Ok(Box::new(Counted))
    }
}

impl VideoStream for Counted {
    fn encode(&mut self, _: Frame<'_>) -> Result<Vec<u8>, VideoError> {
        Ok(vec![1])
    }
}

#[test]
fn a_film_is_sent_as_video_while_it_plays_and_exactly_soon_after() {
    let (server, user) = (Server::start("1280x800x24"), EndUser::who_allows_everything());
    let painter = Painter::on(&server);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let (sender, messages) = mpsc::sync_channel(64);
    let send = move |message| sender.send(message).is_ok();
    let ready = ReadyFeed::new(&screen, 0, Some(Box::new(Counted))).unwrap();
    let feed = Feed::start(ready, user.view(), Some(NEARBY), send, Vec::new).unwrap();
    let (mut viewer, mut random, mut frames) = (Decoder::new(), fastrand::Rng::with_seed(9), 0);
    let mut look = |viewer: &mut Decoder| {
        while let Ok(message) = messages.recv_timeout(Duration::from_millis(5)) {
            if let Message::ScreenUpdate(update) = message {
                viewer.apply(&update).unwrap();
                frames += viewer.take_frames().len();
                feed.seen(update.number);
            }
        }
        frames
    };
    until("what plays is video", || {
        for (column, row) in (0..12).flat_map(|column| (0..8).map(move |row| (column, row))) {
            painter.fill(300 + column * 32, 200 + row * 32, 32, 32, random.u32(..0x100_0000));
        }
        look(&mut viewer) >= 5
    });
    let (_, area) = viewer.covered().next().unwrap();
    assert!(area.x >= 296 && area.y >= 196 && area.right() <= 688 && area.bottom() <= 460, "{area:?}");
    // Nothing is painted any more: the feed wakes by itself.
    until("the picture is exact", || {
        look(&mut viewer);
        viewer.covered().next().is_none() && viewer.picture().2 == painter.image(0, 0, 1280, 800)
    });
}

#[test]
fn other_pixels_and_no_display_are_refused_clearly() {
    let server = Server::start("640x480x8");
    let refused = Screen::open(Some(&server.display)).err().unwrap();
    assert!(matches!(refused, DesktopError::PixelFormat { depth: 8, .. }), "{refused}");
    let refused = Screen::open(Some(":7999")).err().unwrap();
    assert!(matches!(refused, DesktopError::NoDisplay { .. }), "{refused}");
}
