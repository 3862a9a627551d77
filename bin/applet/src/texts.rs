//! The message catalogue of the end user's program: every word it shows, in every language it speaks.

mod de;
mod en;

use std::time::Duration;

use belay_net::applet::{Insecure, Interference, PathKind};
use belay_net::check::{Check, Skip, Step, Trouble, Verdict};
use belay_permission::EndReason;
use belay_seal::SecurityCode;
use belay_wire::gateway::Refusal;
use belay_wire::{Right, Rights};

use crate::charter::CharterError;
use crate::connection::Why;

/// A language the program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
}

impl Language {
    /// The computer's language (LC_ALL, LC_MESSAGES, LANG, or what the system says); English if Belay does not speak it.
    pub fn of_system() -> Language {
        let named = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        Language::of_locale(&named.or_else(sys_locale::get_locale).unwrap_or_default())
    }

    /// The language of a locale such as `de_AT.UTF-8`.
    pub fn of_locale(locale: &str) -> Language {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("de") { Language::De } else { Language::En }
    }

    /// Its code, such as `de`.
    pub const fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::De => "de",
        }
    }

    /// Its words.
    pub const fn texts(self) -> &'static Texts {
        match self {
            Language::En => &en::TEXTS,
            Language::De => &de::TEXTS,
        }
    }
}

