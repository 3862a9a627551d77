//! A real X server for each test, and a real grant.
#![allow(dead_code, clippy::unwrap_used)] // shared by several programs, none of which uses all of it

pub mod technician;

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use belay_permission::{Admission, Admitted, Answer, Charter, Input, Output, Permission};
use belay_wire::input::Input as Wire;
use belay_wire::message::View;
use belay_wire::{Message, Moment, Right, Rights, SessionId};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, Gcontext, ImageFormat, Rectangle, Window,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;

/// An X server, stopped when dropped.
pub struct Server {
    child: Child,
    pub display: String,
    /// What is removed with it.
    files: Vec<Scratch>,
}

impl Server {
    /// Starts one of this size on a display of its own choice.
    pub fn start(size: &str) -> Server {
        let words = ["-screen", "0", size, "-ac"].map(str::to_owned);
        Server::of("Xvfb", "xvfb", &words)
    }

    /// Starts an Xorg with monitors `DUMMY0` to `DUMMY15`, of which only the first is plugged in. Xvfb has only one.
    pub fn with_outputs() -> Server {
        Server::xorg(|_| OUTPUTS.to_owned())
    }

    /// Starts an Xorg with a mouse that scrolls smoothly, as drivers of real mice and touch pads report it. Xvfb's does not.
    pub fn with_smooth_wheel() -> Server {
        Server::xorg(|path| format!("{OUTPUTS}{}", SMOOTH_MOUSE.replace("PATH", path)))
    }

    fn xorg(configure: impl FnOnce(&str) -> String) -> Server {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let configuration = Scratch::new(&format!("xorg-{number}"));
        let path = configuration.path().to_str().unwrap();
        std::fs::write(configuration.path(), configure(path)).unwrap();
        let words = ["-config", path, "-logfile", "/dev/null", "-novtswitch", "-sharevts", "vt7"];
        let words = words.map(str::to_owned);
        let socket = Scratch(format!("{path}.mouse").into());
        let packages = "xserver-xorg-core and xserver-xorg-video-dummy";
        let mut server = Server::of("Xorg", packages, &words);
        server.files = vec![configuration, socket];
        server
    }

    /// Starts one whose screen, a window on another server, can be turned. Xvfb and Xorg's dummy cannot do that.
    pub fn that_turns(around: &Server, size: &str) -> Server {
        let words = ["-screen", size, "-ac"].map(str::to_owned);
        let mut program = Command::new("Xephyr");
        program.env("DISPLAY", &around.display);
        Server::run_by(program, "xserver-xephyr", &words)
    }

    fn of(program: &str, package: &str, words: &[String]) -> Server {
        Server::run_by(Command::new(program), package, words)
    }

    fn run_by(mut program: Command, package: &str, words: &[String]) -> Server {
        let (mut numbers, writing) = std::io::pipe().unwrap();
        let child = program
            .args(words)
            .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"])
            .stdout(writing)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("these tests need the Debian package {package}: {error}"));
        let mut number = Vec::new();
        let mut byte = [0];
        while numbers.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            number.push(byte[0]);
        }
        let display = format!(":{}", String::from_utf8(number).unwrap());
        Server { child, display, files: Vec::new() }
    }

    /// Changes monitors by xrandr.
    pub fn xrandr(&self, words: &str) {
        self.done("xrandr", &words.split(' ').collect::<Vec<_>>());
    }

    /// A program on this display, stopped when dropped.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new(program);
        command.args(arguments).env("DISPLAY", &self.display).env("LC_ALL", "C.UTF-8").stderr(Stdio::null());
        Program(
            command.spawn().unwrap_or_else(|error| panic!("these tests need the program {program}: {error}")),
        )
    }

    /// A program on this display that must succeed.
    pub fn done(&self, program: &str, arguments: &[&str]) {
        let mut program = self.run(program, arguments);
        assert!(program.0.wait().unwrap().success());
    }
}

/// A graphics card that exists only in memory.
const OUTPUTS: &str = r#"
Section "ServerFlags"
  Option "AutoAddDevices" "false"
EndSection
Section "Device"
  Identifier "card"
  Driver "dummy"
  VideoRam 128000
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5-1000
  VertRefresh 5-200
EndSection
Section "Screen"
  Identifier "screen"
  Monitor "monitor"
  Device "card"
  DefaultDepth 24
  SubSection "Display"
    Modes "1280x1024" "1024x768"
  EndSubSection
