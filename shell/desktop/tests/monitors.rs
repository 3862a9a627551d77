//! Desktops of several monitors: chosen, plugged in and out, turned and resized while they are shown, on real X servers.
#![allow(clippy::unwrap_used)]

mod desktop;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use belay_desktop::{Feed, ReadyFeed, Screen, WHOLE_DESKTOP};
use belay_screen::Decoder;
use belay_wire::Message;
use belay_wire::input::{Button, Input as Wire, Place};
use belay_wire::message::{CursorShape, Monitor};
use desktop::technician::{Listener, Technician, place};
use desktop::{EndUser, Painter, Server, until};
use x11rb::connection::Connection as _;
use x11rb::protocol::render::{Animcursorelt, ConnectionExt as _, Pictformat};
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, Cursor, ImageFormat,
};

/// The round trip of a network nearby.
const NEARBY: Duration = Duration::from_millis(1);

/// A technician who looks at a monitor.
struct Viewer {
    feed: Feed,
    messages: mpsc::Receiver<Message>,
    decoder: Decoder,
    chosen: u8,
    monitors: Vec<Monitor>,
    shapes: Vec<CursorShape>,
    bytes: usize,
}

impl Viewer {
    fn of(screen: &Screen, monitor: u8) -> Viewer {
        let (sender, messages) = mpsc::sync_channel(256);
        let user = EndUser::who_allows_everything();
        let send = move |message| sender.send(message).is_ok();
        let ready = ReadyFeed::new(screen, monitor, None).unwrap();
        let feed = Feed::start(ready, user.view(), Some(NEARBY), send, Vec::new).unwrap();
        let decoder = Decoder::new();
        Viewer { feed, messages, decoder, chosen: monitor, monitors: vec![], shapes: vec![], bytes: 0 }
    }

    /// Takes what comes until nothing comes for a moment.
    fn look(&mut self) {
        while let Ok(message) = self.messages.recv_timeout(Duration::from_millis(30)) {
            match message {
                Message::ScreenUpdate(update) => {
                    self.bytes += update.operations_zstd.len();
                    self.decoder.apply(&update).unwrap();
                    self.feed.seen(update.number);
                }
                Message::Monitors { chosen, list } => (self.chosen, self.monitors) = (chosen, list),
                Message::CursorShape(shape) => self.shapes.push(shape),
                _ => {}
            }
        }
    }

    fn until(&mut self, what: &str, mut so: impl FnMut(&Viewer) -> bool) {
        until(what, || {
            self.look();
            so(self)
        });
    }

    /// Waits until exactly this part of the desktop is shown.
    fn shows(&mut self, painter: &Painter, (x, y, width, height): (i16, i16, u16, u16)) {
        self.until(&format!("{width} x {height} at {x}, {y} is shown"), |viewer| {
            let (w, h, pixels) = viewer.decoder.picture();
            (w, h) == (width, height) && pixels == painter.image(x, y, width, height)
        });
    }

    fn name(&self) -> &str {
        let shown = self.monitors.iter().find(|monitor| monitor.id == self.chosen);
        shown.map_or("", |monitor| &monitor.name)
    }
}

#[test]
fn monitors_come_go_and_change_while_one_is_shown() {
    let server = Server::with_outputs();
    server.xrandr("--output DUMMY0 --mode 1280x1024");
    // A screen that stands upright: the desktop has it in its own proportions, whatever the cable carries.
    server.xrandr("--newmode upright 63.5 768 800 850 900 1366 1369 1374 1400");
    server.xrandr("--addmode DUMMY1 upright");
    server.xrandr("--addmode DUMMY2 1024x768");
    server.xrandr("--output DUMMY1 --mode upright --right-of DUMMY0");
    let painter = Painter::on(&server);
    let spots = |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..40 {
            let (x, y) = (random.i16(-50..3000), random.i16(-50..1400));
            painter.fill(x, y, random.u16(1..400), random.u16(1..300), random.u32(..0x100_0000));
        }
    };
    spots(1);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let monitors = screen.monitors().unwrap();
    let places: Vec<_> = monitors.iter().map(|m| (m.name.as_str(), m.x, m.y, m.width, m.height)).collect();
    assert_eq!(places, [("DUMMY0", 0, 0, 1280, 1024), ("DUMMY1", 1280, 0, 768, 1366)]);
    let mut viewer = Viewer::of(&screen, monitors[1].id);
    viewer.shows(&painter, (1280, 0, 768, 1366));
    assert_eq!(viewer.name(), "DUMMY1");

    // Pulled out: the main monitor is shown. Plugged in again: the chosen one is back.
    server.xrandr("--output DUMMY1 --off");
    viewer.shows(&painter, (0, 0, 1280, 1024));
    viewer.until("the list has one", |viewer| viewer.monitors.len() == 1 && viewer.name() == "DUMMY0");
    server.xrandr("--output DUMMY1 --mode upright --left-of DUMMY0");
    spots(2);
    viewer.shows(&painter, (0, 0, 768, 1366));
    viewer.until("the list has two", |viewer| viewer.monitors.len() == 2 && viewer.name() == "DUMMY1");

    // A third one, and another mode of the one that is shown.
    server.xrandr("--output DUMMY2 --mode 1024x768 --right-of DUMMY0");
    viewer.until("the list has three", |viewer| viewer.monitors.len() == 3 && viewer.name() == "DUMMY1");
    server.xrandr("--addmode DUMMY1 1280x720");
    server.xrandr("--output DUMMY1 --mode 1280x720");
    spots(3);
    viewer.shows(&painter, (0, 0, 1280, 720));
    assert_eq!(viewer.name(), "DUMMY1");

    // All of them: the one at the left now reaches under its neighbour at 768. And the desktop changes its size meanwhile.
    let mut whole = Viewer::of(&screen, WHOLE_DESKTOP);
    let size = |painter: &Painter| {
        let size = painter.x.get_geometry(painter.root).unwrap().reply().unwrap();
        (0, 0, size.width, size.height)
    };
    whole.shows(&painter, size(&painter));
    assert_eq!((whole.chosen, whole.decoder.picture().0), (WHOLE_DESKTOP, 768 + 1280 + 1024));
    server.xrandr("--output DUMMY2 --mode 1024x768 --below DUMMY1");
    spots(4);
    whole.shows(&painter, size(&painter));
    assert_eq!((whole.chosen, whole.decoder.picture().0), (WHOLE_DESKTOP, 768 + 1280));
}

