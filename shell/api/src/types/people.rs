//! Members, accounts, and who is signed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person types to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The sign-in id; case does not matter.
    pub id: String,
    /// The password.
    pub password: String,
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// The person.
    pub member: Member,
    /// Their company.
    pub account: Account,
    /// They are signed off after this long without activity.
    pub idle_sign_off_seconds: u32,
}

/// A member of the account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    /// The member's id.
    #[schema(format = Uuid)]
    pub id: String,
    /// The name that end users see.
    pub name: String,
    /// What they type to sign in.
    pub sign_in_id: String,
    /// What they are.
    pub role: Role,
}

/// What a member is in the account.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Made with the account.
    MasterAccountHolder,
    /// Administers everything.
    MasterAdministrator,
    /// Administers the groups given to them.
    Administrator,
    /// Helps people.
    Technician,
}

impl From<belay_access::Role> for Role {
    fn from(role: belay_access::Role) -> Self {
        match role {
            belay_access::Role::MasterAccountHolder => Self::MasterAccountHolder,
            belay_access::Role::MasterAdministrator => Self::MasterAdministrator,
            belay_access::Role::Administrator => Self::Administrator,
            belay_access::Role::Technician => Self::Technician,
        }
    }
}

/// A company.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    /// The account's id.
    #[schema(format = Uuid)]
    pub id: String,
    /// The company's name.
    pub name: String,
    /// The region whose gateways its sessions go through.
    pub region: String,
}

/// A member as others see them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Person {
    /// The member's id.
    #[schema(format = Uuid)]
    pub id: String,
    /// The member's name.
    pub name: String,
}

impl From<&belay_store::Person> for Person {
    fn from(person: &belay_store::Person) -> Self {
        Self { id: person.id.to_string(), name: person.name.clone() }
    }
}

/// What was refused or noticed, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecurityLog {
    /// The entries.
    pub events: Vec<SecurityEvent>,
}

/// An entry of the security log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecurityEvent {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Stable word in kebab-case.
    pub kind: String,
    /// The session concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    pub session_id: Option<String>,
    /// The address it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<String>,
    /// What was tried.
    pub detail: String,
}

impl From<belay_store::SecurityEvent> for SecurityEvent {
    fn from(event: belay_store::SecurityEvent) -> Self {
        Self {
            at: crate::clock::rfc3339(event.at),
            kind: event.kind,
            session_id: event.session.map(|id| id.to_string()),
            address: event.address,
            detail: event.detail,
        }
    }
}
