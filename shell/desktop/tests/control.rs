//! Mouse and keyboard arrive where they should, on a real X server with real programs.
#![allow(clippy::unwrap_used)]

mod desktop;

use std::sync::mpsc;
use std::time::Duration;

use belay_desktop::{DesktopError, PanicKey, Screen};
use belay_wire::Right;
use belay_wire::input::{Aim, Button, Combination, Input as Wire, Modifiers, Place};
use desktop::technician::{ALT_GRAPH, CONTROL, Game, Listener, SHIFT, Scroller, Technician, place, terminal};
use desktop::{Scratch, Server, until};
use x11rb::connection::Connection as _;
use x11rb::protocol::xinput::{ConnectionExt as _, XIChangePropertyAux};
use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, PropMode,
};
use x11rb::protocol::xtest::ConnectionExt as _;

#[test]
fn clicks_and_notches_land_at_the_pixel() {
    let server = Server::start("1920x1080x24");
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 1920, 1080);
    let mut technician = Technician::at(&screen, 0);
    for (x, y) in [(0, 0), (1919, 1079), (777, 555), (1, 1078)] {
        let at = place(x, y, 1920, 1080).into();
        for (button, number) in [(Button::Left, 1), (Button::Right, 3), (Button::Back, 8)] {
            technician.does(&Wire::Press { button, down: true, at }).unwrap();
            technician.does(&Wire::Press { button, down: true, at }).unwrap();
            technician.does(&Wire::Press { button, down: false, at }).unwrap();
            technician.does(&Wire::Press { button, down: false, at }).unwrap();
            let (x, y) = (x as i16, y as i16);
            assert_eq!(listener.heard(), [(true, number, x, y), (false, number, x, y)]);
        }
    }
    let at = place(100, 100, 1920, 1080).into();
    let mut turned = |dx, dy| {
        technician.does(&Wire::Wheel { dx, dy, at }).unwrap();
        listener.heard().into_iter().filter(|heard| heard.0).map(|heard| heard.1).collect::<Vec<_>>()
    };
    assert_eq!(turned(0, 240), [5, 5]);
    assert_eq!(turned(0, 70), []);
    assert_eq!(turned(0, 50), [5], "rests add up");
    assert_eq!(turned(0, 119), []);
    assert_eq!(turned(0, -120), [4], "turning back begins anew");
    assert_eq!(turned(-120, 0), [6]);
    assert_eq!(turned(120, -120), [4, 7]);
    technician.does(&Wire::Press { button: Button::Left, down: true, at }).unwrap();
    technician.key(true, 0x04, 0, "a");
    technician.key(true, 0xe0, CONTROL, "");
    listener.heard();
    technician.does(&Wire::ReleaseAll).unwrap();
    let mut let_go: Vec<_> = listener.heard().into_iter().map(|heard| (heard.0, heard.1)).collect();
    let_go.sort();
    assert_eq!(let_go, [(false, 1), (false, 37), (false, 38)]);
    technician.does(&Wire::Combination(Combination::ControlAltDelete)).unwrap();
    let keys: Vec<_> = listener.heard().into_iter().map(|heard| (heard.0, heard.1)).collect();
    assert_eq!(keys, [(true, 37), (true, 64), (true, 119), (false, 119), (false, 64), (false, 37)]);
}