#[test]
fn other_borders_of_the_monitors_are_told_without_a_new_size() {
    let server = Server::start("1200x800x24");
    server.xrandr("--setmonitor LEFT 600/100x800/100+0+0 screen");
    server.xrandr("--setmonitor RIGHT 600/100x800/100+600+0 none");
    let painter = Painter::on(&server);
    painter.fill(500, 100, 200, 200, 0x00ff_8800);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let right = screen.monitors().unwrap().into_iter().find(|monitor| monitor.name == "RIGHT").unwrap();
    let mut viewer = Viewer::of(&screen, right.id);
    viewer.shows(&painter, (600, 0, 600, 800));
    server.xrandr("--delmonitor RIGHT");
    viewer.shows(&painter, (0, 0, 600, 800));
    server.xrandr("--setmonitor RIGHT 800/100x800/100+400+0 none");
    viewer.shows(&painter, (400, 0, 800, 800));
}

#[test]
fn a_screen_that_is_turned_is_seen_upright_and_clicked_where_it_shows() {
    let around = Server::start("1600x1200x24");
    let server = Server::that_turns(&around, "1024x768");
    server.xrandr("-o left");
    let painter = Painter::on(&server);
    let listener = Listener::on(&server, 1024, 1024);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut viewer = Viewer::of(&screen, 0);
    let mut technician = Technician::at(&screen, 0);
    let turns = [("left", 768, 1024), ("inverted", 1024, 768), ("right", 768, 1024), ("normal", 1024, 768)];
    for (seed, (turn, width, height)) in (1..).zip(turns) {
        server.xrandr(&format!("-o {turn}"));
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..40 {
            let (x, y) = (random.i16(-50..1024), random.i16(-50..1024));
            let (w, h) = (random.u16(1..400), random.u16(1..300));
            painter.fill_in(listener.window, x, y, w, h, random.u32(..0x100_0000));
        }
        viewer.shows(&painter, (0, 0, width, height));
        let monitors = screen.monitors().unwrap();
        assert_eq!((monitors.len(), monitors[0].width, monitors[0].height), (1, width, height), "{turn}");
        viewer.until("the technician is told", |viewer| viewer.monitors == monitors);
        let (right, bottom) = (u32::from(width) - 1, u32::from(height) - 1);
        for (x, y) in [(0, 0), (right, 0), (right, bottom), (0, bottom), (300, 500)] {
            let at = place(x, y, width.into(), height.into());
            for at in [at, Place { monitor: 0, ..at }] {
                for down in [true, false] {
                    technician.does(&Wire::Press { button: Button::Left, down, at: at.into() }).unwrap();
                }
                let (x, y) = (x as i16, y as i16);
                assert_eq!(listener.heard(), [(true, 1, x, y), (false, 1, x, y)], "{turn}");
            }
        }
    }
}

