//! Reading and writing bytes: big-endian integers, length-prefixed text, and errors that say what was wrong.

use std::fmt;

/// Why bytes are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The bytes end before the value does.
    Truncated,
    /// Bytes are left over after the value.
    Trailing(usize),
    /// A tag or enum value that this version does not know.
    Unknown {
        /// Which field.
        what: &'static str,
        /// The value found.
        value: u64,
    },
    /// A length above the limit of its field.
    TooLong {
        /// Which field.
        what: &'static str,
        /// The limit, in bytes or items.
        limit: usize,
    },
    /// Text that is not UTF-8.
    NotText(&'static str),
    /// A value that makes no sense where it stands.
    Invalid(&'static str),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Truncated => f.write_str("message ends too early"),
            WireError::Trailing(n) => write!(f, "{n} bytes too many after the message"),
            WireError::Unknown { what, value } => write!(f, "unknown {what} {value}"),
            WireError::TooLong { what, limit } => write!(f, "{what} is longer than {limit}"),
            WireError::NotText(what) => write!(f, "{what} is not UTF-8"),
            WireError::Invalid(what) => write!(f, "{what} is not valid there"),
        }
    }
}

impl std::error::Error for WireError {}

/// Takes values off the front of a byte slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian, signed.
    pub fn i16(&mut self) -> Result<i16, WireError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A byte that must be 0 or 1.
    pub fn flag(&mut self, what: &'static str) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(WireError::Unknown { what, value: u64::from(value) }),
        }
    }

    /// Bytes with a 16-bit length before them, at most `limit`.
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], WireError> {
        let len = usize::from(self.u16()?);
        if len > limit {
            return Err(WireError::TooLong { what, limit });
        }
        self.take(len)
    }

    /// UTF-8 text with a 16-bit length in bytes before it, at most `limit` bytes.
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<String, WireError> {
        let bytes = self.bytes(what, limit)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| WireError::NotText(what))
    }

    /// Everything that is left.
    pub fn remaining(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading; an error when bytes are left.
    pub fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing(self.rest.len())) }
    }
}

/// Appends values to a byte vector.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer whose message starts with this kind byte.
    pub fn of(kind: u8) -> Self {
        Self { bytes: vec![kind] }
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Two bytes, signed.
    pub fn i16(&mut self, value: i16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Bytes with a 16-bit length before them. What is longer than 65535 is cut: check against the field's limit before.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let len = bytes.len().min(usize::from(u16::MAX));
        self.u16(len as u16);
        self.raw(&bytes[..len])
    }

    /// Text with a 16-bit length before it, cut at a character boundary when it is longer than `limit` bytes.
    pub fn text(&mut self, text: &str, limit: usize) -> &mut Self {
        let mut len = text.len().min(limit).min(usize::from(u16::MAX));
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        self.bytes(&text.as_bytes()[..len])
    }

    /// The finished bytes.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character() {
        let bytes = Writer::default().text("aäöü", 4).finish();
        assert_eq!(Reader::new(&bytes).text("t", 10), Ok("aä".to_owned()));
    }

    #[test]
    fn errors_name_what_was_wrong() {
        assert_eq!(Reader::new(&[0, 5, 1]).text("chat", 10), Err(WireError::Truncated));
        assert_eq!(
            Reader::new(&[0, 5, 1]).text("chat", 4),
            Err(WireError::TooLong { what: "chat", limit: 4 })
        );
        assert_eq!(Reader::new(&[0, 1, 0xff]).text("chat", 4), Err(WireError::NotText("chat")));
        assert_eq!(Reader::new(&[0]).finish(), Err(WireError::Trailing(1)));
        assert_eq!(Reader::new(&[2]).flag("down"), Err(WireError::Unknown { what: "down", value: 2 }));
    }
}
