//! A technician with mouse and keyboard, and what their input arrives at.
#![allow(clippy::unwrap_used)] // a test may panic

use std::cell::Cell;
use std::time::Duration;

use belay_desktop::{DesktopError, Input, Screen, WHOLE_DESKTOP};
use belay_wire::input::{Input as Wire, Modifiers, Place};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xinput::{self, ConnectionExt as _, PointerEventFlags, XIEventMask};
use x11rb::protocol::xproto::{
    ConnectionExt as _, CreateWindowAux, EventMask, GrabMode, GrabStatus, InputFocus, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use super::{EndUser, Program, Scratch, Server, until};

pub const SHIFT: u8 = Modifiers::SHIFT;
pub const CONTROL: u8 = Modifiers::CONTROL;
pub const ALT_GRAPH: u8 = Modifiers::ALT_GRAPH;

pub struct Technician {
    pub user: EndUser,
    pub input: Input,
}

impl Technician {
    pub fn at(screen: &Screen, own: u32) -> Technician {
        Technician { user: EndUser::who_allows_everything(), input: screen.input(own).unwrap() }
    }

    pub fn does(&mut self, wire: &Wire) -> Result<(), DesktopError> {
        self.input.apply(self.user.control(), wire)
    }

    pub fn key(&mut self, down: bool, usage: u16, modifiers: u8, text: &str) {
        let text = text.to_owned();
        self.does(&Wire::Key { down, usage, modifiers: Modifiers(modifiers), text }).unwrap();
    }

    pub fn tap(&mut self, usage: u16, modifiers: u8, text: &str) {
        self.key(true, usage, modifiers, text);
        self.key(false, usage, modifiers, "");
    }
}

/// A window of this very process that writes down what reaches it.
pub struct Listener {
    pub x: RustConnection,
    pub window: Window,
}

impl Listener {
    pub fn on(server: &Server, width: u16, height: u16) -> Listener {
        let (x, screen) = RustConnection::connect(Some(&server.display)).unwrap();
        let (root, window) = (x.setup().roots[screen].root, x.generate_id().unwrap());
        let events = EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE;
        let look = CreateWindowAux::new().override_redirect(1).event_mask(events);
        x.create_window(0, window, root, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &look)
            .unwrap();
        x.map_window(window).unwrap();
        x.set_input_focus(InputFocus::POINTER_ROOT, window, x11rb::CURRENT_TIME).unwrap();
        x.get_input_focus().unwrap().reply().unwrap();
        Listener { x, window }
    }

    /// Everything since the last look, until nothing more comes (or for three seconds): (down, key or button, x, y).
    pub fn heard(&self) -> Vec<(bool, u8, i16, i16)> {
        let mut heard = Vec::new();
        let (start, mut quiet) = (std::time::Instant::now(), 0);
        while quiet < 5 && start.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(10));
            quiet += 1;
            while let Some(event) = self.x.poll_for_event().unwrap() {
                quiet = 0;
                match event {
                    Event::ButtonPress(e) => heard.push((true, e.detail, e.root_x, e.root_y)),
                    Event::ButtonRelease(e) => heard.push((false, e.detail, e.root_x, e.root_y)),
                    Event::KeyPress(e) => heard.push((true, e.detail, 0, 0)),
                    Event::KeyRelease(e) => heard.push((false, e.detail, 0, 0)),
                    _ => {}
                }
            }
        }
        heard
    }
}

/// A program that knows smooth scrolling: it hears of axes, and of notches only where somebody presses the wheel's buttons.
pub struct Scroller {
    x: RustConnection,
    /// Where the axes were when last heard: right and down.
    axes: (f64, f64),
}

impl Scroller {
    /// The axes of the mouse of [`Server::with_smooth_wheel`]; a notch is 120.
    const RIGHT: usize = 2;
    const DOWN: usize = 3;
    const ALL_MASTERS: u16 = 1;

    pub fn on(server: &Server) -> Scroller {
        let (x, screen) = RustConnection::connect(Some(&server.display)).unwrap();
        let root = x.setup().roots[screen].root;
        x.xinput_xi_query_version(2, 1).unwrap().reply().unwrap();
        let mask = vec![XIEventMask::MOTION | XIEventMask::BUTTON_PRESS];
        let wanted = xinput::EventMask { deviceid: Scroller::ALL_MASTERS, mask };
        x.xinput_xi_select_events(root, &[wanted]).unwrap().check().unwrap();
        Scroller { x, axes: (0.0, 0.0) }
    }

