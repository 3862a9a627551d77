//! Who repeats a key that is held: the technician's computer, never the X server by itself. Else a release that is late on its way
//! would make one letter many.
//!
//! The server decides at the press whether a key is to repeat: then it looks at the control *RepeatKeys* and sets a timer. So the
//! control is off for the press alone.

use x11rb::protocol::xkb::{AXOption, BoolCtrl, ConnectionExt as _, Control, VMod};
use x11rb::protocol::xproto::{KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode, ModMask};

use super::Hands;
use super::layout::CORE_KEYBOARD;
use crate::DesktopError;

impl Hands {
    /// Presses a key that stays down and does not repeat by itself. To be called with the server grabbed.
    ///
    /// INVARIANT: the control is as the end user has it before and after. What switches it off and on again goes to the server in one
    /// writing with the press between, and nobody else's requests come in between; so it stays off neither for somebody else's keys nor
    /// when this process is killed.
    pub(super) fn hold(&self, keycode: Keycode) -> Result<(), DesktopError> {
        let controls = self.connection.x.xkb_get_controls(CORE_KEYBOARD)?.reply()?;
        if !controls.enabled_controls.contains(BoolCtrl::REPEAT_KEYS) {
            return self.fake(KEY_PRESS_EVENT, keycode);
        }
        self.repeat_keys(false)?;
        self.fake(KEY_PRESS_EVENT, keycode)?;
        self.repeat_keys(true)
    }

    /// Repeats a key that is down. The server takes no second press of such a key, so it comes up in between, as it does in the eyes
    /// of most programs when the server repeats it.
    pub(super) fn repeat(&self, keycode: Keycode) -> Result<(), DesktopError> {
        self.fake(KEY_RELEASE_EVENT, keycode)?;
        self.hold(keycode)
    }

    fn repeat_keys(&self, on: bool) -> Result<(), DesktopError> {
        let (no_modifier, no_virtual) = (ModMask::from(0u16), VMod::from(0u16));
        let (no_option, no_control) = (AXOption::from(0u16), BoolCtrl::from(0u32));
        self.connection.x.xkb_set_controls(
            CORE_KEYBOARD,
            no_modifier,
            no_modifier,
            no_modifier,
            no_modifier,
            no_virtual,
            no_virtual,
            no_virtual,
            no_virtual,
            0,
            0,
            no_option,
            BoolCtrl::REPEAT_KEYS,
            if on { BoolCtrl::REPEAT_KEYS } else { no_control },
            Control::CONTROLS_ENABLED,
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
            no_control,
            no_control,
            no_option,
            no_option,
            &[0; 32],
        )?;
        Ok(())
    }
}