EndSection
"#;

/// A mouse that exists only in memory; its socket, by which it could be moved, lies beside the configuration.
const SMOOTH_MOUSE: &str = r#"
Section "InputDevice"
  Identifier "mouse"
  Driver "inputtest"
  Option "DeviceType" "Pointer"
  Option "SocketPath" "PATH.mouse"
EndSection
Section "ServerLayout"
  Identifier "layout"
  Screen "screen"
  InputDevice "mouse"
EndSection
"#;

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that paints on the desktop.
pub struct Painter {
    pub x: RustConnection,
    pub root: Window,
    pub gc: Gcontext,
}

impl Painter {
    pub fn on(server: &Server) -> Painter {
        let (x, screen) = RustConnection::connect(Some(&server.display)).unwrap();
        let root = x.setup().roots[screen].root;
        let gc = x.generate_id().unwrap();
        x.create_gc(gc, root, &CreateGCAux::new()).unwrap();
        Painter { x, root, gc }
    }

    pub fn fill(&self, x: i16, y: i16, width: u16, height: u16, colour: u32) {
        self.fill_in(self.root, x, y, width, height, colour);
    }

    /// A window without a frame at this place.
    pub fn window(&self, x: i16, y: i16, width: u16, height: u16) -> Window {
        let window = self.x.generate_id().unwrap();
        let look = CreateWindowAux::new().override_redirect(1).background_pixel(0);
        let class = WindowClass::INPUT_OUTPUT;
        self.x.create_window(0, window, self.root, x, y, width, height, 0, class, 0, &look).unwrap();
        self.x.map_window(window).unwrap();
        self.x.get_input_focus().unwrap().reply().unwrap();
        window
    }

    pub fn fill_in(&self, window: Window, x: i16, y: i16, width: u16, height: u16, colour: u32) {
        self.x.change_gc(self.gc, &ChangeGCAux::new().foreground(colour)).unwrap();
        self.x.poly_fill_rectangle(window, self.gc, &[Rectangle { x, y, width, height }]).unwrap();
        self.x.get_input_focus().unwrap().reply().unwrap();
    }

    pub fn image(&self, x: i16, y: i16, width: u16, height: u16) -> Vec<u32> {
        let image = self
            .x
            .get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, height, !0)
            .unwrap()
            .reply()
            .unwrap();
        let words =
            image.data.chunks_exact(4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]) & 0xff_ffff);
        words.collect()
    }

    pub fn point(&self, x: i16, y: i16) {
        self.x.warp_pointer(x11rb::NONE, self.root, 0, 0, 0, 0, x, y).unwrap();
        self.x.get_input_focus().unwrap().reply().unwrap();
    }
}

/// Waits until something is so, at most ten seconds.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(10), "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An end user who has allowed everything.
pub struct EndUser(Permission);

impl EndUser {
    pub fn who_allows_everything() -> EndUser {
        let mut permission = Permission::new();
        let mut now = Moment(1_000_000);
        let all = Rights::from_iter(Right::ALL);
        let charter = Charter {
            session: SessionId::from_bytes([1; 16]),
            account: "Example GmbH".to_owned(),
            technician: "Tess Example".to_owned(),
            domain: "help.example".to_owned(),
            rights: all,
            single_prompt: true,
            expires: now + Duration::from_secs(3600),
        };
        permission.handle(Input::CharterAccepted(charter), now);
        permission.handle(Input::Request { request: 1, rights: all }, now);
        while let Some(output) = permission.poll() {
            if let Output::ShowPrompt { prompt, answerable_at, .. } = output {
                now = answerable_at + Duration::from_millis(1);
                permission.handle(Input::Tick, now);
                permission.handle(Input::Answer { prompt, answer: Answer::Allow }, now);
            }
        }
        EndUser(permission)
    }

    pub fn admits(&self, message: &Message) -> Admitted {
        match self.0.admit(message).unwrap() {
            Admission::With(admitted) => admitted,
            Admission::Free => panic!("this message needs no right"),
        }
    }

    pub fn view(&self) -> Admitted {
        self.admits(&Message::ScreenOpen(View::of(0)))
    }

    pub fn control(&self) -> Admitted {
        self.admits(&Message::Input(Wire::ReleaseAll))
    }
}

/// Writes a file for a test to read, and removes it afterwards.
pub struct Scratch(pub std::path::PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("belay-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
