//! The end user's keyboard layout: which key types what, and with which modifiers.

use x11rb::connection::Connection as _;
use x11rb::protocol::xkb::{self, ConnectionExt as _, KeySymMap, KeyType, MapPart};
use x11rb::protocol::xproto::{ConnectionExt as _, Keycode, ModMask};

use crate::DesktopError;
use crate::connection::Connection;
use crate::input::keysym;

/// XKB's number for the core keyboard.
pub const CORE_KEYBOARD: xkb::DeviceSpec = 0x100;
const SHIFT: u16 = 1;

/// A key stroke that types something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stroke {
    pub keycode: Keycode,
    /// The group (layout) it is in.
    pub group: u8,
    /// The modifiers that must be down, of Shift and AltGr.
    pub modifiers: u16,
}

/// The layout at one moment.
pub struct Layout {
    first: Keycode,
    types: Vec<KeyType>,
    keys: Vec<KeySymMap>,
    /// Keycodes of each modifier, in the order Shift, Lock, Control, Mod1 to Mod5.
    modifiers: Vec<Vec<Keycode>>,
    /// The key that makes AltGr, and the modifier it sets.
    level3: Option<(Keycode, u16)>,
    shift: Option<Keycode>,
    /// Keys without any meaning.
    pub unused: Vec<Keycode>,
    /// First name of each key in the core protocol's eyes.
    core: Vec<u32>,
}

impl Layout {
    /// Asks the server.
    pub fn read(connection: &Connection) -> Result<Layout, DesktopError> {
        let (x, setup) = (&connection.x, connection.x.setup());
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS;
        let none = MapPart::from(0u16);
        let map = x.xkb_get_map(
            CORE_KEYBOARD,
            parts,
            none,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            xkb::VMod::from(0u16),
            0,
            0,
            0,
            0,
            0,
            0,
        )?;
        let core = x.get_keyboard_mapping(first, last - first + 1)?;
        let modifiers = x.get_modifier_mapping()?;
        let (map, core, modifiers) = (map.reply()?, core.reply()?, modifiers.reply()?);
        let per_key = usize::from(core.keysyms_per_keycode).max(1);
        let rows = (first..=last).zip(core.keysyms.chunks_exact(per_key));
        let unused =
            rows.filter(|(_, names)| names.iter().all(|name| *name == 0)).map(|(keycode, _)| keycode);
        let side = usize::from(modifiers.keycodes_per_modifier()).max(1);
        let modifiers: Vec<Vec<Keycode>> = modifiers
            .keycodes
            .chunks(side)
            .map(|keys| keys.iter().copied().filter(|keycode| *keycode != 0).collect())
            .collect();
        let mut layout = Layout {
            first,
            types: map.map.types_rtrn.unwrap_or_default(),
            keys: map.map.syms_rtrn.unwrap_or_default(),
            modifiers,
            level3: None,
            shift: None,
            unused: unused.collect(),
            core: core.keysyms.chunks_exact(per_key).map(|names| names[0]).collect(),
        };
        // The keymap starts at its own first key, which is the connection's unless the server is odd.
        layout.first = if map.first_key_sym == 0 { first } else { map.first_key_sym };
        let held_by = |name: u32| layout.key_with(name).map(|key| (key, layout.modifier(key)));
        let level3 = held_by(keysym::LEVEL3_SHIFT).filter(|(_, mask)| *mask != 0);
        let shift = layout.modifiers.first().and_then(|keys| keys.first().copied());
        let shift = layout.key_with(keysym::SHIFT_LEFT).or(shift);
        (layout.level3, layout.shift) = (level3, shift);
        Ok(layout)
    }

    /// The modifiers a key sets while it is down.
    pub fn modifier(&self, keycode: Keycode) -> u16 {
        let rows = self.modifiers.iter().enumerate().filter(|(_, keys)| keys.contains(&keycode));
        let own = rows.fold(0, |mask, (index, _)| mask | 1 << index);
        // The key that people press for AltGr is often not in the table, but another that stands for its meaning.
        let level3 = self.level3.filter(|_| self.name(keycode) == keysym::LEVEL3_SHIFT);
        own | level3.map_or(0, |(_, mask)| mask)
    }

