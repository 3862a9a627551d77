//! Keys without a meaning, borrowed for characters that the layout does not have.
//!
//! Programs look a key's meaning up when they come to handle the stroke, which may be long after it happened. So a meaning stays
//! until the key is needed for another character, the least recently used first, and never less than a quarter of a second.

use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xkb::{ConnectionExt as _, KeySymMap, MapPart, SetMapAux, SetMapFlags, VMod};
use x11rb::protocol::xproto::{ConnectionExt as _, Keycode, Keysym};

use super::super::layout::{CORE_KEYBOARD, Layout};
use crate::DesktopError;
use crate::connection::Connection;
use crate::input::keysym;

/// How long programs get to look up a stroke before its key changes its meaning.
const DIGEST: Duration = Duration::from_millis(250);
/// How long programs get to notice new meanings before strokes come.
const NOTICE: Duration = Duration::from_millis(25);

/// The name of a key without a meaning.
const NOTHING: Keysym = 0;
/// The type of keys on which modifiers change nothing; always the first.
const ONE_LEVEL: u8 = 0;

struct Key {
    keycode: Keycode,
    character: Option<char>,
    used: Option<Instant>,
}

/// The keys that can be borrowed.
pub struct Borrowed {
    keys: Vec<Key>,
    keycodes: Vec<Keycode>,
}

/// Which keys to borrow for a piece of text.
pub struct Plan<'a> {
    keys: Vec<&'a Key>,
    known: Vec<(char, Keycode)>,
    /// New meanings.
    pub borrowing: Vec<(Keycode, char)>,
}

impl Borrowed {
    /// All keys that the layout leaves without a meaning.
    pub fn new(layout: &Layout) -> Borrowed {
        let mut borrowed = Borrowed { keys: Vec::new(), keycodes: Vec::new() };
        borrowed.reload(layout);
        borrowed
    }

    /// The layout has changed: keeps what still means what we made it mean.
    pub fn reload(&mut self, layout: &Layout) {
        let still = |key: &Key| {
            key.character.and_then(keysym::of).is_some_and(|name| layout.name(key.keycode) == name)
        };
        self.keys.retain(still);
        for keycode in &layout.unused {
            if !self.keys.iter().any(|key| key.keycode == *keycode) {
                self.keys.push(Key { keycode: *keycode, character: None, used: None });
            }
        }
        self.keycodes = self.keys.iter().map(|key| key.keycode).collect();
    }

    /// Their keycodes.
    pub fn keys(&self) -> &[Keycode] {
        &self.keycodes
    }

    /// Starts to plan a piece of text.
    pub fn plan(&self) -> Plan<'_> {
        let mut keys: Vec<&Key> = self.keys.iter().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.used));
        let known = self.keys.iter().filter_map(|key| Some((key.character?, key.keycode))).collect();
        Plan { keys, known, borrowing: Vec::new() }
    }

    /// Gives keys new meanings and waits until programs may have noticed.
    pub fn lend(
        &mut self,
        connection: &Connection,
        borrowing: &[(Keycode, char)],
    ) -> Result<(), DesktopError> {
        let lent = |key: &&Key| borrowing.iter().any(|(keycode, _)| *keycode == key.keycode);
        if let Some(used) = self.keys.iter().filter(lent).filter_map(|key| key.used).max() {
            std::thread::sleep(DIGEST.saturating_sub(used.elapsed()));
        }
        let names: Vec<(Keycode, Keysym)> = borrowing
            .iter()
            .filter_map(|(keycode, character)| Some((*keycode, keysym::of(*character)?)))
            .collect();
        rename(connection, &names)?;
        for (keycode, character) in borrowing {
            if let Some(key) = self.keys.iter_mut().find(|key| key.keycode == *keycode) {
                (key.character, key.used) = (Some(*character), None);
            }
        }
        connection.sync()?;
        std::thread::sleep(NOTICE);
        Ok(())
    }

    /// These keys have just been struck.
    pub fn used(&mut self, struck: &[Keycode]) {
        let now = Instant::now();
        for key in self.keys.iter_mut().filter(|key| struck.contains(&key.keycode)) {
            key.used = Some(now);
        }
    }

    /// Takes all meanings away again.
    pub fn give_back(&mut self, connection: &Connection) -> Result<(), DesktopError> {
        let Some(used) = self.keys.iter().filter(|key| key.character.is_some()).map(|key| key.used).max()
        else {
            return Ok(());
        };
        std::thread::sleep(used.map_or(Duration::ZERO, |used| DIGEST.saturating_sub(used.elapsed())));
        let mut names = Vec::new();
        for key in self.keys.iter_mut().filter(|key| key.character.is_some()) {
            names.push((key.keycode, NOTHING));
            (key.character, key.used) = (None, None);
        }
        rename(connection, &names)?;
        connection.sync()
    }
}

