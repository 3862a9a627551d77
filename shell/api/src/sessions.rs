//! Support sessions, for those who are signed in.

mod chat;
mod connect;
mod create;
mod end;
mod list;
mod pick_up;
mod show;

pub(crate) use chat::{__path_add_chat_line, add_chat_line};
pub(crate) use connect::{__path_connect, connect};
pub(crate) use create::{__path_create_session, create_session};
pub(crate) use end::{__path_end_session, end_session};
pub(crate) use list::{__path_list_sessions, list_sessions};
pub(crate) use pick_up::{__path_pick_up, pick_up};
pub(crate) use show::{__path_show_session, show_session};

use belay_session::Phase;
use belay_store as store;
use belay_wire::{MemberId, SessionId};

use crate::error::ApiError;
use crate::extract::SignedIn;
use crate::website::Website;

/// Whether a member may know of a session: one that is still connecting is its creator's alone.
pub(crate) fn is_visible(session: &store::Session, viewer: MemberId) -> bool {
    match session.state.phase {
        Phase::Connecting => session.state.created_by == viewer,
        Phase::Waiting
        | Phase::Active
        | Phase::Reconnecting
        | Phase::Offline
        | Phase::Closed
        | Phase::TimedOut
        | Phase::Aborted => true,
    }
}

/// A session of the member's account that they may know of.
async fn visible(website: &Website, who: &SignedIn, id: SessionId) -> Result<store::Session, ApiError> {
    website
        .store()
        .view(who.account)
        .await?
        .session(id)
        .await?
        .filter(|session| is_visible(session, who.member.id))
        .ok_or(ApiError::NotFound)
}
