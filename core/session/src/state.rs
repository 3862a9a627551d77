//! What is known of a session, and the words its parts have in rows and messages.

use std::fmt;

use belay_wire::{MemberId, Moment};

/// A text that is none of the words of an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAWord;

impl fmt::Display for NotAWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of the words known here")
    }
}

impl std::error::Error for NotAWord {}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word for rows and messages; stable.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::NotAWord;
            fn from_str(text: &str) -> Result<Self, $crate::NotAWord> {
                match text { $($word => Ok($name::$variant),)+ _ => Err($crate::NotAWord) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;

words!(
    /// Where a session stands. Hold and transfer will be phases between `Active` and the ended ones.
    Phase {
        /// The invitation is out; the end user's applet has not been admitted yet.
        Connecting = "connecting",
        /// The applet is admitted; the end user is in the queue.
        Waiting = "waiting",
        /// A technician has picked the session up.
        Active = "active",
        /// The applet's connection was lost less than five minutes ago; the session goes on as what it was when the applet is back.
        Reconnecting = "reconnecting",
        /// The applet has been away for five minutes or more, and may still come back.
        Offline = "offline",
        /// Ended on purpose by one side.
        Closed = "closed",
        /// Ended because nobody came.
        TimedOut = "timed_out",
        /// Ended because the end user's program ended without a word on the session.
        Aborted = "aborted",
    }
);

impl Phase {
    /// Is this final?
    pub const fn is_ended(self) -> bool {
        match self {
            Phase::Connecting | Phase::Waiting | Phase::Active | Phase::Reconnecting | Phase::Offline => {
                false
            }
            Phase::Closed | Phase::TimedOut | Phase::Aborted => true,
        }
    }
}

words!(
    /// On whose account a session ended.
    EndedBy {
        /// The person who is helped.
        EndUser = "end_user",
        /// A technician.
        Technician = "technician",
        /// A time-out, or a program that ended without a word.
        System = "system",
    }
);

words!(
    /// What an applet is built for.
    Platform {
        /// Linux with X11 on x86-64.
        LinuxX86_64 = "linux-x86_64",
        /// Windows on x86-64.
        WindowsX86_64 = "windows-x86_64",
        /// macOS.
        Macos = "macos",
    }
);

/// Who asks for the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ender {
    /// The person who is helped, through the applet.
    EndUser,
    /// This technician.
    Technician(MemberId),
}

/// All that is known of a session, as the row keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Where the session stands.
    pub phase: Phase,
    /// Who made the invitation.
    pub created_by: MemberId,
    /// When the invitation was made.
    pub created_at: Moment,
    /// When a session that is still connecting times out.
    pub link_expires_at: Moment,
    /// The name the end user gave; set at joining.
    pub end_user_name: Option<String>,
    /// The IP address the applet was admitted from, as text.
    pub end_user_address: Option<String>,
    /// What the end user downloaded the applet for, last.
    pub platform: Option<Platform>,
    /// Who picked the session up. INVARIANT: set exactly when `active_at` is, and never changed after.
    pub technician: Option<MemberId>,
    /// When the applet was admitted.
    pub waiting_at: Option<Moment>,
    /// When a technician picked it up.
    pub active_at: Option<Moment>,
    /// Since when the applet is away. INVARIANT: set exactly while `phase` is reconnecting or offline. What the session
    /// was before (and will be again): active when `technician` is set, otherwise waiting.
    pub lost_at: Option<Moment>,
    /// Time spent offline since the pick-up, in µs, without the present absence.
    pub offline_micros: u64,
    /// When it ended. INVARIANT: set exactly when `phase` is ended, and never changed after.
    pub ended_at: Option<Moment>,
    /// On whose account it ended; set with `ended_at`.
    pub ended_by: Option<EndedBy>,
}

impl State {
    /// What the session counts as worked on, in µs: from the pick-up to the end (or `now`), reconnecting included,
    /// offline not. Zero before the pick-up.
    pub fn total_micros(&self, now: Moment) -> u64 {
        let Some(from) = self.active_at else { return 0 };
        let until = self.ended_at.unwrap_or(now);
        let away = self.lost_at.map_or(0, |lost| offline_micros(lost, until));
        until.0.saturating_sub(from.0).saturating_sub(self.offline_micros).saturating_sub(away)
    }
}

/// How much of an absence from `lost` to `until` counts as offline, in µs.
pub(crate) fn offline_micros(lost: Moment, until: Moment) -> u64 {
    until.0.saturating_sub(lost.0).saturating_sub(crate::RECONNECTING_MICROS)
}
