//! The server's certificate: from files, or made by the server itself for this computer alone.

mod renewal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use belay_api::Anchors;
use belay_program::config::{Anchor, Config, Origin, PemSource, TlsSource};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

pub use renewal::Renewal;
use renewal::{Current, Watched};

/// Life of a certificate the server makes for itself.
const SELF_SIGNED_DAYS: i64 = 3650;
/// They travel in the tag of every applet, whose blocks have 64 KiB at most, with every end of line as two bytes.
const LARGEST_ANCHORS: usize = 48 << 10;

/// All that the start needs to know of TLS.
pub struct Tls {
    /// For the listener.
    pub server: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it: pairs of digits with colons.
    pub fingerprint: String,
    /// What applets shall trust.
    pub anchors: Anchors,
    /// Takes what comes after the certificate and what applets shall trust, where they are from files.
    pub renewal: Option<Renewal>,
}

/// The PEM files of a certificate and its key.
#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// Reads the certificate, or makes one where the configuration says so.
pub fn prepare(config: &Config, public: &Origin) -> anyhow::Result<Tls> {
    let (files, own) = match &config.tls.source {
        TlsSource::Files { certificate, key } => {
            (Files { certificate: certificate.clone(), key: key.clone() }, None)
        }
        TlsSource::SelfSigned => {
            let files = self_signed(&config.data_dir.join("tls"), public)?;
            let pem = std::fs::read_to_string(&files.certificate)
                .with_context(|| unreadable("certificate", &files.certificate))?;
            (files, Some(pem))
        }
    };
    let watched = Watched {
        pair: own.is_none().then(|| files.clone()),
        anchor: match &config.tls.anchor {
            Anchor::Pem(PemSource::File(path)) => Some(path.clone()),
            Anchor::Pem(PemSource::Text(_)) | Anchor::Default | Anchor::System => None,
        },
    };
    // Before they are read: a change while they are read is one to be noticed.
    let stamps = watched.stamps();
    let pair = load(&files)?;
    let fingerprint = fingerprint(&pair);
    let current = Arc::new(Current::new(pair));
    let mut server = ServerConfig::builder().with_no_client_auth().with_cert_resolver(current.clone());
    // A TURN client may name itself too (RFC 7443); most name nothing.
    server.alpn_protocols = vec![b"http/1.1".to_vec(), b"stun.turn".to_vec()];
    let anchors = Anchors::new(anchors(config, own)?);
    let renewal = watched.is_any().then(|| Renewal::new(watched, stamps, current, anchors.clone()));
    Ok(Tls { server: Arc::new(server), fingerprint, anchors, renewal })
}

/// Reads a pair that belongs together.
fn load(files: &Files) -> anyhow::Result<CertifiedKey> {
    let Files { certificate, key } = files;
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| {
        anyhow::anyhow!(
            "the certificate {} cannot be read ({error}); give a readable PEM file in tls.certificate",
            certificate.display()
        )
    })?;
    if chain.is_empty() {
        bail!(
            "{} contains no certificate; give a PEM file with the whole chain in tls.certificate",
            certificate.display()
        );
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        anyhow::anyhow!(
            "the key {} cannot be read ({error}); give a readable PEM file in tls.key",
            key.display()
        )
    })?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, private, &provider).map_err(|error| {
        anyhow::anyhow!(
            "the key {} does not fit the certificate {} ({error}); give the pair that belongs together",
            key.display(),
            certificate.display()
        )
    })
}

/// What applets are to trust, as things stand: nothing is made.
pub fn anchors_now(config: &Config) -> anyhow::Result<String> {
    let own = match &config.tls.source {
        TlsSource::Files { .. } => None,
        TlsSource::SelfSigned => {
            let certificate = config.data_dir.join("tls").join("self-signed.pem");
            Some(
                std::fs::read_to_string(&certificate)
                    .with_context(|| unreadable("certificate", &certificate))?,
            )
        }
    };
    anchors(config, own)
}

