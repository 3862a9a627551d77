//! Keys: physical ones, characters by the host's layout, and any other character by a borrowed key.

mod borrowed;

use std::collections::HashMap;

use belay_wire::input::Modifiers;
use x11rb::protocol::xkb::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode};

use super::layout::{CORE_KEYBOARD, Layout, State, Stroke, disturbing};
use super::{Hands, Target};
use crate::DesktopError;
use crate::connection::Connection;
use crate::input::{keysym, usage};
use borrowed::Borrowed;

/// Keys to borrow, and the character each is to type.
type Loans = Vec<(Keycode, char)>;

/// Characters typed between two looks at where the keyboard is.
const BETWEEN_LOOKS: usize = 8;

/// What the technician holds of the keyboard.
pub struct Keyboard {
    layout: Layout,
    borrowed: Borrowed,
    /// By physical key of the technician.
    held: HashMap<u16, Held>,
}

/// What a key of the technician that is down does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Holds this key.
    Key(Keycode),
    /// Has typed its text already and holds nothing.
    Typed,
}

/// How a character is typed.
#[derive(Clone, Copy, Debug)]
enum Way {
    Layout(Stroke),
    Borrowed(Keycode),
}

impl Keyboard {
    /// Learns the layout, and has the server tell about changes.
    pub fn open(connection: &Connection) -> Result<Keyboard, DesktopError> {
        connection.x.xkb_use_extension(1, 0)?.reply()?;
        let events = xkb::EventType::MAP_NOTIFY | xkb::EventType::NEW_KEYBOARD_NOTIFY;
        let parts = xkb::MapPart::KEY_SYMS | xkb::MapPart::KEY_TYPES | xkb::MapPart::MODIFIER_MAP;
        let none = xkb::EventType::from(0u16);
        let details = xkb::SelectEventsAux::new();
        connection.x.xkb_select_events(CORE_KEYBOARD, none, events, parts, parts, &details)?.check()?;
        let layout = Layout::read(connection)?;
        let borrowed = Borrowed::new(&layout);
        Ok(Keyboard { layout, borrowed, held: HashMap::new() })
    }

    /// Learns the layout anew.
    pub fn reload(&mut self, connection: &Connection) -> Result<(), DesktopError> {
        self.layout = Layout::read(connection)?;
        self.borrowed.reload(&self.layout);
        Ok(())
    }

    /// A key of the technician went down, or repeats.
    pub fn press(
        &mut self,
        hands: &Hands,
        usage: u16,
        modifiers: Modifiers,
        text: &str,
    ) -> Result<(), DesktopError> {
        let altgr = modifiers.has(Modifiers::ALT_GRAPH);
        let command = modifiers.0 & (Modifiers::CONTROL | Modifiers::ALT | Modifiers::META) != 0;
        let printable = !text.is_empty() && !text.chars().any(char::is_control);
        if usage::is_lock(usage) || usage == usage::PAUSE || (usage == usage::RIGHT_ALT && altgr) {
            // What they change is in the text of the keys that follow; Pause belongs to the end user.
            return Ok(());
        }
        if let Some(Held::Key(keycode)) = self.held.get(&usage).copied().filter(|_| usage != 0) {
            return self.press_again(hands, keycode);
        }
        if !usage::is_modifier(usage) {
            self.lift_forgotten(hands, modifiers)?;
        }
        if printable && (altgr || !command) {
            return self.press_text(hands, usage, text);
        }
        let plain = |text: &str, keyboard: &Keyboard| -> Result<Option<Keycode>, DesktopError> {
            let mut characters = text.chars().flat_map(char::to_lowercase);
            let (Some(character), None) = (characters.next(), characters.next()) else { return Ok(None) };
            let group = State::read(&hands.connection)?.group;
            Ok(keyboard.layout.plain(character, group, keyboard.borrowed.keys()))
        };
        let by_name = if printable { plain(text, self)? } else { None };
        let usage_here = if text.is_empty() { usage::without_num_lock(usage) } else { usage };
        let Some(keycode) = by_name.or_else(|| usage::keycode(usage_here)) else { return Ok(()) };
        let missing = self.missing(hands, usage, modifiers)?;
        hands.guarded(Target::Focus, || {
            missing.iter().try_for_each(|key| hands.fake(KEY_PRESS_EVENT, *key))?;
            hands.hold(keycode)?;
            missing.iter().rev().try_for_each(|key| hands.fake(KEY_RELEASE_EVENT, *key))?;
            if usage == 0 { hands.fake(KEY_RELEASE_EVENT, keycode) } else { Ok(()) }
        })?;
        if usage != 0 {
            self.held.insert(usage, Held::Key(keycode));
        }
        Ok(())
    }

