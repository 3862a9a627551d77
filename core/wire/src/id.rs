//! Ids as types of their own, so that one kind is never taken for another.

use std::fmt;
use std::str::FromStr;

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id, expected 32 hexadecimal digits as 8-4-4-4-12")
    }
}

impl std::error::Error for NotAnId {}

fn write_uuid(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

fn parse_uuid(text: &str) -> Result<[u8; 16], NotAnId> {
    let text = text.as_bytes();
    if text.len() != 36 {
        return Err(NotAnId);
    }
    let mut digits = 0;
    let mut bytes = [0u8; 16];
    for (at, &c) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if c != b'-' {
                return Err(NotAnId);
            }
            continue;
        }
        let value = (c as char).to_digit(16).ok_or(NotAnId)?;
        bytes[digits / 2] = (bytes[digits / 2] << 4) | u8::try_from(value).map_err(|_| NotAnId)?;
        digits += 1;
    }
    Ok(bytes)
}

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id made of these bytes (for a new one: a random UUID, made by the shell).
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The id's bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_uuid(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse_uuid(text).map(Self)
            }
        }
    };
}

public_id!(
    /// A company on this installation.
    AccountId
);
public_id!(
    /// A technician or administrator of an account.
    MemberId
);
public_id!(
    /// The public name of a support session; it opens nothing.
    SessionId
);

macro_rules! secret_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Number of bytes.
            pub const LEN: usize = $len;

            /// Takes bytes from a cryptographically secure generator, or from the wire.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The secret itself: hash it or send it, never log it.
            pub const fn secret_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(secret)"))
            }
        }
    };
}

secret_bytes!(
    /// The 128-bit session authentication id that is embedded in a downloaded applet and admits it once.
    SessionAuthenticationId,
    16
);
secret_bytes!(
    /// What admits a console's leg at the gateway: single use, valid for a minute.
    LegTicket,
    32
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_wrote() {
        let id =
            SessionId::from_bytes([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(id.to_string(), "01234567-89ab-cdef-0001-020304050607");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "01234567-89ab-cdef-0001-02030405060",
            "0123456789abcdef00010203040506070000",
            "g1234567-89ab-cdef-0001-020304050607",
            "01234567-89ab-cdef-0001-0203040506é",
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(
            format!("{:?}", SessionAuthenticationId::from_bytes([7; 16])),
            "SessionAuthenticationId(secret)"
        );
    }
}
