//! Signing in and out, and who is signed in.

mod activity;
mod enter;
mod leave;
mod me;

pub(crate) use activity::{__path_activity, activity};
pub(crate) use enter::{__path_sign_in, sign_in};
pub(crate) use leave::{__path_sign_out, sign_out};
pub(crate) use me::{__path_me, me};

use belay_wire::AccountId;

use crate::error::ApiError;
use crate::types::{Account, Me, Member};
use crate::website::Website;

async fn describe(
    website: &Website,
    account: AccountId,
    member: &belay_store::Member,
) -> Result<Me, ApiError> {
    let belay_store::Account { name, region, .. } = website.store().view(account).await?.described().await?;
    let region = region.unwrap_or_else(|| website.settings().region.clone());
    Ok(Me {
        member: Member {
            id: member.id.to_string(),
            name: member.name.clone(),
            sign_in_id: member.sign_in_id.clone(),
            role: member.role.into(),
        },
        account: Account { id: account.to_string(), name, region },
        idle_sign_off_seconds: u32::try_from(website.settings().idle.as_secs()).unwrap_or(u32::MAX),
    })
}