macro_rules! texts {
    ($($name:ident)*) => {
        /// Every text by name. `{technician}`, `{company}`, `{domain}`, `{operator}`, `{seconds}`, `{time}`, `{right}`, `{library}`, `{host}`, `{why}`, `{count}`, `{way}` and `{finding}` are filled in.
        #[allow(missing_docs)]
        #[derive(Debug)]
        pub struct Texts { $(pub $name: &'static str,)* }

        #[cfg(test)]
        impl Texts {
            fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

texts! {
    title title_plain prompt_title bar_title
    connecting_heading connecting_detail waiting_heading waiting_detail greeting_heading greeting_detail
    connected_heading connected_detail left_detail
    reconnecting_heading reconnecting_server reconnecting_technician reconnecting_waiting
    offline_heading offline_server offline_technician interrupted_for
    untrusted_heading untrusted_signature untrusted_document untrusted_foreign untrusted_time
    insecure_heading insecure_keys insecure_handshake insecure_unfinished insecure_forged insecure_do
    ended_heading ended_by_end_user ended_by_panic ended_by_technician ended_by_time ended_by_server
    lost_heading lost_detail tampered_heading tampered_detail
    refused_heading refused_unknown refused_used refused_expired refused_foreign refused_busy refused_slow_down refused_other
    unreachable_heading unreachable_detail
    trouble_heading trouble_detail
    way_name way_port way_certificate way_website way_gateway way_datagrams way_relay
    way_good way_skipped way_off way_no_name way_refused way_silent way_expired way_not_yet way_untrusted way_not_belay
    way_datagrams_silent way_other way_clear way_blocked way_which
    plain_heading plain_detail damaged_heading damaged_detail no_display no_keyboard_library
    shared_heading nothing_shared view_label control_label stop_view stop_control end_session close panic_hint no_panic_hint
    view_paused control_paused bar_paused code_heading code_meaning code_unproved code_verified code_verified_meaning code_same
    way_tab path_relay path_relayed_udp path_direct_udp path_direct_tcp path_none path_line short_relay short_relayed_udp short_direct_udp short_direct_tcp path_took path_unmeasured
    why_looking why_lost why_slower why_no_address why_udp_blocked_here why_only_tcp why_nothing
    do_nothing do_no_address do_udp_blocked_here do_only_tcp do_slow
    interference_none interference_some interference_forged interference_repeated interference_swallowed
    way_heading path_heading interference_heading way_examine way_examining
    chat_tab story_tab chat_empty chat_placeholder chat_not_yet send you typing
    asks_view asks_control asks_both means_view means_control means_both prompt_domain
    allow refuse prompt_warning countdown remaining
    sees uses
    right_view right_control
    story_connected story_technician story_left story_breach story_asked story_granted story_refused story_timed_out
    story_interrupted_server story_interrupted_technician story_resumed story_offline story_cut story_compared story_verified
    story_cancelled story_view_started story_view_ended story_control_ended story_withdrawn story_released story_failed
    story_violation story_untrusted story_interference story_log_failed
}

impl Texts {
    /// What this right is called in the middle of a sentence.
    pub const fn right(&self, right: Right) -> &'static str {
        match right {
            Right::DesktopView => self.right_view,
            Right::RemoteControl => self.right_control,
        }
    }

    /// The sentence that asks for these rights, and the one that says what it means.
    pub fn question(&self, rights: Rights) -> (&'static str, &'static str) {
        match (rights.contains(Right::DesktopView), rights.contains(Right::RemoteControl)) {
            (true, true) => (self.asks_both, self.means_both),
            (false, true) => (self.asks_control, self.means_control),
            (true, false) | (false, false) => (self.asks_view, self.means_view),
        }
    }

    /// What one step of the way to the server has shown.
    pub fn way(&self, check: &Check) -> String {
        let step = match check.step {
            Step::Name => self.way_name,
            Step::Port => self.way_port,
            Step::Certificate => self.way_certificate,
            Step::Website => self.way_website,
            Step::Gateway => self.way_gateway,
            Step::Datagrams => self.way_datagrams,
            Step::Relay => self.way_relay,
        };
        let found = match (&check.verdict, check.step) {
            (Verdict::Good, _) => self.way_good,
            (Verdict::Skipped(Skip::Before), _) => self.way_skipped,
            (Verdict::Skipped(Skip::Off), _) => self.way_off,
            (Verdict::Bad(_), Step::Datagrams | Step::Relay) => self.way_datagrams_silent,
            (Verdict::Bad(trouble), _) => match trouble {
                Trouble::NoName => self.way_no_name,
                Trouble::Refused => self.way_refused,
                Trouble::Silent => self.way_silent,
                Trouble::Expired => self.way_expired,
                Trouble::NotYet => self.way_not_yet,
                Trouble::OtherName | Trouble::Untrusted => self.way_untrusted,
                Trouble::NotBelay(_) => self.way_not_belay,
                Trouble::Other(_) => self.way_other,
            },
        };
        let why = if let Verdict::Bad(Trouble::Other(why)) = &check.verdict { why } else { "" };
        let host = crate::foreign_text::name(&check.host);
        fill(step, &[("host", &host), ("finding", &fill(found, &[("why", why)]))])
    }

    /// Why this technician is not trusted.
    pub const fn untrusted(&self, why: CharterError) -> &'static str {
        match why {
            CharterError::Signature => self.untrusted_signature,
            CharterError::Document => self.untrusted_document,
            CharterError::Foreign => self.untrusted_foreign,
            CharterError::Time => self.untrusted_time,
        }
    }

    /// How it showed that the connection was not secure.
    pub const fn insecure(&self, how: Insecure) -> &'static str {
        match how {
            Insecure::Keys => self.insecure_keys,
            Insecure::Handshake => self.insecure_handshake,
            Insecure::Unfinished => self.insecure_unfinished,
            Insecure::Forged => self.insecure_forged,
        }
    }

    /// What the way in use is, in a sentence.
    pub const fn path(&self, kind: PathKind) -> &'static str {
        match kind {
            PathKind::Relay => self.path_relay,
            PathKind::RelayedUdp => self.path_relayed_udp,
            PathKind::DirectUdp => self.path_direct_udp,
            PathKind::DirectTcp => self.path_direct_tcp,
        }
    }

    /// The same in a word or two.
    pub const fn short_path(&self, kind: PathKind) -> &'static str {
        match kind {
            PathKind::Relay => self.short_relay,
            PathKind::RelayedUdp => self.short_relayed_udp,
            PathKind::DirectUdp => self.short_direct_udp,
            PathKind::DirectTcp => self.short_direct_tcp,
        }
    }

    /// Why it is not a better one, and what to do.
    pub const fn why(&self, why: Why) -> (&'static str, &'static str) {
        match why {
            Why::Looking => (self.why_looking, self.do_nothing),
            Why::Lost => (self.why_lost, self.do_nothing),
            Why::Slower => (self.why_slower, self.do_nothing),
            Why::NoAddress => (self.why_no_address, self.do_no_address),
            Why::UdpBlockedHere => (self.why_udp_blocked_here, self.do_udp_blocked_here),
            Why::OnlyTcp => (self.why_only_tcp, self.do_only_tcp),
            Why::Nothing => (self.why_nothing, self.do_slow),
        }
    }

    /// What somebody on the way has done so far, a line for each sort.
    pub fn interference(&self, interference: Interference) -> String {
        let Interference { forged, repeated, swallowed } = interference;
        let sorts = [
            (self.interference_forged, forged),
            (self.interference_repeated, repeated),
            (self.interference_swallowed, swallowed),
        ];
        let said: Vec<String> = sorts
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(text, count)| fill(text, &[("count", &count.to_string())]))
            .collect();
        if said.is_empty() {
            return self.interference_none.to_owned();
        }
        format!("{}\n{}", said.join("\n"), self.interference_some)
    }

    /// Why the session is over.
    pub fn ended(&self, why: EndReason) -> &'static str {
        match why {
            EndReason::EndUser => self.ended_by_end_user,
            EndReason::PanicKey => self.ended_by_panic,
            EndReason::Technician => self.ended_by_technician,
            EndReason::LinkLost => self.lost_detail,
            EndReason::CharterExpired => self.ended_by_time,
            EndReason::Tampered => self.tampered_detail,
        }
    }

    /// Why the gateway let nobody in.
    pub fn refused(&self, why: Refusal) -> &'static str {
        match why {
            Refusal::Unknown => self.refused_unknown,
            Refusal::Used => self.refused_used,
            Refusal::Expired => self.refused_expired,
            Refusal::Foreign => self.refused_foreign,
            Refusal::Full | Refusal::Unavailable => self.refused_busy,
            Refusal::SlowDown => self.refused_slow_down,
            Refusal::Protocol | Refusal::Replaced => self.refused_other,
        }
    }
}

