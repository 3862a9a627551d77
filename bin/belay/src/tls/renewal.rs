//! A renewed certificate is served without a restart: its files are looked at from time to time, and when somebody asks.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use belay_program::reload::Wishes;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Files, fingerprint, load};

/// How often the files are looked at. They count as changed when two looks in a row have found the same change.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The pair that new connections get.
#[derive(Debug)]
pub(super) struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    pub(super) fn new(pair: CertifiedKey) -> Self {
        Self(RwLock::new(Arc::new(pair)))
    }

    fn pair(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair())
    }
}

/// What tells without reading that a file is another one; `None`: it is not there.
type Stamp = Option<(SystemTime, u64)>;

/// The stamps of certificate and key.
pub(super) type Stamps = [Stamp; 2];

/// How the files are now. Links count as what they lead to.
pub(super) fn stamps(files: &Files) -> Stamps {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    [stamp(&files.certificate), stamp(&files.key)]
}

/// When the files are to be read.
#[derive(Debug)]
struct Watch {
    read: Stamps,
    changing: Option<Stamps>,
}

impl Watch {
    /// Whether to read them now. Two files are never written at once: a change counts when it lasts for two looks.
    fn look(&mut self, found: Stamps, asked: bool) -> bool {
        let lasts = self.changing == Some(found);
        if !asked && (found == self.read || !lasts) {
            self.changing = (found != self.read).then_some(found);
            return false;
        }
        self.read = found;
        self.changing = None;
        true
    }
}

/// Keeps the pair that is served in step with its files.
#[derive(Debug)]
pub struct Renewal {
    files: Files,
    watch: Watch,
    current: Arc<Current>,
}

impl Renewal {
    pub(super) fn new(files: Files, stamps: Stamps, current: Arc<Current>) -> Self {
        Self { files, watch: Watch { read: stamps, changing: None }, current }
    }

    /// Looks for ever.
    pub async fn follow(mut self, mut wishes: Wishes) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = tick.tick() => false,
                () = wishes.next() => true,
            };
            // A slow disk must not hold up those who are connected.
            let looked = tokio::task::spawn_blocking(move || {
                self.look(asked);
                self
            });
            self = match looked.await {
                Ok(renewal) => renewal,
                Err(error) => {
                    tracing::error!(%error, "renewed certificates are not noticed any more; restart the server");
                    return;
                }
            };
        }
    }

    fn look(&mut self, asked: bool) {
        if !self.watch.look(stamps(&self.files), asked) {
            return;
        }
        match self.renewed() {
            Ok(Some(pair)) => {
                let fingerprint = fingerprint(&pair);
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                tracing::info!(%fingerprint, "the certificate was renewed; new connections get the new one");
            }
            Ok(None) => tracing::info!("the certificate is the one that is served already"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(%error, "the renewed certificate cannot be used; the one before is served on");
            }
        }
    }

    /// The pair in the files, if it is another one than that which is served.
    fn renewed(&self) -> anyhow::Result<Option<CertifiedKey>> {
        let pair = load(&self.files)?;
        if pair.cert == self.current.pair().cert {
            return Ok(None);
        }
        let leaf = pair.cert.first().context("it holds no certificate")?;
        let (_, leaf) = X509Certificate::from_der(leaf).context("it is no certificate")?;
        let (from, until) = (leaf.validity().not_before, leaf.validity().not_after);
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let path = self.files.certificate.display();
        if now > until.timestamp() {
            bail!("{path} has expired on {}; put one there that is valid", until.to_datetime().date());
        }
        if now < from.timestamp() {
            bail!(
                "{path} is valid only from {from} on; send SIGHUP to the server then, or put another one there"
            );
        }
        Ok(Some(pair))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(certificate: u64, key: u64) -> Stamps {
        [certificate, key].map(|len| (len > 0).then_some((SystemTime::UNIX_EPOCH, len)))
    }

    #[test]
    fn a_change_counts_once_and_when_it_has_come_to_rest() {
        let mut watch = Watch { read: stamps(1, 1), changing: None };
        for (found, read) in [
            (stamps(1, 1), false),
            // The certificate first, then no key, then the key.
            (stamps(2, 1), false),
            (stamps(2, 0), false),
            (stamps(2, 2), false),
            (stamps(2, 2), true),
            (stamps(2, 2), false),
            // There and back again.
            (stamps(3, 2), false),
            (stamps(2, 2), false),
            (stamps(3, 2), false),
            (stamps(3, 2), true),
        ] {
            assert_eq!(watch.look(found, false), read, "{found:?}");
        }
        assert!(watch.look(stamps(3, 2), true), "who asks is not put off");
        assert!(watch.look(stamps(4, 4), true));
        assert!(!watch.look(stamps(4, 4), false), "and it is not read a second time");
    }
}