#[test]
fn parts_of_a_notch_are_parts_where_the_desktop_can() {
    let server = Server::with_smooth_wheel();
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut program = Scroller::on(&server);
    let mut technician = Technician::at(&screen, 0);
    let at = place(100, 100, 1280, 1024).into();
    let mut turned_by = |turns: &[(i16, i16)]| {
        for (dx, dy) in turns {
            technician.does(&Wire::Wheel { dx: *dx, dy: *dy, at }).unwrap();
        }
        program.heard()
    };
    let within = turned_by(&[(0, 7), (0, -120)]);
    assert_eq!(within, ((0.0, -113.0), vec![]), "a whole notch belongs to the scroll that is under way");
    let mut turned = |dx, dy| turned_by(&[(dx, dy)]);
    assert_eq!(turned(0, 7), ((0.0, 7.0), vec![]));
    assert_eq!(turned(-13, -50), ((-13.0, -50.0), vec![]));
    assert_eq!(turned(0, 250), ((0.0, 250.0), vec![]), "two notches and a part");
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(turned(0, -120), ((0.0, 0.0), vec![4]), "a whole notch is the wheel's button");
    assert_eq!(turned(240, 0), ((0.0, 0.0), vec![7, 7]));
}

#[test]
fn programs_that_know_only_notches_hear_of_whole_ones_also_from_a_smooth_wheel() {
    let server = Server::with_smooth_wheel();
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 1280, 1024);
    let mut technician = Technician::at(&screen, 0);
    let at = place(100, 100, 1280, 1024).into();
    for _ in 0..17 {
        technician.does(&Wire::Wheel { dx: 0, dy: 7, at }).unwrap();
    }
    assert_eq!(listener.heard(), []);
    technician.does(&Wire::Wheel { dx: 0, dy: 7, at }).unwrap();
    assert_eq!(listener.heard(), [(true, 5, 100, 100), (false, 5, 100, 100)]);
    // Our own windows are out of reach for parts of a notch, too.
    let mut stranger = Technician::at(&screen, std::process::id());
    let refused = stranger.does(&Wire::Wheel { dx: 0, dy: 250, at });
    assert!(matches!(refused, Err(DesktopError::OwnWindow)), "{refused:?}");
    assert_eq!(listener.heard(), []);
}

#[test]
fn without_its_device_the_wheel_turns_by_notches_again() {
    let server = Server::with_smooth_wheel();
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut technician = Technician::at(&screen, 0);
    let at = place(100, 100, 1280, 1024).into();
    let listener = Listener::on(&server, 1280, 1024);
    let mut turn = || technician.does(&Wire::Wheel { dx: 0, dy: 7, at }).unwrap();
    turn();
    switch_off(&server, "mouse");
    // The server says nothing when it moves a device that is off: it is found out within a second, also while the wheel goes on turning.
    until("the wheel turns again", || {
        turn();
        !listener.heard().is_empty()
    });
}

/// Switches a device off, as if it were unplugged.
fn switch_off(server: &Server, name: &str) {
    let (x, _) = x11rb::connect(Some(&server.display)).unwrap();
    x.xinput_xi_query_version(2, 1).unwrap().reply().unwrap();
    let devices = x.xinput_xi_query_device(0_u16).unwrap().reply().unwrap().infos;
    let device = devices.iter().find(|device| device.name == name.as_bytes()).unwrap();
    let enabled = x.intern_atom(true, b"Device Enabled").unwrap().reply().unwrap().atom;
    let off = XIChangePropertyAux::Data8(vec![0]);
    let integer = AtomEnum::INTEGER.into();
    x.xinput_xi_change_property(device.deviceid, PropMode::REPLACE, enabled, integer, 1, &off)
        .unwrap()
        .check()
        .unwrap();
}

