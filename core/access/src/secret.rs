//! The two secrets people and programs carry: a PIN of six digits and a token of 32 bytes.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A text that is no PIN or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASecret;

impl fmt::Display for NotASecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not of the form of this secret: six digits for a PIN, 43 characters of base64url for a token",
        )
    }
}

impl std::error::Error for NotASecret {}

/// A PIN: six digits, from 000000 to 999999. Does not print in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin([u8; 6]);

impl Pin {
    /// The PIN of a number below a million; for a new one a uniform random number.
    pub fn from_number(number: u32) -> Option<Pin> {
        if number >= 1_000_000 {
            return None;
        }
        let mut digits = [b'0'; 6];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Some(Pin(digits))
    }

    /// The six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a PIN is made of ASCII digits only")
    }
}

impl FromStr for Pin {
    type Err = NotASecret;

    /// Takes six digits; spaces and hyphens, which people put in when they read a PIN out, are skipped.
    fn from_str(text: &str) -> Result<Pin, NotASecret> {
        let mut digits = [0u8; 6];
        let mut count = 0;
        for c in text.chars().filter(|c| !matches!(c, ' ' | '-')) {
            if !c.is_ascii_digit() || count == digits.len() {
                return Err(NotASecret);
            }
            digits[count] = c as u8;
            count += 1;
        }
        if count == digits.len() { Ok(Pin(digits)) } else { Err(NotASecret) }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(secret)")
    }
}

/// 32 random bytes: a sign-in cookie, an invitation link, a ticket. Its text form is base64url without padding
/// (43 characters). Does not print in debug output; the store keeps only its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Takes 32 bytes from a cryptographically secure generator.
    pub const fn from_bytes(bytes: [u8; 32]) -> Token {
        Token(bytes)
    }

    /// The secret itself: hash it or send it, never log it.
    pub const fn secret_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text form, for a cookie, a link or a message.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl FromStr for Token {
    type Err = NotASecret;
    fn from_str(text: &str) -> Result<Token, NotASecret> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotASecret)?;
        bytes.try_into().map(Token).map_err(|_| NotASecret)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_six_digits_with_leading_zeros() {
        assert_eq!(Pin::from_number(42).unwrap().as_str(), "000042");
        assert_eq!(Pin::from_number(999_999).unwrap().as_str(), "999999");
        assert_eq!(Pin::from_number(1_000_000), None);
    }

    #[test]
    fn a_pin_is_read_as_people_write_it() {
        for text in ["123456", "123 456", "123-456", " 12 34 56 "] {
            assert_eq!(text.parse::<Pin>().unwrap().as_str(), "123456");
        }
        for text in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "+123456"] {
            assert_eq!(text.parse::<Pin>(), Err(NotASecret), "{text}");
        }
    }

    #[test]
    fn a_token_reads_back_its_text() {
        let token = Token::from_bytes(std::array::from_fn(|i| 200 + i as u8));
        assert_eq!(token.to_text().len(), 43);
        assert_eq!(token.to_text().parse::<Token>().unwrap(), token);
        for text in ["", "AAAA", &"A".repeat(44), &format!("{}=", token.to_text())] {
            assert_eq!(text.parse::<Token>(), Err(NotASecret), "{text}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Pin::from_number(123_456).unwrap()), "Pin(secret)");
        assert_eq!(format!("{:?}", Token::from_bytes([7; 32])), "Token(secret)");
    }
}