#[test]
fn a_click_lands_on_the_monitor_it_was_made_for() {
    let server = Server::with_outputs();
    server.xrandr("--output DUMMY0 --mode 1280x1024");
    server.xrandr("--addmode DUMMY1 1024x768");
    let (painter, user) = (Painter::on(&server), EndUser::who_allows_everything());
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut input = screen.input(0).unwrap();
    server.xrandr("--output DUMMY1 --mode 1024x768 --right-of DUMMY0");
    let pointer = || {
        let at = painter.x.query_pointer(painter.root).unwrap().reply().unwrap();
        (at.root_x, at.root_y)
    };
    let corners =
        [(0, 65535, (1279, 1023)), (1, 65535, (1280 + 1023, 767)), (WHOLE_DESKTOP, 0, (1280 + 1023, 0))];
    for (monitor, y, there) in corners {
        let corner = Place { monitor, x: 65535, y };
        // The server tells of the new output when it comes to it, and moves the pointer after it has answered.
        let end = Instant::now() + Duration::from_secs(3);
        loop {
            input.apply(user.control(), &Wire::Move(corner)).unwrap();
            if pointer() == there {
                break;
            }
            assert!(Instant::now() < end, "on monitor {monitor}: {:?} in place of {there:?}", pointer());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A pointer of one colour with alpha; the hot spot at 2, 3.
fn pointer_of(painter: &Painter, format: Pictformat, colour: u32) -> Cursor {
    let x = &painter.x;
    let (pixmap, gc) = (x.generate_id().unwrap(), x.generate_id().unwrap());
    x.create_pixmap(32, pixmap, painter.root, 8, 8).unwrap();
    x.create_gc(gc, pixmap, &CreateGCAux::new()).unwrap();
    let data: Vec<u8> = [colour; 64].iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    x.put_image(ImageFormat::Z_PIXMAP, pixmap, gc, 8, 8, 0, 0, 0, 32, &data).unwrap();
    let (picture, cursor) = (x.generate_id().unwrap(), x.generate_id().unwrap());
    x.render_create_picture(picture, pixmap, format, &Default::default()).unwrap();
    x.render_create_cursor(cursor, picture, 2, 3).unwrap().check().unwrap();
    cursor
}

#[test]
fn a_pointer_with_alpha_that_plays_and_then_hides_is_told_frame_by_frame() {
    let server = Server::start("640x480x24");
    let painter = Painter::on(&server);
    let formats = painter.x.render_query_pict_formats().unwrap().reply().unwrap().formats;
    let argb =
        formats.iter().find(|f| f.depth == 32 && f.direct.alpha_mask == 0xff && f.direct.red_shift == 16);
    let argb = argb.unwrap().id;
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut viewer = Viewer::of(&screen, 0);
    viewer.until("a first pointer", |viewer| !viewer.shapes.is_empty());
    let look = |cursor| {
        let look = ChangeWindowAttributesAux::new().cursor(cursor);
        painter.x.change_window_attributes(painter.root, &look).unwrap().check().unwrap();
    };
    // Half transparent red: the server has colours multiplied by alpha, the viewer gets them straight.
    let [red, green, none] = [0x8080_0000, 0xff00_ff00, 0].map(|colour| pointer_of(&painter, argb, colour));
    look(red);
    let pixel = |shape: &CursorShape| {
        zstd::bulk::decompress(&shape.rgba_zstd, 1 << 16).unwrap().get(..4).map(<[u8]>::to_vec)
    };
    viewer.until("the red pointer", |viewer| {
        viewer.shapes.last().is_some_and(|shape| {
            (shape.hot_x, shape.hot_y) == (2, 3) && pixel(shape) == Some(vec![255, 0, 0, 128])
        })
    });
    let animated = painter.x.generate_id().unwrap();
    let frames = [red, green].map(|cursor| Animcursorelt { cursor, delay: 60 });
    painter.x.render_create_anim_cursor(animated, &frames).unwrap().check().unwrap();
    viewer.shapes.clear();
    look(animated);
    viewer.until("three turns of the animation", |viewer| viewer.shapes.len() >= 6);
    let turns = viewer.shapes.windows(2).all(|pair| pixel(&pair[0]) != pixel(&pair[1]));
    assert!(turns, "each frame is told once");
    look(none);
    viewer.until("a hidden pointer", |viewer| viewer.shapes.last().is_some_and(|shape| shape.width == 0));
    assert_eq!(viewer.decoder.picture().0, 640, "the pointer is not in the picture");
}

/// What a compositing manager does to the display: whole windows are painted although little of them changes.
fn a_composited_desktop(manager: &str, words: &[&str]) {
    let server = Server::start("1280x800x24");
    let painter = Painter::on(&server);
    let _manager = server.run(manager, words);
    std::thread::sleep(Duration::from_millis(700));
    let window = painter.window(100, 100, 800, 500);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut viewer = Viewer::of(&screen, WHOLE_DESKTOP);
    painter.fill_in(window, 0, 0, 800, 500, 0x0020_4060);
    viewer.until("the window is shown", |viewer| {
        let (width, _, pixels) = viewer.decoder.picture();
        width == 1280 && pixels[300 * 1280 + 400] == 0x0020_4060
    });
    viewer.look();
    let before = viewer.bytes;
    for round in 0..50 {
        // The same again: the manager paints the window anew, and nothing has changed.
        painter.fill_in(window, 0, 0, 800, 500, 0x0020_4060);
        painter.fill_in(window, 10 * round, 20, 9, 18, 0x00ff_ff00);
        viewer.look();
    }
    let bytes = (viewer.bytes - before) / 50;
    assert!(bytes < 200, "{manager}: {bytes} bytes for a letter");
    viewer.shows(&painter, (0, 0, 1280, 800));
}

#[test]
fn a_manager_that_paints_whole_windows_costs_no_bytes() {
    a_composited_desktop("xcompmgr", &["-n"]);
    a_composited_desktop("picom", &["--backend", "xrender", "--config", "/dev/null"]);
}
