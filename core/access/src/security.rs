//! Kinds of entries in the security log.

/// What an entry of the security log is about. New kinds are added here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecurityKind {
    /// The account was made.
    AccountCreated,
    /// Somebody signed in.
    SignedIn,
    /// A sign-in failed.
    SignInFailed,
    /// A sign-in was refused because the id is locked.
    SignInLocked,
    /// Somebody signed out.
    SignedOut,
    /// A request came from a page of another origin.
    ForeignOrigin,
    /// A PIN was wrong, used or expired.
    PinRefused,
    /// A link was wrong, used or expired.
    LinkRefused,
    /// Too many tries from one address.
    SlowedDown,
    /// An applet was refused at the gateway.
    AdmissionRefused,
    /// A console was refused at the gateway.
    TicketRefused,
    /// A leg that wanted to come back was refused at the gateway.
    ReturnRefused,
    /// A process that says it is a gateway was not believed.
    RoleRefused,
    /// A console sent something that no right of the end user covered.
    Violation,
    /// The ends of a session found somebody in between.
    Tampered,
    /// A member asked for what their role may not do.
    Forbidden,
}

impl SecurityKind {
    /// The word for rows and messages; stable.
    pub const fn word(self) -> &'static str {
        match self {
            SecurityKind::AccountCreated => "account-created",
            SecurityKind::SignedIn => "signed-in",
            SecurityKind::SignInFailed => "sign-in-failed",
            SecurityKind::SignInLocked => "sign-in-locked",
            SecurityKind::SignedOut => "signed-out",
            SecurityKind::ForeignOrigin => "foreign-origin",
            SecurityKind::PinRefused => "pin-refused",
            SecurityKind::LinkRefused => "link-refused",
            SecurityKind::SlowedDown => "slowed-down",
            SecurityKind::AdmissionRefused => "admission-refused",
            SecurityKind::TicketRefused => "ticket-refused",
            SecurityKind::ReturnRefused => "return-refused",
            SecurityKind::RoleRefused => "role-refused",
            SecurityKind::Violation => "violation",
            SecurityKind::Tampered => "tampered",
            SecurityKind::Forbidden => "forbidden",
        }
    }
}