fn anchors(config: &Config, own: Option<String>) -> anyhow::Result<String> {
    let anchors = match &config.tls.anchor {
        Anchor::Default => own.unwrap_or_default(),
        Anchor::System => String::new(),
        Anchor::Pem(PemSource::Text(pem)) => pem.clone(),
        Anchor::Pem(PemSource::File(path)) => return read_anchors(path),
    };
    check_anchors(&anchors)?;
    Ok(anchors)
}

/// What is in the file that `tls.anchor` names.
fn read_anchors(path: &Path) -> anyhow::Result<String> {
    let anchors = std::fs::read_to_string(path).map_err(|error| {
        anyhow::anyhow!(
            "the certificate {} cannot be read ({error}); give a readable PEM file in tls.anchor",
            path.display()
        )
    })?;
    if anchors.trim().is_empty() {
        bail!("{} is empty; give certificates in PEM form in tls.anchor", path.display());
    }
    check_anchors(&anchors)?;
    Ok(anchors)
}

fn check_anchors(pem: &str) -> anyhow::Result<()> {
    if pem.is_empty() {
        return Ok(());
    }
    if pem.len() > LARGEST_ANCHORS {
        bail!(
            "tls.anchor has {} bytes, and at most {LARGEST_ANCHORS} fit into an applet; leave only the certificates that are needed",
            pem.len()
        );
    }
    let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        Ok(_) | Err(_) => {
            bail!("tls.anchor holds no certificate that can be read; give certificates in PEM form")
        }
    }
}

/// The self-made pair, made again when its names no longer fit or it is about to expire.
fn self_signed(dir: &Path, public: &Origin) -> anyhow::Result<Files> {
    let (certificate, key) = (dir.join("self-signed.pem"), dir.join("self-signed.key"));
    let note = dir.join("self-signed.names");
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = public.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if !names.contains(&host) {
        names.push(host);
    }
    let wanted = names.join("\n");
    let now = OffsetDateTime::now_utc();
    let fits = std::fs::read_to_string(&note).is_ok_and(|noted| {
        let (expiry, noted_names) = noted.split_once('\n').unwrap_or_default();
        let lives = expiry.parse::<i64>().is_ok_and(|expiry| now.unix_timestamp() + 30 * 86_400 < expiry);
        lives && noted_names == wanted
    });
    if fits && certificate.is_file() && key.is_file() {
        return Ok(Files { certificate, key });
    }
    let mut params = CertificateParams::new(names)
        .context("the names of the self-signed certificate are not possible; correct public_url")?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Belay on this computer");
    params.not_before = now - time::Duration::days(1);
    params.not_after = now + time::Duration::days(SELF_SIGNED_DAYS);
    let pair = KeyPair::generate()
        .context("no key could be made for the self-signed certificate; give tls.certificate and tls.key")?;
    let made = params
        .self_signed(&pair)
        .context("the self-signed certificate could not be made; give tls.certificate and tls.key")?;
    std::fs::create_dir_all(dir).with_context(|| unwritable(dir))?;
    write_private(&key, &pair.serialize_pem()).with_context(|| unwritable(&key))?;
    std::fs::write(&certificate, made.pem()).with_context(|| unwritable(&certificate))?;
    let expiry = params.not_after.unix_timestamp();
    std::fs::write(&note, format!("{expiry}\n{wanted}")).with_context(|| unwritable(&note))?;
    Ok(Files { certificate, key })
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)?.write_all(text.as_bytes())
}

fn fingerprint(pair: &CertifiedKey) -> String {
    let leaf = pair.cert.first().map_or(&[][..], |leaf| leaf.as_ref());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, leaf);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn unreadable(what: &str, path: &Path) -> String {
    format!("the {what} {} cannot be read; give the user that runs the server access to it", path.display())
}

fn unwritable(path: &Path) -> String {
    format!(
        "{} cannot be written; give the user that runs the server write access to data_dir",
        path.display()
    )
}