    /// Lets go of modifiers that are not down at the technician's any more although their release never came: some systems keep it to
    /// themselves.
    fn lift_forgotten(&mut self, hands: &Hands, down: Modifiers) -> Result<(), DesktopError> {
        let forgotten = |usage: u16| usage::is_modifier(usage) && usage::modifiers(usage) & down.0 == 0;
        let keys: Vec<u16> = self.held.keys().copied().filter(|usage| forgotten(*usage)).collect();
        keys.into_iter().try_for_each(|usage| self.release(hands, usage))
    }

    /// Keys for the modifiers that are down at the technician's and not here: they were let go of while the way was interrupted.
    fn missing(&self, hands: &Hands, usage: u16, down: Modifiers) -> Result<Vec<Keycode>, DesktopError> {
        if usage::is_modifier(usage) || usage::MAKES.iter().all(|(bit, _)| !down.has(*bit)) {
            return Ok(Vec::new());
        }
        let here = State::read(&hands.connection)?.down;
        let keys = usage::MAKES.iter().filter(|(bit, _)| down.has(*bit));
        let keys = keys.filter_map(|(_, makes)| usage::keycode(*makes));
        Ok(keys.filter(|key| self.layout.modifier(*key) & !here != 0).collect())
    }

    /// A key that is down already was pressed: the technician's keyboard repeats it. Modifiers do not repeat.
    fn press_again(&self, hands: &Hands, keycode: Keycode) -> Result<(), DesktopError> {
        if self.layout.modifier(keycode) != 0 {
            return Ok(());
        }
        hands.guarded(Target::Focus, || hands.repeat(keycode))
    }

    /// A key of the technician came up.
    pub fn release(&mut self, hands: &Hands, usage: u16) -> Result<(), DesktopError> {
        match self.held.remove(&usage) {
            Some(Held::Key(keycode)) => hands.fake(KEY_RELEASE_EVENT, keycode),
            Some(Held::Typed) | None => Ok(()),
        }
    }

    /// Lets go of every key.
    pub fn release_all(&mut self, hands: &Hands) -> Result<(), DesktopError> {
        self.held.drain().try_for_each(|(_, held)| match held {
            Held::Key(keycode) => hands.fake(KEY_RELEASE_EVENT, keycode),
            Held::Typed => Ok(()),
        })
    }

    /// Types a text of any script, line ends as Return.
    pub fn type_text(&mut self, hands: &Hands, text: &str) -> Result<(), DesktopError> {
        let text: Vec<char> =
            text.replace("\r\n", "\n").chars().filter(|c| keysym::of(*c).is_some()).collect();
        let mut rest = &text[..];
        while !rest.is_empty() {
            let state = State::read(&hands.connection)?;
            let (ways, borrowing) = self.plan(rest, state)?;
            if !borrowing.is_empty() {
                self.borrowed.lend(&hands.connection, &borrowing)?;
            }
            for ways in ways.chunks(BETWEEN_LOOKS) {
                hands.guarded(Target::Focus, || {
                    ways.iter().try_for_each(|way| self.strike(hands, *way, state))
                })?;
                hands.connection.sync()?;
            }
            self.borrowed.used(
                &ways
                    .iter()
                    .filter_map(|way| match way {
                        Way::Borrowed(keycode) => Some(*keycode),
                        Way::Layout(_) => None,
                    })
                    .collect::<Vec<_>>(),
            );
            rest = &rest[ways.len()..];
        }
        Ok(())
    }

