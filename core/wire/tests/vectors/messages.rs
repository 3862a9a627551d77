//! Every message between console and applet, with its bytes.

use std::collections::BTreeSet;

use belay_wire::charter::SIGNATURE;
use belay_wire::input::{Aim, Button, Combination, Input, Modifiers, Place};
use belay_wire::link::Class;
use belay_wire::message::{
    Cause, CharterVerdict, CursorShape, EndedBy, Message, Monitor, Outcome, ScreenTimings, ScreenUpdate,
    Sender, Stage, VideoFormat, View,
};
use belay_wire::{Right, Rights};
use serde_json::{Value, json};

/// Every kind byte of `docs/protocol/messages.md`.
const KINDS: [u8; 38] = [
    0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x20, 0x21, 0x22,
    0x23, 0x24, 0x25, 0x26, 0x30, 0x31, 0x32, 0x33, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x50,
    0x51, 0x60, 0x61, 0x62,
];

#[test]
fn messages_are_what_the_vectors_say() {
    let samples = samples();
    let seen: BTreeSet<u8> = samples.iter().map(|(_, message)| message.kind()).collect();
    assert_eq!(seen, BTreeSet::from(KINDS), "a vector for every kind");
    let vectors: Vec<Value> = samples.iter().map(|(name, message)| vector(name, message)).collect();
    super::compare_with_file("messages.json", &vectors);
}

fn vector(name: &str, message: &Message) -> Value {
    let bytes = message.encode();
    assert_eq!(Message::decode(&bytes).as_ref(), Ok(message), "{name}");
    assert_eq!(bytes.first(), Some(&message.kind()), "{name}");
    let class = match message.class() {
        Class::Ordered => "ordered",
        Class::Input => "input",
        Class::Screen => "screen",
        Class::Cursor => "cursor",
        Class::Seen => "seen",
    };
    let sender = match message.sender() {
        Sender::Console => "console",
        Sender::Applet => "applet",
        Sender::Either => "either",
    };
    json!({ "name": name, "hex": hex::encode(&bytes), "class": class, "sender": sender, "message": fields(message) })
}

fn samples() -> Vec<(&'static str, Message)> {
    let mut all = conversation();
    all.extend(rights());
    all.extend(screen());
    all.extend(paths());
    all.extend(input().into_iter().map(|(name, input)| (name, Message::Input(input))));
    all
}

