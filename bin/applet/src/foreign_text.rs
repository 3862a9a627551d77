//! Text that came from elsewhere: names, chat. Cut and cleaned before anybody sees it, so that it cannot pass for the program's own words.

/// Longest name shown, in characters.
pub const NAME_CHARS: usize = 64;
/// Longest chat line shown, in characters.
pub const CHAT_CHARS: usize = 4000;
const CHAT_LINES: usize = 60;
/// Marks on top of one letter; more only paint over the neighbours.
const MARKS: usize = 4;

/// One line without anything invisible, at most [`NAME_CHARS`] characters.
pub fn name(text: &str) -> String {
    one_line(text, NAME_CHARS)
}

/// One line without anything invisible, at most `max` characters.
pub fn one_line(text: &str, max: usize) -> String {
    let spaced: String =
        text.chars().map(|c| if c.is_whitespace() || is_line_end(c) { ' ' } else { c }).collect();
    let seen = visible(&spaced);
    let words: Vec<&str> = seen.split(' ').filter(|word| !word.is_empty()).collect();
    isolate(cut(&words.join(" "), max))
}

/// A chat line: line breaks stay, everything else invisible goes.
pub fn chat(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n").replace('\t', "    ");
    let lines: Vec<String> = text.split('\n').take(CHAT_LINES).map(visible).collect();
    isolate(cut(lines.join("\n").trim_end(), CHAT_CHARS))
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether the character shows nothing and changes how others are shown.
pub fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

fn visible(text: &str) -> String {
    let mut marks = 0;
    text.chars()
        .filter(|c| !is_treacherous(*c))
        .filter(|c| {
            marks = if is_mark(*c) { marks + 1 } else { 0 };
            marks <= MARKS
        })
        .collect()
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// Keeps text that runs from right to left from turning the sentence around it.
fn isolate(text: String) -> String {
    let runs_back = |c: char| matches!(c, '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}');
    if text.chars().any(runs_back) { format!("\u{2068}{text}\u{2069}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_survives() {
        assert_eq!(name("Tess\u{202e}elpmaxE \u{200b}\u{7}\n  B."), "TesselpmaxE B.");
        assert_eq!(chat("a\r\nb\u{2028}c\u{2066}d\te\u{0}"), "a\nb\ncd    e");
    }

    #[test]
    fn it_is_cut_at_characters() {
        assert_eq!(name(&"ä".repeat(500)).chars().count(), NAME_CHARS);
        assert!(chat(&"漢".repeat(5000)).ends_with('…'));
        assert_eq!(chat(&"\n".repeat(5000)), "");
        assert_eq!(name(&format!("Z{}", "\u{0301}".repeat(40))).chars().count(), 1 + MARKS);
    }

    #[test]
    fn right_to_left_names_stay_by_themselves() {
        assert_eq!(name("\u{05d0}\u{05d1}"), "\u{2068}\u{05d0}\u{05d1}\u{2069}");
        assert_eq!(name("Zoë Müller"), "Zoë Müller");
    }
}