    /// Ctrl+Alt+Del.
    pub fn control_alt_delete(&mut self, hands: &Hands) -> Result<(), DesktopError> {
        let keys: Vec<Keycode> = usage::CONTROL_ALT_DELETE.into_iter().filter_map(usage::keycode).collect();
        hands.guarded(Target::Focus, || {
            keys.iter().try_for_each(|key| hands.fake(KEY_PRESS_EVENT, *key))?;
            keys.iter().rev().try_for_each(|key| hands.fake(KEY_RELEASE_EVENT, *key))
        })
    }

    /// Returns the borrowed keys.
    pub fn give_back(&mut self, connection: &Connection) -> Result<(), DesktopError> {
        self.borrowed.give_back(connection)
    }

    fn press_text(&mut self, hands: &Hands, usage: u16, text: &str) -> Result<(), DesktopError> {
        let mut characters = text.chars();
        if let (Some(character), None) = (characters.next(), characters.next()) {
            let state = State::read(&hands.connection)?;
            let stroke = self.layout.stroke(character, state.group, state.locked, self.borrowed.keys());
            // A key that types this under the modifiers as they are is held, so that games work.
            let held = stroke.filter(|stroke| {
                usage != 0 && stroke.group == state.group && stroke.modifiers == state.down & disturbing()
            });
            if let Some(stroke) = held {
                hands.guarded(Target::Focus, || hands.hold(stroke.keycode))?;
                self.held.insert(usage, Held::Key(stroke.keycode));
                return Ok(());
            }
        }
        self.type_text(hands, text)?;
        if usage != 0 {
            self.held.insert(usage, Held::Typed);
        }
        Ok(())
    }

    /// How to type as much of the text as one borrowing allows, and what to borrow keys for.
    fn plan(&self, text: &[char], state: State) -> Result<(Vec<Way>, Loans), DesktopError> {
        let mut plan = self.borrowed.plan();
        let mut ways = Vec::new();
        for character in text {
            let stroke = self.layout.stroke(*character, state.group, state.locked, self.borrowed.keys());
            let way = match stroke {
                Some(stroke) => Way::Layout(stroke),
                None => match plan.key(*character) {
                    Some(keycode) => Way::Borrowed(keycode),
                    None if ways.is_empty() => return Err(DesktopError::NoFreeKey(*character)),
                    None => break,
                },
            };
            ways.push(way);
        }
        Ok((ways, plan.borrowing))
    }

    /// One stroke, with the modifiers and the group it needs, putting them back as they were.
    fn strike(&self, hands: &Hands, way: Way, state: State) -> Result<(), DesktopError> {
        let (keycode, needed, group) = match way {
            Way::Layout(stroke) => (stroke.keycode, stroke.modifiers, stroke.group),
            Way::Borrowed(keycode) => (keycode, 0, state.group),
        };
        let wrong = state.down & !needed & disturbing();
        let keys = self.held.values().filter_map(|held| match held {
            Held::Key(keycode) => Some(*keycode),
            Held::Typed => None,
        });
        let lift: Vec<Keycode> = keys.filter(|keycode| self.layout.modifier(*keycode) & wrong != 0).collect();
        let hold = self.layout.holders(needed & !state.down);
        let lock = |group: u8| -> Result<(), DesktopError> {
            let none = x11rb::protocol::xproto::ModMask::from(0u16);
            let group = xkb::Group::from(group);
            hands.connection.x.xkb_latch_lock_state(
                CORE_KEYBOARD,
                none,
                none,
                true,
                group,
                none,
                false,
                0,
            )?;
            Ok(())
        };
        lift.iter().try_for_each(|key| hands.fake(KEY_RELEASE_EVENT, *key))?;
        if group != state.group {
            lock(group)?;
        }
        hold.iter().try_for_each(|key| hands.fake(KEY_PRESS_EVENT, *key))?;
        hands.fake(KEY_PRESS_EVENT, keycode)?;
        hands.fake(KEY_RELEASE_EVENT, keycode)?;
        hold.iter().rev().try_for_each(|key| hands.fake(KEY_RELEASE_EVENT, *key))?;
        if group != state.group {
            lock(state.group)?;
        }
        lift.iter().try_for_each(|key| hands.fake(KEY_PRESS_EVENT, *key))
    }
}
