//! What the repository functions take and give: plain values, no SQL and no database types.

use std::net::IpAddr;

use belay_access::{Lockout, Role, SecurityKind, Verdict};
use belay_session::State;
use belay_wire::gateway::Role as LegRole;
use belay_wire::{AccountId, MemberId, Moment, SessionId};
use uuid::Uuid;

/// A sign-in id: lower case, without white space around it, 1 to 254 bytes; unique over the whole installation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignInId(String);

impl SignInId {
    /// Lower-cases and trims; `None` for an empty one, a too long one, or one with control characters.
    pub fn new(text: &str) -> Option<SignInId> {
        let text = text.trim().to_lowercase();
        let fits = !text.is_empty() && text.len() <= 254 && !text.chars().any(char::is_control);
        fits.then_some(SignInId(text))
    }

    /// The lower-case text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a new account needs.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The company's name as end users will see it, 1 to 128 characters.
    pub name: String,
    /// The region whose gateways its sessions go through; `None`: that of the website.
    pub region: Option<String>,
    /// The master account holder's sign-in id.
    pub holder_sign_in_id: SignInId,
    /// The master account holder's name as end users will see it, 1 to 128 characters.
    pub holder_name: String,
    /// The hash of their password (`belay_identity::Passwords::hash`).
    pub holder_password_hash: String,
}

/// What creating an account came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountCreated {
    /// It exists now.
    Created {
        /// The account.
        account: AccountId,
        /// Its master account holder.
        holder: MemberId,
    },
    /// Somebody on this installation has this sign-in id already; nothing was made.
    SignInIdTaken,
}

/// An account as the directory knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The company's name.
    pub name: String,
    /// The region whose gateways its sessions go through; `None`: that of the website.
    pub region: Option<String>,
    /// When it was made.
    pub created_at: Moment,
}

/// A member of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's id.
    pub id: MemberId,
    /// The name that end users see.
    pub name: String,
    /// The id they sign in with, lower case.
    pub sign_in_id: String,
    /// What they are.
    pub role: Role,
    /// When they were added.
    pub created_at: Moment,
}

/// A member as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The member's id.
    pub id: MemberId,
    /// The member's name.
    pub name: String,
}

/// What a sign-in id stands for.
#[derive(Clone)]
pub struct Credential {
    /// The account.
    pub account: AccountId,
    /// The member.
    pub member: MemberId,
    /// The hash of their password in PHC form. Not for logs.
    pub password_hash: String,
}

/// A sign-in attempt that has been counted.
#[derive(Clone)]
pub struct SignInAttempt {
    /// May the password be checked? When locked: answer as for a wrong password.
    pub verdict: Verdict,
    /// The count after this attempt.
    pub lockout: Lockout,
    /// `None` for an id nobody has: run the dummy verification all the same.
    pub credential: Option<Credential>,
}

/// A sign-in, found by its cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSession {
    /// The account.
    pub account: AccountId,
    /// The member.
    pub member: MemberId,
    /// When they signed in.
    pub created_at: Moment,
    /// Their last activity.
    pub last_seen_at: Moment,
}

/// An invitation that has been found or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The account.
    pub account: AccountId,
    /// The session it leads to.
    pub session: SessionId,
}

/// What keeping an invitation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invited {
    /// PIN and link are valid now.
    Kept {
        /// The PIN dies here.
        pin_expires_at: Moment,
        /// The link dies here.
        link_expires_at: Moment,
    },
    /// Another living invitation has this PIN: come again with a new one.
    PinTaken,
}

/// A join ticket or a session authentication id that was found: account and session.
pub type Found = Invitation;

/// What became of an applet that presented its session authentication id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is admitted, and the end user waits now.
    Admitted {
        /// The session.
        session: SessionId,
    },
    /// No such id.
    Unknown,
    /// The id has been used, or another applet is on the session already.
    Used {
        /// The session it belonged to.
        session: SessionId,
    },
    /// The id's time is over, or its session has ended.
    Expired {
        /// The session it belonged to.
        session: SessionId,
    },
    /// The id belongs to another account than the applet says.
    Foreign,
}

/// Through which gateway a leg comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The one in the website's own process.
    Own,
    /// One in another process, by its public key.
    Gateway([u8; 32]),
}

/// A return ticket: what it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnTicket {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// Which leg it was given to.
    pub role: LegRole,
    /// The technician, for a console.
    pub member: Option<MemberId>,
}

/// What became of a leg that presented a return ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It was good, and is used up now.
    Taken(ReturnTicket),
    /// No such ticket, or its session has ended.
    Unknown,
    /// It was used before.
    Used(ReturnTicket),
    /// Its time is over.
    Expired(ReturnTicket),
    /// It belongs to another account or another kind of leg than the one that was claimed.
    Foreign(ReturnTicket),
}

/// A key that a process of another role signs its requests with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleKey {
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// What it may speak for.
    pub role: String,
    /// Since when it is trusted.
    pub added_at: Moment,
    /// Since when it is not trusted any more.
    pub revoked_at: Option<Moment>,
}

/// A console's ticket for the gateway that has been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleTicket {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// The technician it was given to.
    pub member: MemberId,
}

/// A support session: its state and the people in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// All that is known of it.
    pub state: State,
    /// Who made it (`state.created_by` with the name).
    pub created_by: Person,
    /// Who picked it up (`state.technician` with the name).
    pub technician: Option<Person>,
}

/// A session with all that was kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDetails {
    /// The session.
    pub session: Session,
    /// Its chat, oldest first.
    pub chat: Vec<ChatLine>,
    /// What happened, oldest first.
    pub events: Vec<SessionEvent>,
}

/// Who wrote a chat line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// The technician.
    Technician,
    /// The person who is helped.
    EndUser,
}

impl Author {
    /// The word for rows and messages; stable.
    pub const fn word(self) -> &'static str {
        match self {
            Author::Technician => "technician",
            Author::EndUser => "end_user",
        }
    }

    /// The author of a word.
    pub fn from_word(word: &str) -> Option<Author> {
        match word {
            "technician" => Some(Author::Technician),
            "end_user" => Some(Author::EndUser),
            _ => None,
        }
    }
}

/// A line of chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatLine {
    /// Chosen by the writer; the same line sent twice is kept once.
    pub line_id: Uuid,
    /// Who wrote it.
    pub author: Author,
    /// What they wrote, at most 16 KiB.
    pub text: String,
    /// When.
    pub at: Moment,
}

/// What keeping a chat line came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatKept {
    /// It is new.
    New,
    /// It was here already; nothing changed.
    Already,
    /// The account has no such session.
    NoSession,
}

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEvent {
    /// When.
    pub at: Moment,
    /// The word of `belay_session::Event::kind`.
    pub kind: String,
    /// A name, a right, an address, an ended phase: short text.
    pub detail: String,
}

/// A new entry for the security log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecurityEvent {
    /// When.
    pub at: Moment,
    /// What it is about.
    pub kind: SecurityKind,
    /// The session concerned.
    pub session: Option<SessionId>,
    /// The address it came from.
    pub address: Option<IpAddr>,
    /// What was tried: short text without secrets.
    pub detail: String,
}

/// An entry of the security log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvent {
    /// When.
    pub at: Moment,
    /// The word of [`SecurityKind`].
    pub kind: String,
    /// The session concerned.
    pub session: Option<SessionId>,
    /// The address it came from, as text.
    pub address: Option<String>,
    /// What was tried.
    pub detail: String,
}