/// Gives keys new names, or none, all of them in one change: window managers take their shortcuts up anew at each change of the keyboard,
/// and answer to no click meanwhile. The keys between them keep what they have; the server is ours while they are read and written.
fn rename(connection: &Connection, names: &[(Keycode, Keysym)]) -> Result<(), DesktopError> {
    let keycodes = || names.iter().map(|(keycode, _)| *keycode);
    let (Some(first), Some(last)) = (keycodes().min(), keycodes().max()) else { return Ok(()) };
    let count = last - first + 1;
    let x = &connection.x;
    let (none, no_virtual) = (MapPart::from(0u16), VMod::from(0u16));
    x.grab_server()?;
    let read = x
        .xkb_get_map(
            CORE_KEYBOARD,
            none,
            MapPart::KEY_SYMS,
            0,
            0,
            first,
            count,
            0,
            0,
            0,
            0,
            no_virtual,
            0,
            0,
            0,
            0,
            0,
            0,
        )
        .map_err(DesktopError::from)
        .and_then(|map| Ok(map.reply()?));
    let written = read.and_then(|map| {
        let mut keys = map.map.syms_rtrn.unwrap_or_default();
        for (keycode, name) in names {
            if let Some(key) = keys.get_mut(usize::from(keycode - first)) {
                *key = named(*name);
            }
        }
        let symbols: usize = keys.iter().map(|key| key.syms.len()).sum();
        let symbols = u16::try_from(symbols).unwrap_or(u16::MAX);
        let (lowest, highest) = (x.setup().min_keycode, x.setup().max_keycode);
        let (flags, change) = (SetMapFlags::from(0u16), SetMapAux::new().syms(keys));
        x.xkb_set_map(
            CORE_KEYBOARD,
            flags,
            lowest,
            highest,
            0,
            0,
            first,
            count,
            symbols,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            no_virtual,
            &change,
        )?;
        Ok(())
    });
    x.ungrab_server()?;
    x.flush()?;
    written
}

/// A key with one name, whatever modifiers are down, or without any.
fn named(name: Keysym) -> KeySymMap {
    match name {
        NOTHING => KeySymMap { kt_index: [0; 4], group_info: 0, width: 0, syms: Vec::new() },
        name => KeySymMap { kt_index: [ONE_LEVEL; 4], group_info: 1, width: 1, syms: vec![name] },
    }
}

impl Plan<'_> {
    /// A key for this character; `None` when all are needed for characters before it.
    pub fn key(&mut self, character: char) -> Option<Keycode> {
        if let Some((_, keycode)) = self.known.iter().find(|(known, _)| *known == character) {
            let keycode = *keycode;
            self.keys.retain(|key| key.keycode != keycode);
            return Some(keycode);
        }
        // Sorted by last use, the latest first: the one at the end has rested longest.
        let key = self.keys.pop()?;
        self.known.retain(|(_, keycode)| *keycode != key.keycode);
        self.known.push((character, key.keycode));
        self.borrowing.push((key.keycode, character));
        Some(key.keycode)
    }
}
