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

/// An Xvfb, stopped when dropped.
pub struct Server {
    child: Child,
    pub display: String,
}

impl Server {
    /// Starts one of this size on a display of its own choice.
    pub fn start(size: &str) -> Server {
        let (mut numbers, writing) = std::io::pipe().unwrap();
        let child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-noreset", "-ac"])
            .stdout(writing)
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need the program Xvfb (Debian package xvfb)");
        let mut number = Vec::new();
        let mut byte = [0];
        while numbers.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            number.push(byte[0]);
        }
        let display = format!(":{}", String::from_utf8(number).unwrap());
        Server { child, display }
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