#[test]
fn steps_move_the_pointer_from_where_it_is_and_buttons_leave_it_there() {
    let server = Server::start("1920x1080x24");
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 1920, 1080);
    let mut technician = Technician::at(&screen, 0);
    technician.does(&Wire::Move(place(100, 100, 1920, 1080))).unwrap();
    let click = |technician: &mut Technician| {
        for down in [true, false] {
            technician.does(&Wire::Press { button: Button::Left, down, at: Aim::Here }).unwrap();
        }
        let (_, _, x, y) = listener.heard()[0];
        (x, y)
    };
    assert_eq!(click(&mut technician), (100, 100));
    technician.does(&Wire::MoveBy { dx: 7, dy: -3 }).unwrap();
    assert_eq!(click(&mut technician), (107, 97));
    for _ in 0..200 {
        technician.does(&Wire::MoveBy { dx: 3, dy: 4 }).unwrap();
    }
    assert_eq!(click(&mut technician), (707, 897), "no step is lost and none is accelerated");
    technician.does(&Wire::MoveBy { dx: i16::MAX, dy: i16::MIN }).unwrap();
    assert_eq!(click(&mut technician), (1919, 0), "the edges of the desktop hold it");
    technician.does(&Wire::MoveBy { dx: -19, dy: 10 }).unwrap();
    technician.does(&Wire::Wheel { dx: 0, dy: 120, at: Aim::Here }).unwrap();
    assert_eq!(listener.heard(), [(true, 5, 1900, 10), (false, 5, 1900, 10)]);
}

#[test]
fn a_program_that_holds_the_pointer_hears_every_step() {
    let server = Server::start("800x600x24");
    let screen = Screen::open(Some(&server.display)).unwrap();
    let game = Game::holding_the_pointer_at(&server, 400, 300);
    let mut technician = Technician::at(&screen, 0);
    let mut expected = (0, 0);
    for step in 1..=60 {
        // More than the screen is wide, all in all.
        let (dx, dy) = (20 + step % 3, -(step % 7));
        technician.does(&Wire::MoveBy { dx, dy }).unwrap();
        expected = (expected.0 + i32::from(dx), expected.1 + i32::from(dy));
        game.until_turned_by(expected);
    }
    assert!(expected.0 > 800);
    technician.does(&Wire::Press { button: Button::Left, down: true, at: Aim::Here }).unwrap();
    assert_eq!(game.pressed_at(), (400, 300), "a button moves nothing");
}

#[test]
fn a_dropped_input_lets_go() {
    let server = Server::start("640x480x24");
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 640, 480);
    let mut technician = Technician::at(&screen, 0);
    technician.key(true, 0x04, 0, "a");
    assert_eq!(listener.heard().len(), 1);
    drop(technician);
    assert_eq!(listener.heard(), [(false, 38, 0, 0)]);
}

#[test]
fn windows_of_our_own_take_no_remote_input() {
    let server = Server::start("640x480x24");
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 300, 480);
    let mut technician = Technician::at(&screen, std::process::id());
    let (own, other) = (place(100, 100, 640, 480), place(400, 100, 640, 480));
    let press = |at: Place| Wire::Press { button: Button::Left, down: true, at: at.into() };
    let refused = |done: Result<(), DesktopError>| matches!(done, Err(DesktopError::OwnWindow));
    technician.does(&Wire::Move(own)).unwrap();
    assert!(refused(technician.does(&press(own))));
    assert!(refused(technician.does(&Wire::Wheel { dx: 0, dy: 120, at: own.into() })));
    let key = Wire::Key { down: true, usage: 0x04, modifiers: Modifiers(0), text: "a".to_owned() };
    assert!(refused(technician.does(&key)), "the focus is on it");
    assert!(refused(technician.does(&Wire::Key {
        down: true,
        usage: 0x28,
        modifiers: Modifiers(0),
        text: String::new()
    })));
    assert!(refused(technician.does(&Wire::Text("ab".to_owned()))));
    assert!(refused(technician.does(&Wire::Combination(Combination::ControlAltDelete))));
    technician
        .does(&Wire::Key { down: false, usage: 0x04, modifiers: Modifiers(0), text: String::new() })
        .unwrap();
    assert_eq!(listener.heard(), [], "nothing at all reached it");
    technician.does(&press(other)).unwrap();
    // By steps onto it.
    technician.does(&Wire::ReleaseAll).unwrap();
    technician.does(&Wire::MoveBy { dx: -200, dy: 0 }).unwrap();
    assert!(refused(technician.does(&Wire::Press { button: Button::Left, down: true, at: Aim::Here })));
    assert!(refused(technician.does(&Wire::Wheel { dx: 0, dy: -120, at: Aim::Here })));
    assert_eq!(listener.heard(), [], "nothing of it either");
    technician.does(&press(other)).unwrap();
    listener
        .x
        .set_input_focus(InputFocus::POINTER_ROOT, InputFocus::POINTER_ROOT, x11rb::CURRENT_TIME)
        .unwrap();
    listener.x.get_input_focus().unwrap().reply().unwrap();
    technician.does(&key).unwrap();
    technician.does(&Wire::ReleaseAll).unwrap();
    technician.does(&Wire::Move(own)).unwrap();
    assert!(refused(technician.does(&key)), "the focus follows the pointer");
    // A window that does not say whose it is, of a program that says it is ours by its property only.
    let other_process = Technician::at(&screen, 0);
    drop(other_process);
    let pid = listener.x.intern_atom(false, b"_NET_WM_PID").unwrap().reply().unwrap().atom;
    x11rb::wrapper::ConnectionExt::change_property32(
        &listener.x,
        x11rb::protocol::xproto::PropMode::REPLACE,
        listener.window,
        pid,
        x11rb::protocol::xproto::AtomEnum::CARDINAL,
        &[4_000_000],
    )
    .unwrap();
    listener.x.get_input_focus().unwrap().reply().unwrap();
    let mut technician = Technician::at(&screen, 4_000_000);
    assert!(refused(technician.does(&press(own))));
    let viewer = technician.input.apply(technician.user.view(), &press(other));
    assert!(matches!(viewer, Err(DesktopError::WrongRight { needed: Right::RemoteControl, .. })));
}

