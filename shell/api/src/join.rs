//! The way of the end user: PIN or link, ticket, download. Nobody is signed in here.

mod applet_file;
mod download;
mod link;
mod pin;

pub(crate) use applet_file::AppletFile;
pub(crate) use download::{__path_join_download, join_download};
pub(crate) use link::{__path_join_link, join_link};
pub(crate) use pin::{__path_join_pin, join_pin};

use belay_access::Token;
use belay_identity::random_token;
use belay_session::{Command, NAME_MAX_CHARS};
use belay_store::Invitation;

use crate::error::ApiError;
use crate::types::{Platform, PlatformName, Ticket};
use crate::website::Website;

/// Refuses a name before anything is used up for it.
fn check_name(name: &str) -> Result<(), ApiError> {
    let name = name.trim();
    let fits =
        !name.is_empty() && name.chars().count() <= NAME_MAX_CHARS && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(ApiError::BadName) }
}

/// Records who came in and hands out the ticket that fetches the applet. `not_valid` is the answer when the
/// session cannot be joined any more.
async fn admit(
    website: &Website,
    invitation: &Invitation,
    name: String,
    not_valid: ApiError,
) -> Result<Ticket, ApiError> {
    let now = website.now();
    let Invitation { account, session } = *invitation;
    match website.store().apply(account, session, Command::Join { name }, now).await.map_err(ApiError::from) {
        Ok(_) => {}
        Err(ApiError::SessionEnded | ApiError::SessionNotWaiting | ApiError::NotFound) => {
            return Err(not_valid);
        }
        Err(error) => return Err(error),
    }
    let token = random_token();
    website.store().directory().create_join_ticket(&token, account, session, now).await?;
    ticket(website, invitation, Some(&token)).await
}

/// Who invites, and what there is to download.
async fn ticket(
    website: &Website,
    invitation: &Invitation,
    token: Option<&Token>,
) -> Result<Ticket, ApiError> {
    let view = website.store().view(invitation.account).await?;
    let session = view.session(invitation.session).await?.ok_or(ApiError::NotFound)?;
    let linux = website.applet().is_there().await;
    let platforms = [
        (PlatformName::LinuxX86_64, linux),
        (PlatformName::WindowsX86_64, false),
        (PlatformName::Macos, false),
    ];
    Ok(Ticket {
        company: view.described().await?.name,
        technician: session.created_by.name,
        end_user_name: session.state.end_user_name,
        join_token: token.map(Token::to_text),
        platforms: platforms
            .map(|(platform, available)| Platform { platform, available })
            .into_iter()
            .collect(),
    })
}
