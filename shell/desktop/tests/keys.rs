//! Keys that are held: who repeats them, and that they come up again.
#![allow(clippy::unwrap_used)]

mod desktop;

use std::time::Duration;

use belay_desktop::Screen;
use belay_wire::input::Input as Wire;
use desktop::Server;
use desktop::technician::{CONTROL, Listener, SHIFT, Technician};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{AutoRepeatMode, ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT};
use x11rb::protocol::xtest::ConnectionExt as _;

const A: u8 = 38;
const SHIFT_LEFT: u8 = 50;

/// Long enough for a desktop that repeats after 200 ms, fifty times a second, to do so.
const HELD: Duration = Duration::from_millis(700);

fn quick_server() -> Server {
    let server = Server::start("640x480x24");
    server.done("xset", &["r", "rate", "200", "50"]);
    server
}

fn presses(heard: &[(bool, u8, i16, i16)], key: u8) -> usize {
    heard.iter().filter(|(down, which, ..)| *down && *which == key).count()
}

#[test]
fn a_key_that_the_technician_holds_repeats_when_the_console_says_so_and_never_by_itself() {
    let server = quick_server();
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 640, 480);
    let mut technician = Technician::at(&screen, 0);
    // A letter, and keys that type nothing.
    for (usage, key, text) in [(0x04, A, "a"), (0x50, 113, ""), (0x3e, 71, "")] {
        technician.key(true, usage, 0, text);
        std::thread::sleep(HELD);
        assert_eq!(listener.heard(), [(true, key, 0, 0)], "the release may be late");
        technician.key(true, usage, 0, text);
        technician.key(true, usage, 0, text);
        std::thread::sleep(HELD);
        let again = [(false, key, 0, 0), (true, key, 0, 0)];
        assert_eq!(listener.heard(), [again, again].concat());
        technician.key(false, usage, 0, "");
        assert_eq!(listener.heard(), [(false, key, 0, 0)]);
    }
    // Modifiers are held, however often it is said.
    technician.key(true, 0xe1, SHIFT, "");
    technician.key(true, 0xe1, SHIFT, "");
    technician.key(false, 0xe1, 0, "");
    assert_eq!(listener.heard(), [(true, SHIFT_LEFT, 0, 0), (false, SHIFT_LEFT, 0, 0)]);
}

#[test]
fn the_end_users_own_keyboard_repeats_as_before_also_while_the_technician_holds_a_key() {
    let server = quick_server();
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 640, 480);
    let root = listener.x.setup().roots[0].root;
    let own_key = |kind| {
        listener.x.xtest_fake_input(kind, 40, 0, root, 0, 0, 0).unwrap();
        listener.x.get_input_focus().unwrap().reply().unwrap();
    };
    let mut technician = Technician::at(&screen, 0);
    technician.key(true, 0x04, 0, "a");
    own_key(KEY_PRESS_EVENT);
    std::thread::sleep(HELD);
    own_key(KEY_RELEASE_EVENT);
    let heard = listener.heard();
    assert!(presses(&heard, 40) > 5, "the end user's repeats: {heard:?}");
    assert_eq!(presses(&heard, A), 1);
    drop(technician);
    let control =
        |x: &x11rb::rust_connection::RustConnection| x.get_keyboard_control().unwrap().reply().unwrap();
    assert_eq!(control(&listener.x).global_auto_repeat, AutoRepeatMode::ON);
    // Who has repetition switched off keeps it so, and the technician's keys repeat all the same.
    server.done("xset", &["r", "off"]);
    listener.heard();
    let mut technician = Technician::at(&screen, 0);
    technician.key(true, 0x04, 0, "a");
    technician.key(true, 0x04, 0, "a");
    assert_eq!(presses(&listener.heard(), A), 2);
    technician.does(&Wire::ReleaseAll).unwrap();
    assert_eq!(listener.heard(), [(false, A, 0, 0)]);
    assert_eq!(control(&listener.x).global_auto_repeat, AutoRepeatMode::OFF);
}

#[test]
fn modifiers_are_as_the_technician_holds_them_whatever_got_lost() {
    let server = Server::start("640x480x24");
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 640, 480);
    let mut technician = Technician::at(&screen, 0);
    let control = 37;
    // The release of Control never came: the next key says that it is not held.
    technician.key(true, 0xe0, CONTROL, "");
    technician.tap(0x04, 0, "a");
    let heard: Vec<_> = listener.heard().into_iter().map(|heard| (heard.0, heard.1)).collect();
    assert_eq!(heard, [(true, control), (false, control), (true, A), (false, A)]);
    technician.key(false, 0xe0, 0, "");
    assert_eq!(listener.heard(), []);
    // Everything was let go of while the technician went on holding Control.
    technician.key(true, 0xe0, CONTROL, "");
    technician.does(&Wire::ReleaseAll).unwrap();
    listener.heard();
    technician.tap(0x04, CONTROL, "a");
    let heard: Vec<_> = listener.heard().into_iter().map(|heard| (heard.0, heard.1)).collect();
    assert_eq!(heard, [(true, control), (true, A), (false, control), (false, A)]);
    // With AltGr, which is two modifiers to some systems, nothing is lifted that belongs to it.
    technician.key(true, 0xe6, belay_wire::input::Modifiers::ALT, "");
    technician.tap(0x3e, belay_wire::input::Modifiers::ALT, "");
    technician.key(false, 0xe6, 0, "");
    let heard: Vec<_> = listener.heard().into_iter().map(|heard| (heard.0, heard.1)).collect();
    assert_eq!(heard, [(true, 108), (true, 71), (false, 71), (false, 108)]);
}
