//! Roles of members, and the one place that says which role may do what.

use std::fmt;
use std::str::FromStr;

/// What a member is in the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Made with the account; exactly one in this version.
    MasterAccountHolder,
    /// Administers everything.
    MasterAdministrator,
    /// Administers the groups given to them.
    Administrator,
    /// Helps people.
    Technician,
}

/// A text that is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARole;

impl fmt::Display for NotARole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a role: master_account_holder, master_administrator, administrator or technician")
    }
}

impl std::error::Error for NotARole {}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Role; 4] =
        [Role::MasterAccountHolder, Role::MasterAdministrator, Role::Administrator, Role::Technician];

    /// The word for rows and messages; stable.
    pub const fn word(self) -> &'static str {
        match self {
            Role::MasterAccountHolder => "master_account_holder",
            Role::MasterAdministrator => "master_administrator",
            Role::Administrator => "administrator",
            Role::Technician => "technician",
        }
    }
}

impl FromStr for Role {
    type Err = NotARole;
    fn from_str(text: &str) -> Result<Role, NotARole> {
        Role::ALL.into_iter().find(|role| role.word() == text).ok_or(NotARole)
    }
}

/// Something a member may want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Make an invitation.
    CreateSession,
    /// See the queue and the session list, with chats.
    SeeSessions,
    /// Take a waiting session.
    PickUpSession,
    /// End a session (whose is decided by the session itself).
    EndSession,
    /// Read the account's security log.
    ReadSecurityLog,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 5] = [
        Action::CreateSession,
        Action::SeeSessions,
        Action::PickUpSession,
        Action::EndSession,
        Action::ReadSecurityLog,
    ];
}

/// May a member of this role do this?
pub const fn may(role: Role, action: Action) -> bool {
    match action {
        Action::CreateSession | Action::SeeSessions | Action::PickUpSession | Action::EndSession => {
            match role {
                Role::MasterAccountHolder
                | Role::MasterAdministrator
                | Role::Administrator
                | Role::Technician => true,
            }
        }
        Action::ReadSecurityLog => match role {
            Role::MasterAccountHolder | Role::MasterAdministrator | Role::Administrator => true,
            Role::Technician => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_read_back_their_words() {
        for role in Role::ALL {
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert_eq!("Technician".parse::<Role>(), Err(NotARole));
    }

    #[test]
    fn only_administrators_read_the_security_log() {
        let readers: Vec<_> = Role::ALL.into_iter().filter(|r| may(*r, Action::ReadSecurityLog)).collect();
        assert_eq!(readers, [Role::MasterAccountHolder, Role::MasterAdministrator, Role::Administrator]);
    }

    #[test]
    fn a_mightier_role_may_do_all_a_lesser_one_may() {
        for action in Action::ALL {
            for pair in Role::ALL.windows(2) {
                assert!(may(pair[0], action) || !may(pair[1], action), "{pair:?} {action:?}");
            }
        }
    }
}
