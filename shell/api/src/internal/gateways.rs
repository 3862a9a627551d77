//! Which gateways of other processes are there: one that keeps no stream of ends open is gone, and its legs with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use belay_identity::role_key::hex_of;
use belay_store::{StoreError, Through};
use belay_wire::Moment;
use tokio::task::JoinHandle;

use super::proof::Nonces;
use crate::website::Website;

/// A gateway that is silent for this long is gone.
const GONE_AFTER: Duration = Duration::from_secs(45);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The gateways that are there, and what was heard from them.
pub(crate) struct Gateways {
    pub(crate) nonces: Nonces,
    started: Instant,
    streams: Mutex<HashMap<[u8; 32], Presence>>,
    /// Where each is reached, as it said itself and the list of the configuration says too.
    places: Mutex<HashMap<[u8; 32], String>>,
}

#[derive(Clone, Copy)]
struct Presence {
    open: u32,
    left: Instant,
}

/// An open stream of ends; dropping it says that it is closed.
pub(crate) struct Stream {
    gateways: Arc<Gateways>,
    key: [u8; 32],
}

impl Gateways {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            nonces: Nonces::new(now),
            started: Instant::now(),
            streams: Mutex::default(),
            places: Mutex::default(),
        }
    }

    pub(crate) fn listening(self: &Arc<Self>, key: [u8; 32]) -> Stream {
        let presence = Presence { open: 0, left: Instant::now() };
        self.lock().entry(key).or_insert(presence).open += 1;
        Stream { gateways: self.clone(), key }
    }

    /// This gateway is reached there.
    pub(crate) fn is_at(&self, key: [u8; 32], url: String) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(key, url);
    }

    /// Where this gateway is reached, if that is known.
    pub(crate) fn place_of(&self, key: &[u8; 32]) -> Option<String> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The gateway with this key has another one; its stream of ends follows in a moment.
    fn renewed(&self, before: &[u8; 32], next: [u8; 32]) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.remove(before) {
            places.insert(next, place);
        }
        drop(places);
        self.lock().entry(next).or_insert(Presence { open: 0, left: Instant::now() });
    }

    fn is_gone(&self, key: &[u8; 32]) -> bool {
        match self.lock().get(key) {
            Some(Presence { open: 0, left }) => left.elapsed() >= GONE_AFTER,
            Some(_) => false,
            None => self.started.elapsed() >= GONE_AFTER,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Presence>> {
        // A poisoned lock means a panic while counting; the counts are still the best there is.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(presence) = self.gateways.lock().get_mut(&self.key) {
            presence.open = presence.open.saturating_sub(1);
            presence.left = Instant::now();
        }
    }
}

/// Looks after gateways that have gone without a word: the sessions of their applets become reconnecting. Aborting the
/// task ends it.
#[must_use]
pub fn watch(website: &Website) -> JoinHandle<()> {
    let website = website.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let in_use = match website.store().gateways_in_use().await {
                Ok(in_use) => in_use,
                Err(error) => {
                    tracing::error!(%error, "the gateways in use could not be read");
                    continue;
                }
            };
            for key in in_use.into_iter().filter(|key| website.gateways().is_gone(key)) {
                if let Err(error) = lost(&website, key).await {
                    tracing::error!(%error, "the sessions of a gateway that is gone could not be read");
                }
            }
        }
    })
}

/// A gateway has another key: its legs go with it, and the key before is trusted no longer.
pub(super) async fn renewed(website: &Website, before: [u8; 32], next: [u8; 32]) -> Result<(), StoreError> {
    website.gateways().renewed(&before, next);
    website.store().gateway_renewed(&before, &next, website.now()).await?;
    let (before, next) = (hex_of(&before), hex_of(&next));
    tracing::info!(%before, %next, "a gateway has another key; the one before is trusted no longer");
    Ok(())
}

/// A gateway's legs are gone.
pub(super) async fn lost(website: &Website, key: [u8; 32]) -> Result<(), StoreError> {
    let sessions = website.store().gateway_stopped(Through::Gateway(key), website.now()).await?;
    if sessions > 0 {
        let key = hex_of(&key);
        tracing::warn!(%key, sessions, "a gateway is gone, its sessions wait for their applets");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gateway_is_there_while_a_stream_is_open() {
        let gateways = Arc::new(Gateways::new(Moment(0)));
        assert!(!gateways.is_gone(&[1; 32]), "it has time to come after a start");
        let (one, two) = (gateways.listening([1; 32]), gateways.listening([1; 32]));
        gateways.lock().get_mut(&[1; 32]).unwrap().left -= GONE_AFTER;
        drop(one);
        gateways.lock().get_mut(&[1; 32]).unwrap().left -= GONE_AFTER;
        assert!(!gateways.is_gone(&[1; 32]), "another stream is open");
        drop(two);
        assert!(!gateways.is_gone(&[1; 32]), "it has just closed");
        gateways.lock().get_mut(&[1; 32]).unwrap().left -= GONE_AFTER;
        assert!(gateways.is_gone(&[1; 32]));
    }
}
