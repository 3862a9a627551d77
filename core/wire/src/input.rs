//! Mouse and keyboard, console → applet. Spec: `docs/protocol/messages.md`.

use crate::codec::{Reader, WireError, Writer};

/// Longest text typed at once, in bytes.
pub const MAX_TEXT: usize = 4096;
/// Longest text one key can make, in bytes.
pub const MAX_KEY_TEXT: usize = 32;

/// A place on a monitor: 0 is its left or top edge pixel, 65535 its right or bottom edge pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The monitor's id; 255 is the whole desktop.
    pub monitor: u8,
    /// From the left.
    pub x: u16,
    /// From the top.
    pub y: u16,
}

/// The monitor's number in an aim that says [`Aim::Here`]; no monitor has it.
const HERE: u8 = 254;

/// Where a button or the wheel acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// There: the pointer goes there first.
    At(Place),
    /// Where the pointer is, wherever that may be: whoever moves it by steps does not know. On the wire monitor 254 at 0, 0.
    Here,
}

impl From<Place> for Aim {
    fn from(place: Place) -> Aim {
        Aim::At(place)
    }
}

/// A mouse button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Button {
    /// The main button.
    Left = 1,
    /// The wheel pressed.
    Middle = 2,
    /// The context menu.
    Right = 3,
    /// One page back.
    Back = 4,
    /// One page forward.
    Forward = 5,
}

impl Button {
    /// Every button, in the order of their numbers.
    pub const ALL: [Button; 5] = [Button::Left, Button::Middle, Button::Right, Button::Back, Button::Forward];
}

/// Modifiers held at the console while a key went down: a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers(pub u8);

impl Modifiers {
    /// Shift.
    pub const SHIFT: u8 = 1;
    /// Control.
    pub const CONTROL: u8 = 2;
    /// Alt.
    pub const ALT: u8 = 4;
    /// Windows, Command or Super.
    pub const META: u8 = 8;
    /// AltGr.
    pub const ALT_GRAPH: u8 = 16;
    /// Caps Lock is on.
    pub const CAPS_LOCK: u8 = 32;

    /// Whether this bit is set.
    pub const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// Key combinations that a browser cannot type for the technician.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Combination {
    /// Ctrl+Alt+Del.
    ControlAltDelete = 1,
}

/// One thing the technician did with mouse or keyboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// 0x40 `[u8 monitor][u16 x][u16 y]`.
    Move(Place),
    /// 0x41 `[u8 button][u8 down][u8 monitor][u16 x][u16 y]`.
    Press {
        /// Which button.
        button: Button,
        /// Down or up.
        down: bool,
        /// Where.
        at: Aim,
    },
    /// 0x42 `[i16 dx][i16 dy][u8 monitor][u16 x][u16 y]`, in 1/120 of a wheel notch; positive is right and down.
    Wheel {
        /// To the right.
        dx: i16,
        /// Down.
        dy: i16,
        /// Where.
        at: Aim,
    },
    /// 0x43 `[u8 down][u16 usage][u8 modifiers][text]`: usage is the physical key on the USB HID keyboard page (7), 0 if unknown;
    /// text is what the key types in the technician's layout, empty for keys that type nothing.
    Key {
        /// Down or up.
        down: bool,
        /// USB HID usage.
        usage: u16,
        /// Modifiers held at the console.
        modifiers: Modifiers,
        /// What it types.
        text: String,
    },
    /// 0x44 `[text]`: type this text, whatever the layout.
    Text(String),
    /// 0x45 `[u8]`.
    Combination(Combination),
    /// 0x46: let go of every key and button (focus lost).
    ReleaseAll,
    /// 0x47 `[i16 dx][i16 dy]`: moves the pointer by so many pixels of the picture, right and down positive.
    MoveBy {
        /// To the right.
        dx: i16,
        /// Down.
        dy: i16,
    },
}

