//! The gateway's key is changed while it runs: `belay role renew` puts the next one beside it, and as soon as the website
//! trusts that one, it takes the place of the one before. No leg notices.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use belay_api::internal::{RENEWED, RenewedBody};
use belay_identity::role_key::{RoleKey, hex_of};
use belay_program::reload::Wishes;
use bytes::Bytes;
use hyper::StatusCode;

use super::{Remote, Said};

/// How often it is looked whether there is a next key, and the longest pause while the website does not trust it: each
/// time it writes a line into its security log.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// How often the website is asked before the others go on.
const TRIES: usize = 3;

/// Where the gateway's keys lie.
pub struct KeyFiles {
    /// The one in use.
    pub key: PathBuf,
    /// The one that shall take its place.
    pub next: PathBuf,
}

impl Remote {
    /// Looks for a next key for ever, and takes it into use; at once when somebody wishes that.
    pub async fn renew_key(&self, files: KeyFiles, mut wishes: Wishes) {
        let mut pause = PAUSES.0;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = wishes.next() => {}
            }
            pause = match self.try_to_renew(&files).await {
                Ok(()) => PAUSES.0,
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(%error, "the gateway's next key is not in use yet, trying again");
                    (pause * 2).min(PAUSES.1)
                }
            };
        }
    }

    async fn try_to_renew(&self, KeyFiles { key: file, next }: &KeyFiles) -> anyhow::Result<()> {
        let Some(new) = RoleKey::load(next)? else { return Ok(()) };
        // Everybody else waits: see the field.
        let mut key = self.0.key.write().await;
        let body = RenewedBody::new(&key, &new.public(), &self.0.authority);
        self.hand_over(&new, serde_json::to_vec(&body)?.into()).await?;
        replace(next, file)?;
        *key = new;
        let key = hex_of(&key.public());
        tracing::info!(%key, "the gateway has another key; the website trusts the one before no longer");
        Ok(())
    }

    /// An answer may be lost after the website has done it; so it is asked again before anybody else signs.
    async fn hand_over(&self, new: &RoleKey, body: Bytes) -> anyhow::Result<()> {
        let mut tries = 1;
        loop {
            match self.post_with(new, RENEWED, body.clone()).await {
                Ok(Said::Yes(_)) => return Ok(()),
                Ok(Said::No(StatusCode::UNAUTHORIZED)) => {
                    let key = hex_of(&new.public());
                    bail!("the website does not trust {key}; give it to belay role trust there");
                }
                Ok(Said::No(status)) => bail!("the website refuses it with status {status}"),
                Err(error) if tries == TRIES => return Err(error.context("the website cannot be reached")),
                Err(_) => tries += 1,
            }
        }
    }
}

fn replace(next: &Path, file: &Path) -> anyhow::Result<()> {
    std::fs::rename(next, file).with_context(|| {
        format!(
            "{} cannot be moved to {}; give the user that runs the server write access",
            next.display(),
            file.display()
        )
    })
}