    /// Keys to hold for these modifiers, of Shift and AltGr.
    pub fn holders(&self, modifiers: u16) -> Vec<Keycode> {
        let shift = self.shift.filter(|_| modifiers & SHIFT != 0);
        let level3 = self.level3.filter(|(_, mask)| modifiers & mask != 0).map(|(key, _)| key);
        shift.into_iter().chain(level3).collect()
    }

    /// What the core protocol says a key's first name is.
    pub fn name(&self, keycode: Keycode) -> u32 {
        self.core.get(usize::from(keycode.saturating_sub(self.first))).copied().unwrap_or(0)
    }

    /// The key that types a character, in this group if it can, with the fewest modifiers.
    /// `locked` are the modifiers that are locked (Caps Lock, Num Lock).
    pub fn stroke(&self, character: char, group: u8, locked: u16, besides: &[Keycode]) -> Option<Stroke> {
        let level3 = self.level3.map_or(0, |(_, mask)| mask);
        let mut combinations = vec![0, SHIFT];
        if level3 != 0 {
            combinations.extend([level3, level3 | SHIFT]);
        }
        let groups = std::iter::once(group).chain((0..4).filter(|other| *other != group));
        for group in groups {
            for modifiers in &combinations {
                let found = self.keys().find(|(keycode, key)| {
                    let here = usize::from(group) < usize::from(key.group_info & 0x0f) || group == 0;
                    // A key with fewer groups than the keyboard keeps to its last or first; only the current group asks for that.
                    (here || self.wraps(key))
                        && !besides.contains(keycode)
                        && keysym::types(self.symbol(key, group, locked | modifiers), character)
                });
                if let Some((keycode, _)) = found {
                    return Some(Stroke { keycode, group, modifiers: *modifiers });
                }
            }
        }
        None
    }

    /// The key whose plain name in this group types the character, for shortcuts.
    pub fn plain(&self, character: char, group: u8, besides: &[Keycode]) -> Option<Keycode> {
        let plain = |group: u8| {
            self.keys()
                .find(|(keycode, key)| {
                    !besides.contains(keycode) && keysym::types(self.symbol(key, group, 0), character)
                })
                .map(|(keycode, _)| keycode)
        };
        std::iter::once(group).chain((0..4).filter(|other| *other != group)).find_map(plain)
    }

    fn key_with(&self, name: u32) -> Option<Keycode> {
        self.keys().find(|(_, key)| key.syms.first() == Some(&name)).map(|(keycode, _)| keycode)
    }

    fn keys(&self) -> impl Iterator<Item = (Keycode, &KeySymMap)> {
        (self.first..=u8::MAX).zip(&self.keys).filter(|(_, key)| !key.syms.is_empty())
    }

    fn wraps(&self, key: &KeySymMap) -> bool {
        key.group_info & 0x0f == 1
    }

    /// What a key means in a group under these modifiers; 0 for nothing.
    fn symbol(&self, key: &KeySymMap, group: u8, modifiers: u16) -> u32 {
        let groups = key.group_info & 0x0f;
        if groups == 0 {
            return 0;
        }
        let group = usize::from(match key.group_info >> 6 {
            1 => group.min(groups - 1),
            _ => group % groups,
        });
        let Some(kind) = self.types.get(usize::from(key.kt_index[group.min(3)])) else { return 0 };
        let active = modifiers & u16::from(kind.mods_mask);
        let entry = kind.map.iter().find(|entry| entry.active && u16::from(entry.mods_mask) == active);
        let level = entry.map_or(0, |entry| usize::from(entry.level));
        if level >= usize::from(key.width) {
            return 0;
        }
        key.syms.get(group * usize::from(key.width) + level).copied().unwrap_or(0)
    }
}

/// Modifiers and group at one moment.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Down now.
    pub down: u16,
    /// Locked: Caps Lock, Num Lock.
    pub locked: u16,
    pub group: u8,
}

impl State {
    /// Asks the server.
    pub fn read(connection: &Connection) -> Result<State, DesktopError> {
        let state = connection.x.xkb_get_state(CORE_KEYBOARD)?.reply()?;
        let (down, locked) = (u16::from(state.base_mods), u16::from(state.locked_mods));
        Ok(State { down, locked, group: u8::from(state.group) })
    }
}

/// The modifiers that turn typing into commands, with Shift.
pub fn disturbing() -> u16 {
    [ModMask::SHIFT, ModMask::CONTROL, ModMask::M1, ModMask::M4, ModMask::M5]
        .into_iter()
        .fold(0, |all, mask| all | u16::from(mask))
}
