//! Characters and the names X has for them.

/// Return, Tab and Backspace.
pub const RETURN: u32 = 0xff0d;
pub const TAB: u32 = 0xff09;
pub const BACKSPACE: u32 = 0xff08;
/// The key that holds the third level, AltGr.
pub const LEVEL3_SHIFT: u32 = 0xfe03;
pub const SHIFT_LEFT: u32 = 0xffe1;
pub const PAUSE: u32 = 0xff13;
pub const BREAK: u32 = 0xff6b;

/// The name to give a borrowed key that is to type this character; `None` for control characters that no key types.
pub fn of(character: char) -> Option<u32> {
    match character {
        '\n' | '\r' => Some(RETURN),
        '\t' => Some(TAB),
        '\u{8}' | '\u{7f}' => Some(BACKSPACE),
        ' '..='~' | '\u{a0}'..='\u{ff}' => Some(u32::from(character)),
        character if character.is_control() => None,
        character => Some(0x0100_0000 | u32::from(character)),
    }
}

/// Whether a key with this name types the character; layouts use old names as well.
pub fn types(keysym: u32, character: char) -> bool {
    let Some(name) = of(character) else { return false };
    keysym == name || legacy(keysym) == Some(character) || keysym == 0x0100_0000 | u32::from(character)
}

/// The character behind a name of the time before Unicode, for the alphabets whose layouts still use them.
fn legacy(keysym: u32) -> Option<char> {
    let from = |table: &str, first: u32| {
        table.chars().nth(usize::try_from(keysym - first).ok()?).filter(|c| *c != ' ')
    };
    match keysym {
        0x20ac => Some('€'),
        0x1a1..=0x1bf => from("Ą˘Ł ĽŚ  ŠŞŤŹ ŽŻ ą˛ł ľśˇ šşťź˝žż", 0x1a1),
        0x1c0..=0x1ff => from("Ŕ  Ă ĹĆ Č Ę Ě  ĎĐŃŇ  Ő  ŘŮ Ű  Ţ ŕ  ă ĺć č ę ě  ďđńň  ő  řů ű  ţ˙", 0x1c0),
        0x6a1..=0x6bf => from("ђѓёєѕіїјљњћќґўџ№ЂЃЁЄЅІЇЈЉЊЋЌҐЎЏ", 0x6a1),
        0x6c0..=0x6ff => from("юабцдефгхийклмнопярстужвьызшэщчъЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ", 0x6c0),
        0x7c1..=0x7d9 => from("ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣ ΤΥΦΧΨΩ", 0x7c1),
        0x7e1..=0x7f9 => from("αβγδεζηθικλμνξοπρσςτυφχψω", 0x7e1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_known() {
        for (keysym, character) in [
            (0x20ac, '€'),
            (0x1b3, 'ł'),
            (0x1ec, 'ě'),
            (0x1f8, 'ř'),
            (0x1fb, 'ű'),
            (0x6c1, 'а'),
            (0x6ff, 'Ъ'),
            (0x6b0, '№'),
            (0x7e1, 'α'),
            (0x7f3, 'ς'),
            (0x7d2, 'Σ'),
            (0x7d9, 'Ω'),
            (0x41, 'A'),
            (0x0101_f600, '😀'),
        ] {
            assert!(types(keysym, character), "{keysym:#x} types {character}");
        }
        assert!(!types(0x1a4, ' '), "a gap in the table types nothing");
        assert_eq!(of('\u{1b}'), None);
        assert_eq!(of('ä'), Some(0xe4));
    }
}