/// A security code as people read it out: `462 748`.
pub fn grouped(code: SecurityCode) -> String {
    let digits = code.to_string();
    let (first, last) = digits.split_at(digits.len() / 2);
    format!("{first} {last}")
}

/// The same for screen readers, which would read a number otherwise: `4 6 2, 7 4 8`.
pub fn digit_by_digit(code: SecurityCode) -> String {
    let spaced = |digits: &str| digits.chars().map(String::from).collect::<Vec<_>>().join(" ");
    grouped(code).split(' ').map(spaced).collect::<Vec<_>>().join(", ")
}

/// A length of time as people say it: `14 s`, `2 min 5 s`, `1 h 3 min`; the units are the same in every language spoken here.
pub fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Splits a label at the letter after its `&`: before it, the letter, after it.
pub fn access(text: &str) -> (&str, &str, &str) {
    let Some((before, rest)) = text.split_once('&') else { return (text, "", "") };
    let (letter, after) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
    (before, letter, after)
}

/// Puts values into a text's places, once: a value that holds a place's name stays as it is.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = after.split_once('}').and_then(|(name, tail)| {
            values.iter().find(|(key, _)| *key == name).map(|(_, value)| (value, tail))
        });
        match known {
            Some((value, tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<&str> {
        let mut places: Vec<&str> =
            text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    #[test]
    fn both_languages_say_everything_with_the_same_places() {
        let known = [
            "technician",
            "company",
            "domain",
            "operator",
            "seconds",
            "time",
            "right",
            "library",
            "host",
            "why",
            "finding",
            "count",
            "way",
        ];
        for ((name, en), (_, de)) in en::TEXTS.all().into_iter().zip(de::TEXTS.all()) {
            for text in [en, de] {
                assert!(!text.trim().is_empty(), "{name} is empty");
                assert!(!text.contains('!'), "{name}: nobody is shouted at");
            }
            assert_eq!(places(en), places(de), "{name}");
            assert!(places(en).iter().all(|place| known.contains(place)), "{name}: unknown place");
        }
    }

    #[test]
    fn german_says_sie_and_is_no_copy() {
        let same: Vec<_> = en::TEXTS
            .all()
            .into_iter()
            .zip(de::TEXTS.all())
            .filter(|((name, en), (_, de))| en == de && en.contains(' ') && *name != "title")
            .collect();
        assert!(same.is_empty(), "{same:?}");
        for (name, text) in de::TEXTS.all() {
            for word in text.split(|c: char| !c.is_alphabetic()) {
                assert!(!matches!(word, "du" | "dein" | "deine" | "deinen" | "dir" | "dich"), "{name}");
            }
        }
    }

    /// Alt+A is the key in both languages: tests and screen readers' scripts rely on it. No window has a letter twice.
    #[test]
    fn the_letters_of_the_buttons_are_distinct() {
        for texts in [&en::TEXTS, &de::TEXTS] {
            assert_eq!(access(texts.allow).1.to_lowercase(), "a");
            let letters = [texts.stop_view, texts.stop_control, texts.end_session]
                .map(|text| access(text).1.to_lowercase());
            assert!(letters.iter().all(|letter| letter.chars().count() == 1));
            assert!(
                letters[0] != letters[1] && letters[1] != letters[2] && letters[0] != letters[2],
                "{letters:?}"
            );
        }
        assert_eq!(access("Plain"), ("Plain", "", ""));
        assert_eq!(access("Erl&auben"), ("Erl", "a", "uben"));
    }

    #[test]
    fn every_title_starts_with_the_product() {
        for texts in [&en::TEXTS, &de::TEXTS] {
            for title in [texts.title, texts.title_plain, texts.prompt_title, texts.bar_title] {
                assert!(title.starts_with("Belay"), "{title}");
            }
        }
    }

    #[test]
    fn numbers_read_well_and_sound_well() {
        let code = |digits| SecurityCode { digits, transcript: [0; 32] };
        assert_eq!(grouped(code(462_748)), "462 748");
        assert_eq!(grouped(code(7)), "000 007");
        assert_eq!(digit_by_digit(code(462_748)), "4 6 2, 7 4 8");
        for (seconds, said) in [(0, "0 s"), (59, "59 s"), (125, "2 min 5 s"), (3790, "1 h 3 min")] {
            assert_eq!(length(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn a_value_is_not_filled_again() {
        let text =
            fill("{technician} of {company} {x}", &[("technician", "{company}"), ("company", "Example")]);
        assert_eq!(text, "{company} of Example {x}");
    }

    #[test]
    fn locales_are_understood() {
        for (locale, language) in [
            ("de_AT.UTF-8", Language::De),
            ("de-DE", Language::De),
            ("DE", Language::De),
            ("C", Language::En),
            ("", Language::En),
            ("nds_DE", Language::En),
        ] {
            assert_eq!(Language::of_locale(locale), language, "{locale}");
        }
    }
}