    /// What was heard since the last look: how far right and down, and the buttons that are pressed by hand.
    pub fn heard(&mut self) -> ((f64, f64), Vec<u32>) {
        let (before, mut pressed) = (self.axes, Vec::new());
        let mut quiet = 0;
        while quiet < 5 {
            std::thread::sleep(Duration::from_millis(10));
            quiet += 1;
            while let Some(event) = self.x.poll_for_event().unwrap() {
                quiet = 0;
                match event {
                    Event::XinputMotion(motion) => {
                        let set = (0..32).filter(|axis| motion.valuator_mask[0] & (1 << axis) != 0);
                        for (axis, value) in set.zip(&motion.axisvalues) {
                            let value = f64::from(value.integral) + f64::from(value.frac) / 4_294_967_296.0;
                            match axis {
                                Scroller::RIGHT => self.axes.0 = value,
                                Scroller::DOWN => self.axes.1 = value,
                                _ => {}
                            }
                        }
                    }
                    Event::XinputButtonPress(press)
                        if !press.flags.contains(PointerEventFlags::POINTER_EMULATED) =>
                    {
                        pressed.push(press.detail);
                    }
                    _ => {}
                }
            }
        }
        ((self.axes.0 - before.0, self.axes.1 - before.1), pressed)
    }
}

/// A program that holds the pointer in one place and turns by how it wants to move, as games and CAD do.
pub struct Game {
    x: RustConnection,
    middle: (i16, i16),
    turned: Cell<(i32, i32)>,
    pressed: Cell<Option<(i16, i16)>>,
    root: Window,
}

impl Game {
    pub fn holding_the_pointer_at(server: &Server, x: i16, y: i16) -> Game {
        let (connection, screen) = RustConnection::connect(Some(&server.display)).unwrap();
        let root = connection.setup().roots[screen].root;
        let game =
            Game { x: connection, middle: (x, y), turned: Cell::default(), pressed: Cell::default(), root };
        game.put_back();
        let events = EventMask::POINTER_MOTION | EventMask::BUTTON_PRESS;
        let (mode, now) = (GrabMode::ASYNC, x11rb::CURRENT_TIME);
        let grab = game.x.grab_pointer(false, root, events, mode, mode, root, x11rb::NONE, now).unwrap();
        assert_eq!(grab.reply().unwrap().status, GrabStatus::SUCCESS);
        game
    }

    fn put_back(&self) {
        let (x, y) = self.middle;
        self.x.warp_pointer(x11rb::NONE, self.root, 0, 0, 0, 0, x, y).unwrap();
        self.x.get_input_focus().unwrap().reply().unwrap();
    }

    fn listen(&self) {
        while let Some(event) = self.x.poll_for_event().unwrap() {
            match event {
                Event::MotionNotify(at) if (at.root_x, at.root_y) != self.middle => {
                    let (x, y) = self.turned.get();
                    let by = |at: i16, middle: i16| i32::from(at) - i32::from(middle);
                    self.turned.set((x + by(at.root_x, self.middle.0), y + by(at.root_y, self.middle.1)));
                    self.put_back();
                }
                Event::ButtonPress(at) => self.pressed.set(Some((at.root_x, at.root_y))),
                _ => {}
            }
        }
    }

    pub fn until_turned_by(&self, (x, y): (i32, i32)) {
        until(&format!("the game has turned by {x}, {y}"), || {
            self.listen();
            self.turned.get() == (x, y)
        });
    }

    pub fn pressed_at(&self) -> (i16, i16) {
        until("a button is pressed in the game", || {
            self.listen();
            self.pressed.get().is_some()
        });
        self.pressed.get().unwrap()
    }
}

pub fn place(x: u32, y: u32, width: u32, height: u32) -> Place {
    let part = |at: u32, length: u32| ((at * 65535 + (length - 1) / 2) / (length - 1)) as u16;
    Place { monitor: WHOLE_DESKTOP, x: part(x, width), y: part(y, height) }
}

/// A terminal that writes what is typed to a file.
pub fn terminal(server: &Server, written: &Scratch) -> Program {
    let command = format!("stty -echo; printf ready > {0}.ready; cat > {0}", written.path().display());
    let ready = written.path().with_extension("ready");
    let _ = std::fs::remove_file(&ready);
    let ready = std::path::PathBuf::from(format!("{}.ready", written.path().display()));
    let _ = std::fs::remove_file(&ready);
    let program = server.run("xterm", &["-u8", "-geometry", "100x30+0+0", "-e", "sh", "-c", &command]);
    until("the terminal is ready", || ready.exists());
    let _ = std::fs::remove_file(&ready);
    std::thread::sleep(Duration::from_millis(300));
    program
}