pub(crate) const MOVE: u8 = 0x40;
pub(crate) const PRESS: u8 = 0x41;
pub(crate) const WHEEL: u8 = 0x42;
pub(crate) const KEY: u8 = 0x43;
pub(crate) const TEXT: u8 = 0x44;
pub(crate) const COMBINATION: u8 = 0x45;
pub(crate) const RELEASE_ALL: u8 = 0x46;
pub(crate) const MOVE_BY: u8 = 0x47;

impl Place {
    fn read(r: &mut Reader<'_>) -> Result<Place, WireError> {
        match Aim::read(r)? {
            Aim::At(place) => Ok(place),
            Aim::Here => Err(WireError::Unknown { what: "monitor", value: u64::from(HERE) }),
        }
    }

    fn write(self, w: &mut Writer) -> &mut Writer {
        w.u8(self.monitor).u16(self.x).u16(self.y)
    }
}

impl Aim {
    fn read(r: &mut Reader<'_>) -> Result<Aim, WireError> {
        match (r.u8()?, r.u16()?, r.u16()?) {
            (HERE, 0, 0) => Ok(Aim::Here),
            (HERE, x, y) => Err(WireError::Unknown { what: "aim", value: u64::from(x) << 16 | u64::from(y) }),
            (monitor, x, y) => Ok(Aim::At(Place { monitor, x, y })),
        }
    }

    fn write(self, w: &mut Writer) -> &mut Writer {
        match self {
            Aim::At(place) => place.write(w),
            Aim::Here => w.u8(HERE).u16(0).u16(0),
        }
    }
}

impl Input {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Input::Move(at) => at.write(&mut Writer::of(MOVE)).finish(),
            Input::Press { button, down, at } => {
                let mut w = Writer::of(PRESS);
                w.u8(*button as u8).u8(u8::from(*down));
                at.write(&mut w).finish()
            }
            Input::Wheel { dx, dy, at } => {
                let mut w = Writer::of(WHEEL);
                w.i16(*dx).i16(*dy);
                at.write(&mut w).finish()
            }
            Input::Key { down, usage, modifiers, text } => Writer::of(KEY)
                .u8(u8::from(*down))
                .u16(*usage)
                .u8(modifiers.0)
                .text(text, MAX_KEY_TEXT)
                .finish(),
            Input::Text(text) => Writer::of(TEXT).text(text, MAX_TEXT).finish(),
            Input::Combination(combination) => Writer::of(COMBINATION).u8(*combination as u8).finish(),
            Input::ReleaseAll => Writer::of(RELEASE_ALL).finish(),
            Input::MoveBy { dx, dy } => Writer::of(MOVE_BY).i16(*dx).i16(*dy).finish(),
        }
    }

    /// Reads the rest of a message of this kind; `None` when the kind is not an input.
    pub(crate) fn decode(kind: u8, r: &mut Reader<'_>) -> Result<Option<Input>, WireError> {
        Ok(Some(match kind {
            MOVE => Input::Move(Place::read(r)?),
            PRESS => {
                let value = r.u8()?;
                let button = Button::ALL
                    .into_iter()
                    .find(|button| *button as u8 == value)
                    .ok_or(WireError::Unknown { what: "button", value: u64::from(value) })?;
                Input::Press { button, down: r.flag("down")?, at: Aim::read(r)? }
            }
            WHEEL => Input::Wheel { dx: r.i16()?, dy: r.i16()?, at: Aim::read(r)? },
            KEY => Input::Key {
                down: r.flag("down")?,
                usage: r.u16()?,
                modifiers: Modifiers(r.u8()?),
                text: r.text("key text", MAX_KEY_TEXT)?,
            },
            TEXT => Input::Text(r.text("typed text", MAX_TEXT)?),
            COMBINATION => match r.u8()? {
                1 => Input::Combination(Combination::ControlAltDelete),
                value => return Err(WireError::Unknown { what: "combination", value: u64::from(value) }),
            },
            RELEASE_ALL => Input::ReleaseAll,
            MOVE_BY => Input::MoveBy { dx: r.i16()?, dy: r.i16()? },
            _ => return Ok(None),
        }))
    }
}
