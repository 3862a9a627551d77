//! Physical keys: from USB HID usages (keyboard page) to X keycodes (Linux event codes plus 8).

use belay_wire::input::Modifiers;

/// The X keycode of a physical key; `None` for keys no keyboard here has.
pub fn keycode(usage: u16) -> Option<u8> {
    let evdev = match usage {
        0x04..=0x27 => LETTERS_AND_DIGITS[usize::from(usage - 0x04)],
        0x28..=0x38 => CONTROLS[usize::from(usage - 0x28)],
        0x39 => 58,
        0x3a..=0x43 => 59 + u8::try_from(usage - 0x3a).ok()?,
        0x44 => 87,
        0x45 => 88,
        0x46..=0x53 => NAVIGATION[usize::from(usage - 0x46)],
        0x54..=0x63 => KEYPAD[usize::from(usage - 0x54)],
        0x64 => 86,
        0x65 => 127,
        0x67 => 117,
        0x68..=0x73 => 183 + u8::try_from(usage - 0x68).ok()?,
        0x85 => 121,
        0x87 => 89,
        0x88 => 93,
        0x89 => 124,
        0x8a => 92,
        0x8b => 94,
        0x90 => 122,
        0x91 => 123,
        0xe0..=0xe7 => MODIFIERS[usize::from(usage - 0xe0)],
        _ => return None,
    };
    Some(evdev + 8)
}

/// The keypad's keys as they are without Num Lock, for when the technician's makes no digit.
pub fn without_num_lock(usage: u16) -> u16 {
    match usage {
        0x59 => 0x4d,
        0x5a => 0x51,
        0x5b => 0x4e,
        0x5c => 0x50,
        0x5e => 0x4f,
        0x5f => 0x4a,
        0x60 => 0x52,
        0x61 => 0x4b,
        0x62 => 0x49,
        0x63 => 0x4c,
        other => other,
    }
}

/// Caps Lock, Scroll Lock and Num Lock. The console's text says already what they did there, so they are not passed on.
pub fn is_lock(usage: u16) -> bool {
    matches!(usage, 0x39 | 0x47 | 0x53)
}

/// Pause, the end user's panic key: never the technician's.
pub const PAUSE: u16 = 0x48;
/// The right Alt key, which is AltGr on many layouts.
pub const RIGHT_ALT: u16 = 0xe6;
/// The eight keys that are held while others are pressed.
pub fn is_modifier(usage: u16) -> bool {
    (0xe0..=0xe7).contains(&usage)
}

/// The modifiers that a key may stand for while it is down at the technician's; empty for all but the eight.
pub fn modifiers(usage: u16) -> u8 {
    match usage {
        0xe0 | 0xe4 => Modifiers::CONTROL,
        0xe1 | 0xe5 => Modifiers::SHIFT,
        0xe2 => Modifiers::ALT,
        RIGHT_ALT => Modifiers::ALT | Modifiers::ALT_GRAPH,
        0xe3 | 0xe7 => Modifiers::META,
        _ => 0,
    }
}

/// Each modifier but AltGr, with the key that makes it.
pub const MAKES: [(u8, u16); 4] =
    [(Modifiers::SHIFT, 0xe1), (Modifiers::CONTROL, 0xe0), (Modifiers::ALT, 0xe2), (Modifiers::META, 0xe3)];
/// Left Control, left Alt and Delete.
pub const CONTROL_ALT_DELETE: [u16; 3] = [0xe0, 0xe2, 0x4c];

/// a…z, 1…0.
const LETTERS_AND_DIGITS: [u8; 36] = [
    30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44,
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
];
/// Enter, Escape, Backspace, Tab, space, and the marks around the letters.
const CONTROLS: [u8; 17] = [28, 1, 14, 15, 57, 12, 13, 26, 27, 43, 43, 39, 40, 41, 51, 52, 53];
/// Print, Scroll Lock, Pause, Insert, Home, Page Up, Delete, End, Page Down, right, left, down, up, Num Lock.
const NAVIGATION: [u8; 14] = [99, 70, 119, 110, 102, 104, 111, 107, 109, 106, 105, 108, 103, 69];
/// Divide, times, minus, plus, Enter, 1…9, 0, point.
const KEYPAD: [u8; 16] = [98, 55, 74, 78, 96, 79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 83];
/// Control, Shift, Alt, Meta on the left, then on the right.
const MODIFIERS: [u8; 8] = [29, 42, 56, 125, 97, 54, 100, 126];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_keycode_of_its_own() {
        let mut seen = std::collections::HashMap::new();
        for usage in 0..0x100 {
            if let Some(keycode) = keycode(usage) {
                assert!(keycode >= 8);
                let other = seen.insert(keycode, usage);
                assert!(other.is_none() || usage == 0x32, "{usage:#x} and {other:?} are both {keycode}");
            }
        }
        assert_eq!(keycode(0x04), Some(38), "a");
        assert_eq!(keycode(0x1d), Some(52), "z of a US keyboard");
        assert_eq!(keycode(0x27), Some(19), "0");
        assert_eq!(keycode(0x38), Some(61), "slash");
        assert_eq!(keycode(0x4f), Some(114), "right");
        assert_eq!(keycode(0xe7), Some(134), "right Meta");
    }
}