const HARD: &str = "Grüße äöüß ÄÖÜ €uro m@il {[]}\\|~ \"'`^ <>; Ω привет ЁЖ مرحبا 漢字かな 😀🎉 žluťoučký kůň ¿ñ? ½ × 5 ≠ “x”… fin";

fn types_everything(layout: &[&str]) {
    let server = Server::start("1000x700x24");
    server.done("setxkbmap", layout);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let written = Scratch::new(&format!("typed-{}", layout[0]));
    let _terminal = terminal(&server, &written);
    let mut technician = Technician::at(&screen, std::process::id());
    technician.does(&Wire::Move(place(200, 200, 1000, 700))).unwrap();
    let long: String = (0..240).map(|n| char::from(b' ' + (n * 7 % 95) as u8)).collect();
    let mut many: String = (0x4e00..0x4e00 + 200).filter_map(char::from_u32).collect();
    many.push_str(&many.clone().chars().rev().collect::<String>());
    let expected =
        format!("{HARD}\n{long}\n{}\n{HARD}\n{many}\n", "Mixed Case AND shift; 0-9 {ok}!".repeat(8));
    for piece in [
        HARD,
        "\r\n",
        &long,
        "\n",
        &"Mixed Case AND shift; 0-9 {ok}!".repeat(8),
        "\n",
        HARD,
        "\n",
        &many,
        "\n",
    ] {
        technician.does(&Wire::Text(piece.to_owned())).unwrap();
    }
    // End of file: Control held physically, the letter by its name.
    technician.key(true, 0xe0, CONTROL, "");
    technician.tap(0x07, CONTROL, "d");
    technician.key(false, 0xe0, 0, "");
    until("all of it arrived", || written.text().len() >= expected.len());
    assert_eq!(written.text(), expected);
}

#[test]
fn any_text_arrives_in_a_terminal_under_a_us_layout() {
    types_everything(&["us"]);
}

#[test]
fn any_text_arrives_in_a_terminal_under_a_german_layout() {
    types_everything(&["de"]);
}

#[test]
fn any_text_arrives_in_a_terminal_under_two_layouts() {
    types_everything(&["us,ru"]);
}

