//! Random secrets from the operating system's generator.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use belay_access::{Pin, Token};
use belay_wire::{LegTicket, SessionAuthenticationId};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Without 0/O, 1/l/I: for passwords that people type from a screen.
const READABLE: &[u8; 56] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz2345678";
/// Characters of a salt.
pub const SALT_CHARS: usize = 24;

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system's random generator answers");
    bytes
}

/// `count` characters, each drawn uniformly: bytes beyond the last full multiple of the alphabet are thrown away.
fn characters(alphabet: &[u8], count: usize) -> String {
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(count);
    while text.len() < count {
        for byte in bytes::<32>() {
            if usize::from(byte) < limit && text.len() < count {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    text
}

/// A PIN, uniform over all million.
pub fn random_pin() -> Pin {
    // 4,294 full millions fit into 32 bits; what lies above them would favour small numbers.
    const LIMIT: u32 = u32::MAX - u32::MAX % 1_000_000;
    loop {
        let number = u32::from_be_bytes(bytes());
        if number < LIMIT {
            return Pin::from_number(number % 1_000_000)
                .expect("a remainder of a million is below a million");
        }
    }
}

/// 32 random bytes: a cookie, a link, a ticket of a join.
pub fn random_token() -> Token {
    Token::from_bytes(bytes())
}

/// A console's ticket for the gateway.
pub fn random_leg_ticket() -> LegTicket {
    LegTicket::from_bytes(bytes())
}

/// The 128-bit id of a downloaded applet.
pub fn random_session_authentication_id() -> SessionAuthenticationId {
    SessionAuthenticationId::from_bytes(bytes())
}

/// A salt for a password hash: 24 alphanumeric characters (142 bits).
pub fn random_salt() -> String {
    characters(ALPHANUMERIC, SALT_CHARS)
}

/// A password for a demo account: 24 characters that are told apart at a glance (139 bits).
pub fn random_password() -> String {
    characters(READABLE, 24)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn salts_have_24_alphanumeric_characters_and_never_repeat() {
        let salts: HashSet<String> = (0..10_000).map(|_| random_salt()).collect();
        assert_eq!(salts.len(), 10_000);
        for salt in &salts {
            assert_eq!(salt.len(), 24);
            assert!(salt.bytes().all(|b| b.is_ascii_alphanumeric()), "{salt}");
        }
    }

    #[test]
    fn every_character_is_equally_likely() {
        let mut counts = [0u32; 256];
        for _ in 0..5_000 {
            for byte in random_salt().bytes() {
                counts[usize::from(byte)] += 1;
            }
        }
        // 120,000 draws over 62 characters: 1,935 expected, standard deviation 44.
        for symbol in ALPHANUMERIC {
            let count = counts[usize::from(*symbol)];
            assert!((1_650..2_250).contains(&count), "{} came {count} times", char::from(*symbol));
        }
    }

    #[test]
    fn pins_spread_over_the_whole_range() {
        let mut first = [0u32; 10];
        let mut seen = HashSet::new();
        for _ in 0..20_000 {
            let pin = random_pin();
            first[usize::from(pin.as_str().as_bytes()[0] - b'0')] += 1;
            seen.insert(pin.as_str().to_owned());
        }
        // 2,000 expected for each first digit, standard deviation 42; about 200 repetitions expected in all.
        assert!(first.iter().all(|count| (1_700..2_300).contains(count)), "{first:?}");
        assert!(seen.len() > 19_500, "{}", seen.len());
    }

    #[test]
    fn the_readable_alphabet_has_no_twins() {
        assert_eq!(READABLE.iter().collect::<HashSet<_>>().len(), READABLE.len());
        assert!(!READABLE.iter().any(|c| b"0O1lI9".contains(c)));
    }
}
