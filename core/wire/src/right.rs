//! The rights an end user can grant, one for each tool.

use crate::codec::{Reader, WireError, Writer};

/// A right the end user may grant to the technician. Chat needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Right {
    /// See the screen.
    DesktopView = 1,
    /// Use mouse and keyboard; only together with [`Right::DesktopView`].
    RemoteControl = 2,
}

impl Right {
    /// Every right, in the order of their numbers.
    pub const ALL: [Right; 2] = [Right::DesktopView, Right::RemoteControl];

    /// The name used in charters, logs and the HTTP interface.
    pub const fn name(self) -> &'static str {
        match self {
            Right::DesktopView => "desktop_view",
            Right::RemoteControl => "remote_control",
        }
    }

    /// The right with this name.
    pub fn from_name(name: &str) -> Option<Right> {
        Right::ALL.into_iter().find(|right| right.name() == name)
    }

    /// Reads one byte.
    pub fn read(r: &mut Reader<'_>) -> Result<Right, WireError> {
        let value = r.u8()?;
        Right::ALL
            .into_iter()
            .find(|right| *right as u8 == value)
            .ok_or(WireError::Unknown { what: "right", value: u64::from(value) })
    }

    const fn bit(self) -> u32 {
        1 << (self as u8 - 1)
    }
}

/// A set of rights; on the wire 32 bits, right number n at bit n − 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(u32);

impl Rights {
    /// No right.
    pub const NONE: Rights = Rights(0);

    /// Whether it holds this right.
    pub const fn contains(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// Whether it holds all of `other`.
    pub const fn includes(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many rights it holds.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// With this right added.
    #[must_use]
    pub const fn with(self, right: Right) -> Rights {
        Rights(self.0 | right.bit())
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// What is in it but not in `other`.
    #[must_use]
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// Its rights in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.contains(*right))
    }

    /// Reads 32 bits; unknown bits are refused.
    pub fn read(r: &mut Reader<'_>) -> Result<Rights, WireError> {
        let bits = r.u32()?;
        let known = Rights::from_iter(Right::ALL).0;
        if bits & !known != 0 {
            return Err(WireError::Unknown { what: "rights", value: u64::from(bits) });
        }
        Ok(Rights(bits))
    }

    /// Writes 32 bits.
    pub fn write(self, w: &mut Writer) {
        w.u32(self.0);
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Rights {
        rights.into_iter().fold(Rights::NONE, Rights::with)
    }
}

impl From<Right> for Rights {
    fn from(right: Right) -> Rights {
        Rights::NONE.with(right)
    }
}