#[test]
fn keys_type_what_the_technician_sees_whatever_both_layouts_are() {
    for layout in ["us", "de", "fr"] {
        let server = Server::start("1000x700x24");
        server.done("setxkbmap", &[layout]);
        let screen = Screen::open(Some(&server.display)).unwrap();
        let written = Scratch::new(&format!("keys-{layout}"));
        let _terminal = terminal(&server, &written);
        let mut technician = Technician::at(&screen, std::process::id());
        technician.does(&Wire::Move(place(200, 200, 1000, 700))).unwrap();
        // A German technician: z is where others have y, Shift+7 is a slash, AltGr+Q an at sign, AltGr+E the Euro.
        technician.tap(0x1c, 0, "z");
        technician.tap(0x1d, 0, "y");
        technician.key(true, 0xe1, SHIFT, "");
        technician.tap(0x24, SHIFT, "/");
        technician.tap(0x04, SHIFT, "A");
        technician.key(false, 0xe1, 0, "");
        technician.tap(0x2f, 0, "ü");
        technician.key(true, 0xe6, ALT_GRAPH, "");
        technician.tap(0x14, ALT_GRAPH, "@");
        technician.tap(0x08, ALT_GRAPH, "€");
        technician.key(false, 0xe6, 0, "");
        // The same from Windows, where AltGr is Control and Alt.
        technician.key(true, 0xe0, CONTROL, "");
        technician.key(true, 0xe6, CONTROL | Modifiers::ALT, "");
        technician.tap(0x14, CONTROL | Modifiers::ALT | ALT_GRAPH, "@");
        technician.key(false, 0xe6, 0, "");
        technician.key(false, 0xe0, 0, "");
        // A mistake and its correction, a digit of the keypad, Caps Lock at the technician's only.
        technician.tap(0x1b, 0, "x");
        technician.tap(0x2a, 0, "");
        technician.tap(0x5d, 0, "5");
        technician.tap(0x39, Modifiers::CAPS_LOCK, "");
        technician.tap(0x05, Modifiers::CAPS_LOCK, "B");
        // Repetition: the console says it again.
        technician.key(true, 0x06, 0, "c");
        technician.key(true, 0x06, 0, "c");
        technician.key(false, 0x06, 0, "");
        technician.tap(0, 0, "ê");
        technician.tap(0x28, 0, "");
        until("the line", || written.text().ends_with('\n'));
        assert_eq!(written.text(), "zy/Aü@€@5Bccê\n", "{layout}");
    }
}

#[test]
fn the_panic_key_is_heard_whatever_locks_are_on_and_wherever_the_focus_is() {
    let server = Server::start("640x480x24");
    let screen = Screen::open(Some(&server.display)).unwrap();
    let listener = Listener::on(&server, 640, 480);
    let (sender, pressed) = mpsc::channel();
    let panic_key = PanicKey::take(&screen, move || sender.send(()).unwrap()).unwrap();
    let root = listener.x.setup().roots[0].root;
    let tap = |keycode: u8| {
        for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            listener.x.xtest_fake_input(kind, keycode, 0, root, 0, 0, 0).unwrap();
        }
        listener.x.get_input_focus().unwrap().reply().unwrap();
    };
    let (pause, caps_lock, num_lock) = (127, 66, 77);
    for lock in [None, Some(caps_lock), Some(num_lock)] {
        lock.map(tap);
        tap(pause);
        pressed.recv_timeout(Duration::from_secs(5)).unwrap();
    }
    let second = PanicKey::take(&screen, || ()).err().unwrap();
    assert!(matches!(second, DesktopError::PanicKeyTaken), "{second}");
    listener.heard();
    // The technician cannot press it.
    let mut technician = Technician::at(&screen, 0);
    technician.tap(0x48, 0, "");
    assert!(pressed.recv_timeout(Duration::from_millis(200)).is_err());
    drop(panic_key);
    tap(pause);
    assert_eq!(listener.heard(), [(true, pause, 0, 0), (false, pause, 0, 0)], "given back");
    assert!(PanicKey::take(&screen, || ()).is_ok());
}
