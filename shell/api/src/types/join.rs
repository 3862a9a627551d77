//! What the join page and the applet exchange with the website.

use belay_session as session;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A PIN and the end user's name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinPin {
    /// Six digits; spaces and hyphens are skipped.
    pub pin: String,
    /// 1 to 64 characters.
    pub name: String,
}

/// The token of a link; with a name it is used up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinLink {
    /// What stood behind `#`.
    pub token: String,
    /// 1 to 64 characters; absent: only look who invites.
    #[schema(nullable = false)]
    pub name: Option<String>,
}

/// The form that fetches the applet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinDownload {
    /// From the `Ticket`.
    pub join_token: String,
    /// For which computer.
    pub platform: PlatformName,
}

/// What an applet is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) enum PlatformName {
    /// Linux with X11 on x86-64.
    #[serde(rename = "linux-x86_64")]
    LinuxX86_64,
    /// Windows on x86-64.
    #[serde(rename = "windows-x86_64")]
    WindowsX86_64,
    /// macOS.
    #[serde(rename = "macos")]
    Macos,
}

impl From<session::Platform> for PlatformName {
    fn from(platform: session::Platform) -> Self {
        match platform {
            session::Platform::LinuxX86_64 => Self::LinuxX86_64,
            session::Platform::WindowsX86_64 => Self::WindowsX86_64,
            session::Platform::Macos => Self::Macos,
        }
    }
}

impl From<PlatformName> for session::Platform {
    fn from(platform: PlatformName) -> Self {
        match platform {
            PlatformName::LinuxX86_64 => Self::LinuxX86_64,
            PlatformName::WindowsX86_64 => Self::WindowsX86_64,
            PlatformName::Macos => Self::Macos,
        }
    }
}

/// A platform, and whether there is an applet for it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Platform {
    /// Which.
    pub platform: PlatformName,
    /// Whether it can be downloaded now.
    pub available: bool,
}

/// Who is about to help, and what fetches the applet.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ticket {
    /// The company.
    pub company: String,
    /// The technician who invited.
    pub technician: String,
    /// The name the end user gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end_user_name: Option<String>,
    /// Fetches the applet for 30 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub join_token: Option<String>,
    /// What there is to download.
    pub platforms: Vec<Platform>,
}

/// Where applets find a gateway.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GatewayList {
    /// Best first.
    pub gateways: Vec<Gateway>,
}

/// A gateway.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gateway {
    /// `wss://…`
    pub url: String,
    /// Where it stands.
    pub region: String,
}