fn conversation() -> Vec<(&'static str, Message)> {
    let mut signature = [0u8; SIGNATURE];
    signature.iter_mut().zip(0u8..).for_each(|(byte, at)| *byte = at);
    let line =
        [0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0];
    vec![
        ("charter", Message::Charter { document: br#"{"v":"belay-charter/1"}"#.to_vec(), signature }),
        ("chat", Message::Chat { line, text: "Grüße, 世界 👋\nzweite Zeile".to_owned() }),
        ("chat, empty", Message::Chat { line: [0; 16], text: String::new() }),
        ("typing", Message::Typing(true)),
        ("not typing", Message::Typing(false)),
        ("end by end user", Message::End(EndedBy::EndUser)),
        ("end by technician", Message::End(EndedBy::Technician)),
        (
            "welcome",
            Message::Welcome {
                version: "0.1.0".to_owned(),
                platform: "linux-x86_64".to_owned(),
                language: "de".to_owned(),
            },
        ),
    ]
}

fn rights() -> Vec<(&'static str, Message)> {
    let view = Rights::from(Right::DesktopView);
    let both = view.with(Right::RemoteControl);
    let mut all = vec![
        ("request for view", Message::Request { request: 1, rights: view }),
        ("request for both", Message::Request { request: 0xfedc_ba98, rights: both }),
        ("cancel", Message::Cancel { request: 7 }),
        ("release", Message::Release(Rights::from(Right::RemoteControl))),
        ("denied view", Message::Denied { right: Right::DesktopView, kind: 0x21 }),
        ("denied control", Message::Denied { right: Right::RemoteControl, kind: 0x43 }),
        ("link proof", Message::LinkProof([0xa5; 32])),
        ("link proved", Message::LinkProved([0x5a; 32])),
        ("no link secret", Message::NoLinkSecret),
    ];
    all.extend(
        Outcome::ALL.map(|outcome| ("decision", Message::Decision { request: 2, rights: both, outcome })),
    );
    all.extend(CharterVerdict::ALL.map(|verdict| ("charter checked", Message::CharterChecked(verdict))));
    all.extend(Cause::ALL.map(|cause| ("withdrawn", Message::Withdrawn { rights: both, cause })));
    all
}

fn screen() -> Vec<(&'static str, Message)> {
    let monitor = |id, primary, x, y, width, height, name: &str| Monitor {
        id,
        primary,
        x,
        y,
        width,
        height,
        name: name.to_owned(),
    };
    vec![
        ("open whole desktop", Message::ScreenOpen(View::of(255))),
        ("want a monitor with video", Message::ScreenWanted(View { monitor: 0, video: VideoFormat::Av1 })),
        ("open monitor with video", Message::ScreenOpen(View { monitor: 1, video: VideoFormat::Av1 })),
        ("close screen", Message::ScreenClose),
        (
            "monitors",
            Message::Monitors {
                chosen: 255,
                list: vec![
                    monitor(0, true, 0, 0, 1920, 1080, "HDMI-1"),
                    monitor(1, false, -1280, -200, 1280, 1024, "Büro"),
                ],
            },
        ),
        ("no monitors", Message::Monitors { chosen: 255, list: Vec::new() }),
        (
            "cursor shape",
            Message::CursorShape(CursorShape {
                hot_x: 3,
                hot_y: 4,
                width: 24,
                height: 256,
                rgba_zstd: vec![0x28, 0xb5, 0x2f, 0xfd, 0x00],
            }),
        ),
        (
            "cursor hidden",
            Message::CursorShape(CursorShape {
                hot_x: 0,
                hot_y: 0,
                width: 0,
                height: 0,
                rgba_zstd: Vec::new(),
            }),
        ),
        ("resync", Message::ScreenResync),
        (
            "screen update",
            Message::ScreenUpdate(ScreenUpdate {
                number: 0x0102_0304,
                base: 0x0102_0303,
                width: 1920,
                height: 1080,
                more: true,
                raw_len: 12,
                operations_zstd: vec![0x28, 0xb5, 0x2f, 0xfd, 0xff],
            }),
        ),
        ("cursor position", Message::CursorPosition { x: 1919, y: 1079 }),
        ("screen seen", Message::ScreenSeen { number: u32::MAX }),
        ("screen watch", Message::ScreenWatch(true)),
        (
            "screen timings",
            Message::ScreenTimings(ScreenTimings {
                captures: 30,
                wait: Stage { mean: 0, longest: 1 },
                capture: Stage { mean: 290, longest: 1_100 },
                encode: Stage { mean: 0x0102_0304, longest: u32::MAX },
                send: Stage { mean: 200, longest: 900 },
            }),
        ),
    ]
}

fn paths() -> Vec<(&'static str, Message)> {
    let sdp = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\n".to_owned();
    let candidate = "candidate:1 1 UDP 2130706431 192.0.2.1 50000 typ host".to_owned();
    vec![
        ("path offer", Message::PathOffer { attempt: 1, sdp: sdp.clone() }),
        ("path answer", Message::PathAnswer { attempt: u32::MAX, sdp }),
        ("path candidate", Message::PathCandidate { attempt: 2, candidate }),
        ("path candidate, the last", Message::PathCandidate { attempt: 2, candidate: String::new() }),
        ("path gone", Message::PathGone { attempt: 3 }),
    ]
}

fn input() -> Vec<(&'static str, Input)> {
    let place = Place { monitor: 1, x: 32768, y: 65535 };
    let at = Aim::At(place);
    let key = |down, usage, modifiers, text: &str| Input::Key {
        down,
        usage,
        modifiers: Modifiers(modifiers),
        text: text.to_owned(),
    };
    let mut all = vec![
        ("move", Input::Move(place)),
        ("wheel", Input::Wheel { dx: -120, dy: 240, at }),
        ("wheel, extremes", Input::Wheel { dx: i16::MIN, dy: i16::MAX, at }),
        ("key down", key(true, 0x04, Modifiers::SHIFT, "A")),
        ("key up", key(false, 0x04, 0, "")),
        ("key with AltGr", key(true, 0x08, Modifiers::ALT_GRAPH | Modifiers::CAPS_LOCK, "€")),
        ("key unknown", key(true, 0, Modifiers::CONTROL | Modifiers::ALT | Modifiers::META, "ß")),
        ("text", Input::Text("Größe\t👩‍💻".to_owned())),
        ("combination", Input::Combination(Combination::ControlAltDelete)),
        ("release all", Input::ReleaseAll),
        ("move by", Input::MoveBy { dx: -3, dy: 500 }),
        ("move by, extremes", Input::MoveBy { dx: i16::MAX, dy: i16::MIN }),
        ("button down here", Input::Press { button: Button::Left, down: true, at: Aim::Here }),
        ("wheel here", Input::Wheel { dx: 0, dy: -120, at: Aim::Here }),
    ];
    all.extend(Button::ALL.map(|button| ("button down", Input::Press { button, down: true, at })));
    all.push(("button up", Input::Press { button: Button::Left, down: false, at }));
    all
}

fn fields(message: &Message) -> Value {
    match message {
        Message::Charter { document, signature } => {
            json!({ "kind": "charter", "document": hex::encode(document), "signature": hex::encode(signature) })
        }
        Message::Chat { line, text } => json!({ "kind": "chat", "line": hex::encode(line), "text": text }),
        Message::Typing(on) => json!({ "kind": "typing", "on": on }),
        Message::End(by) => {
            let by = match by {
                EndedBy::EndUser => "end_user",
                EndedBy::Technician => "technician",
            };
            json!({ "kind": "end", "by": by })
        }
        Message::Request { request, rights } => {
            json!({ "kind": "request", "request": request, "rights": names(*rights) })
        }
        Message::Cancel { request } => json!({ "kind": "cancel", "request": request }),
        Message::Release(rights) => json!({ "kind": "release", "rights": names(*rights) }),
        Message::Decision { request, rights, outcome } => {
            let outcome = match outcome {
                Outcome::Granted => "granted",
                Outcome::Refused => "refused",
                Outcome::TimedOut => "timed_out",
                Outcome::NotAllowed => "not_allowed",
                Outcome::Busy => "busy",
                Outcome::OutOfOrder => "out_of_order",
            };
            json!({ "kind": "decision", "request": request, "rights": names(*rights), "outcome": outcome })
        }
        Message::Withdrawn { rights, cause } => {
            let cause = match cause {
                Cause::EndUser => "end_user",
                Cause::Technician => "technician",
                Cause::Dependent => "dependent",
                Cause::Failure => "failure",
                Cause::Offline => "offline",
            };
            json!({ "kind": "withdrawn", "rights": names(*rights), "cause": cause })
        }
        Message::Denied { right, kind } => {
            json!({ "kind": "denied", "right": right.name(), "refused": kind })
        }
        Message::LinkProof(proof) => json!({ "kind": "link_proof", "proof": hex::encode(proof) }),
        Message::LinkProved(proof) => json!({ "kind": "link_proved", "proof": hex::encode(proof) }),
        Message::NoLinkSecret => json!({ "kind": "no_link_secret" }),
        Message::CharterChecked(verdict) => {
            let verdict = match verdict {
                CharterVerdict::Accepted => "accepted",
                CharterVerdict::Signature => "signature",
                CharterVerdict::Document => "document",
                CharterVerdict::Foreign => "foreign",
                CharterVerdict::Time => "time",
            };
            json!({ "kind": "charter_checked", "verdict": verdict })
        }
        Message::Welcome { version, platform, language } => {
            json!({ "kind": "welcome", "version": version, "platform": platform, "language": language })
        }
        Message::ScreenOpen(view) => shown("screen_open", *view),
        Message::ScreenWanted(view) => shown("screen_wanted", *view),
        Message::ScreenClose => json!({ "kind": "screen_close" }),
        Message::Monitors { chosen, list } => {
            let list: Vec<Value> = list
                .iter()
                .map(|m| {
                    json!({ "id": m.id, "name": m.name, "x": m.x, "y": m.y, "width": m.width, "height": m.height,
                            "primary": m.primary })
                })
                .collect();
            json!({ "kind": "monitors", "chosen": chosen, "list": list })
        }
        Message::CursorShape(shape) => json!({
            "kind": "cursor_shape", "hotX": shape.hot_x, "hotY": shape.hot_y, "width": shape.width,
            "height": shape.height, "rgbaZstd": hex::encode(&shape.rgba_zstd)
        }),
        Message::ScreenResync => json!({ "kind": "screen_resync" }),
        Message::ScreenUpdate(update) => json!({
            "kind": "screen_update", "number": update.number, "base": update.base, "width": update.width,
            "height": update.height, "more": update.more, "rawLength": update.raw_len,
            "operationsZstd": hex::encode(&update.operations_zstd)
        }),
        Message::CursorPosition { x, y } => json!({ "kind": "cursor_position", "x": x, "y": y }),
        Message::ScreenWatch(on) => json!({ "kind": "screen_watch", "on": on }),
        Message::ScreenTimings(timings) => {
            let stage = |of: &Stage| json!({ "mean": of.mean, "longest": of.longest });
            json!({ "kind": "screen_timings", "captures": timings.captures, "wait": stage(&timings.wait),
                    "capture": stage(&timings.capture), "encode": stage(&timings.encode), "send": stage(&timings.send) })
        }
        Message::ScreenSeen { number } => json!({ "kind": "screen_seen", "number": number }),
        Message::PathOffer { attempt, sdp } => {
            json!({ "kind": "path_offer", "attempt": attempt, "sdp": sdp })
        }
        Message::PathAnswer { attempt, sdp } => {
            json!({ "kind": "path_answer", "attempt": attempt, "sdp": sdp })
        }
        Message::PathCandidate { attempt, candidate } => {
            json!({ "kind": "path_candidate", "attempt": attempt, "candidate": candidate })
        }
        Message::PathGone { attempt } => json!({ "kind": "path_gone", "attempt": attempt }),
        Message::Input(input) => input_fields(input),
    }
}

fn shown(kind: &str, View { monitor, video }: View) -> Value {
    let video = match video {
        VideoFormat::None => "none",
        VideoFormat::Av1 => "av1",
    };
    json!({ "kind": kind, "monitor": monitor, "video": video })
}

fn input_fields(input: &Input) -> Value {
    let place = |at: &Place| json!({ "monitor": at.monitor, "x": at.x, "y": at.y });
    let aim = |at: &Aim| match at {
        Aim::At(at) => place(at),
        Aim::Here => json!("here"),
    };
    match input {
        Input::Move(at) => json!({ "kind": "move", "at": place(at) }),
        Input::Press { button, down, at } => {
            let button = match button {
                Button::Left => "left",
                Button::Middle => "middle",
                Button::Right => "right",
                Button::Back => "back",
                Button::Forward => "forward",
            };
            json!({ "kind": "press", "button": button, "down": down, "at": aim(at) })
        }
        Input::Wheel { dx, dy, at } => json!({ "kind": "wheel", "dx": dx, "dy": dy, "at": aim(at) }),
        Input::MoveBy { dx, dy } => json!({ "kind": "move_by", "dx": dx, "dy": dy }),
        Input::Key { down, usage, modifiers, text } => {
            json!({ "kind": "key", "down": down, "usage": usage, "modifiers": modifiers.0, "text": text })
        }
        Input::Text(text) => json!({ "kind": "text", "text": text }),
        Input::Combination(combination) => {
            let combination = match combination {
                Combination::ControlAltDelete => "ctrl_alt_del",
            };
            json!({ "kind": "combination", "combination": combination })
        }
        Input::ReleaseAll => json!({ "kind": "release_all" }),
    }
}

fn names(rights: Rights) -> Vec<&'static str> {
    rights.iter().map(Right::name).collect()
}
