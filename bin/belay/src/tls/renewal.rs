//! A renewed certificate is served without a restart, and applets are given a new anchor: the files are looked at from time to time, and
//! when somebody asks.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use belay_api::Anchors;
use belay_program::reload::Wishes;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Files, fingerprint, load, read_anchors};

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

/// What tells without reading that a file is another one; `None`: it is not there, or not watched.
type Stamp = Option<(SystemTime, u64)>;

/// The stamps of certificate, key and anchor.
pub(super) type Stamps = [Stamp; 3];

/// The files that are watched.
#[derive(Debug)]
pub(super) struct Watched {
    /// Certificate and key, unless the server made them itself.
    pub(super) pair: Option<Files>,
    /// What applets shall trust, if it is in a file.
    pub(super) anchor: Option<PathBuf>,
}

impl Watched {
    pub(super) fn is_any(&self) -> bool {
        self.pair.is_some() || self.anchor.is_some()
    }

    /// How the files are now. Links count as what they lead to.
    pub(super) fn stamps(&self) -> Stamps {
        let stamp = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        let pair = self.pair.as_ref();
        [
            pair.and_then(|files| stamp(&files.certificate)),
            pair.and_then(|files| stamp(&files.key)),
            self.anchor.as_deref().and_then(stamp),
        ]
    }
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

/// Keeps the pair that is served, and what applets are to trust, in step with their files.
#[derive(Debug)]
pub struct Renewal {
    watched: Watched,
    watch: Watch,
    current: Arc<Current>,
    anchors: Anchors,
}

impl Renewal {
    pub(super) fn new(watched: Watched, stamps: Stamps, current: Arc<Current>, anchors: Anchors) -> Self {
        Self { watched, watch: Watch { read: stamps, changing: None }, current, anchors }
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
        if !self.watch.look(self.watched.stamps(), asked) {
            return;
        }
        // First what is to be trusted: whoever downloads an applet in between comes with it to either certificate, if both are in it.
        if let Some(path) = &self.watched.anchor {
            self.trust(path);
        }
        let Some(files) = &self.watched.pair else { return };
        match self.renewed(files) {
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

    fn trust(&self, path: &Path) {
        match read_anchors(path) {
            Ok(pem) => {
                if self.anchors.replace(pem) {
                    tracing::info!(
                        "tls.anchor has changed; applets that are downloaded from now on trust what it holds"
                    );
                }
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(%error, "the changed tls.anchor cannot be used; applets go on with the one before");
            }
        }
    }

    /// The pair in the files, if it is another one than that which is served.
    fn renewed(&self, files: &Files) -> anyhow::Result<Option<CertifiedKey>> {
        let pair = load(files)?;
        if pair.cert == self.current.pair().cert {
            return Ok(None);
        }
        let leaf = pair.cert.first().context("it holds no certificate")?;
        let (_, leaf) = X509Certificate::from_der(leaf).context("it is no certificate")?;
        let (from, until) = (leaf.validity().not_before, leaf.validity().not_after);
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let path = files.certificate.display();
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
        [certificate, key, 0].map(|len| (len > 0).then_some((SystemTime::UNIX_EPOCH, len)))
    }

    #[test]
    fn applets_are_given_a_changed_anchor_and_not_one_that_cannot_be_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchor.pem");
        let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let [first, second] = [made(), made()];
        std::fs::write(&path, first.cert.pem()).unwrap();
        let anchors = Anchors::new(first.cert.pem());
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = rustls_pki_types::PrivateKeyDer::try_from(first.signing_key.serialize_der()).unwrap();
        let pair = CertifiedKey::from_der(vec![first.cert.der().clone()], key, &provider).unwrap();
        let watched = Watched { pair: None, anchor: Some(path.clone()) };
        let stamps = watched.stamps();
        let mut renewal = Renewal::new(watched, stamps, Arc::new(Current::new(pair)), anchors.clone());
        for (text, trusted) in [
            ("no certificate", &first),
            ("", &first),
            (&second.cert.pem(), &second),
            (&second.cert.pem().repeat(200), &second),
            (&first.cert.pem(), &first),
        ] {
            std::fs::write(&path, text).unwrap();
            renewal.look(true);
            assert_eq!(anchors.pem(), trusted.cert.pem(), "{text:.40}");
        }
        std::fs::remove_file(&path).unwrap();
        renewal.look(true);
        assert_eq!(anchors.pem(), first.cert.pem());
        // Nobody says anything: it counts when it has come to rest.
        std::fs::write(&path, second.cert.pem()).unwrap();
        renewal.look(false);
        assert_eq!(anchors.pem(), first.cert.pem());
        renewal.look(false);
        assert_eq!(anchors.pem(), second.cert.pem());
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
