//! `belay doctor`: looks at an installation as an applet would, and says in plain words what works and what to do.

mod words;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::bail;
use belay_net::Dial;
use belay_net::check::{Check, Skip, Step, Verdict, check};
use belay_program::Config;
use belay_program::config::PemSource;
use belay_store::{Create, OpenError, Store};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::arguments::Form;
use crate::{serve, tls};

/// A certificate that ends sooner than this is a problem today.
const SOON_DAYS: i64 = 14;

/// One line of the report.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in one word.
    pub subject: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub says: String,
    /// What it means and what to do; empty where there is nothing to do.
    pub mend: String,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Ok,
    /// It does not.
    Problem,
    /// It was not tried.
    Skipped,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Problem => "problem",
            State::Skipped => "skipped",
        }
    }
}

impl Finding {
    fn new(subject: &'static str, state: State, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { subject, state, says: says.into(), mend: mend.into() }
    }
}

/// Examines everything and prints it.
///
/// # Errors
/// When a problem was found.
pub async fn examine(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    form: Form,
) -> anyhow::Result<()> {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let findings = findings(file, environment).await;
    crate::print(&report(&findings, form))?;
    match findings.iter().filter(|finding| finding.state == State::Problem).count() {
        0 => Ok(()),
        1 => bail!("one problem was found; the report says what to do"),
        many => bail!("{many} problems were found; begin with the first, others may follow from it"),
    }
}

async fn findings(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Vec<Finding> {
    let config = match Config::read(file, environment) {
        Ok(config) => config,
        Err(error) => {
            let mend = "The server does not start like this. Correct what the sentence names, then run belay doctor again.";
            return vec![Finding::new("configuration", State::Problem, error.to_string(), mend)];
        }
    };
    let place = file
        .map_or_else(|| "Defaults and environment are".to_owned(), |file| format!("{} is", file.display()));
    let mut all = vec![Finding::new("configuration", State::Ok, format!("{place} understood."), "")];
    all.push(data_directory(&config).await);
    let public = serve::public_origin(&config, config.listen);
    let (origin, anchors) = match &config.website.url {
        // A gateway by itself: its website says whether it is listed, and where.
        Some(website) => (website.to_string(), website_anchor(&config)),
        None => (public.to_string(), tls::anchors_now(&config)),
    };
    let dial = match anchors {
        Ok(anchors) => Dial::new(&origin, &anchors).map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match dial {
        Err(error) => {
            let mend = "Without it nobody can tell the right server from a wrong one. If the server has never been started, start it once; else correct [tls] in the configuration.";
            all.push(Finding::new("certificate", State::Problem, format!("{error:#}"), mend));
        }
        Ok(dial) => {
            let datagrams_at = config.turn.udp_port.filter(|_| config.website.url.is_none());
            let checks = check(&dial, datagrams_at).await;
            for check in &checks {
                let off = !config.turn.enabled && matches!(check.step, Step::Datagrams | Step::Relay);
                let not_tried = Check { verdict: Verdict::Skipped(Skip::Off), ..check.clone() };
                all.push(words::of(if off { &not_tried } else { check }));
                all.extend(expiry(check));
            }
            let own = public.to_string();
            if config.website.url.is_some() && !is_listed(&checks, own.trim_start_matches("https://")) {
                let mend = format!(
                    "Applets do not find it. Add {{ url = \"wss://{}/gateway/v1\", region = \"{}\" }} to gateways in the website's configuration, or correct public_url here.",
                    own.trim_start_matches("https://"),
                    config.region
                );
                all.push(Finding::new(
                    "gateway",
                    State::Problem,
                    "The website does not list this gateway.",
                    mend,
                ));
            }
        }
    }
    all
}

fn is_listed(checks: &[Check], authority: &str) -> bool {
    checks.iter().any(|check| check.step == Step::Gateway && check.host == authority)
}

fn website_anchor(config: &Config) -> anyhow::Result<String> {
    Ok(match &config.website.anchor {
        None => String::new(),
        Some(PemSource::Text(pem)) => pem.clone(),
        Some(PemSource::File(path)) => std::fs::read_to_string(path)
            .map_err(|error| anyhow::anyhow!("{} cannot be read ({error})", path.display()))?,
    })
}

async fn data_directory(config: &Config) -> Finding {
    const SUBJECT: &str = "data directory";
    let place = config.data_dir.display();
    let metadata = match std::fs::metadata(&config.data_dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mend = "The first start of the server, or the first belay account create, makes it.";
            return Finding::new(SUBJECT, State::Skipped, format!("{place} does not exist yet."), mend);
        }
        Err(error) => {
            let mend = "Run belay doctor as the user that runs the server, or correct data_dir.";
            return Finding::new(SUBJECT, State::Problem, format!("{place} cannot be read ({error})."), mend);
        }
    };
    if !metadata.is_dir() {
        let mend = "The server keeps all it knows there. Name a directory in data_dir.";
        return Finding::new(SUBJECT, State::Problem, format!("{place} is no directory."), mend);
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let mend = format!(
            "Its keys open everything that is stored. Run chmod 700 {place}; replace the keys if somebody may have copied them."
        );
        let says = format!("Other users of this computer can look into {place} (mode {mode:03o}).");
        return Finding::new(SUBJECT, State::Problem, says, mend);
    }
    // To open the store as somebody else could leave files that the server may not write.
    let me = std::fs::metadata("/proc/self").map(|me| me.uid());
    if me.is_ok_and(|me| me != metadata.uid()) {
        let mend =
            format!("To have it examined, run belay doctor as the user with the number {}.", metadata.uid());
        return Finding::new(SUBJECT, State::Skipped, format!("{place} belongs to another user."), mend);
    }
    match Store::open(&config.data_dir, Create::Never).await {
        Ok(store) => {
            let accounts = store.directory().accounts().await.map(|accounts| accounts.len());
            let closed = store.close().await;
            match (accounts, closed) {
                (Ok(0), Ok(())) => {
                    let mend = "Nobody can sign in yet. Make the first account with belay account create.";
                    Finding::new(
                        SUBJECT,
                        State::Ok,
                        format!("{place} is in order and holds no account."),
                        mend,
                    )
                }
                (Ok(count), Ok(())) => Finding::new(
                    SUBJECT,
                    State::Ok,
                    format!("{place} is in order, its store holds {count} account(s)."),
                    "",
                ),
                (Err(error), _) | (_, Err(error)) => Finding::new(
                    SUBJECT,
                    State::Problem,
                    format!("The store in {place} cannot be read: {error}."),
                    "Look at the disk and at the server's log. If it stays like this, put the last backup back.",
                ),
            }
        }
        Err(OpenError::NoStore { .. }) => {
            let mend = "The first start of the server, or the first belay account create, makes it.";
            Finding::new(SUBJECT, State::Skipped, format!("{place} holds no store yet."), mend)
        }
        Err(error) => Finding::new(
            SUBJECT,
            State::Problem,
            format!("The store in {place} cannot be opened: {error}."),
            "The server does not start like this. Do what the sentence says.",
        ),
    }
}

/// How long the certificate is still good for.
fn expiry(check: &Check) -> Option<Finding> {
    let der = check.certificate.as_ref().filter(|_| check.verdict == Verdict::Good)?;
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let until = certificate.validity().not_after;
    let days = (until.timestamp() - time::OffsetDateTime::now_utc().unix_timestamp()).div_euclid(86_400);
    let date = until.to_datetime().date();
    Some(if days < SOON_DAYS {
        let mend = "When it has expired, nobody can connect any more. Renew it now and put it where tls.certificate points; the server takes it within seconds.";
        let says = format!("{}: the certificate expires in {days} day(s), on {date}.", check.host);
        Finding::new("certificate", State::Problem, says, mend)
    } else {
        Finding::new(
            "certificate",
            State::Ok,
            format!("{}: it is good until {date}, for {days} more days.", check.host),
            "",
        )
    })
}

fn report(findings: &[Finding], form: Form) -> String {
    match form {
        Form::Json => {
            let checks: Vec<_> = findings
                .iter()
                .map(|finding| {
                    serde_json::json!({
                        "check": finding.subject, "state": finding.state.word(),
                        "says": finding.says, "mend": finding.mend,
                    })
                })
                .collect();
            let ok = findings.iter().all(|finding| finding.state != State::Problem);
            format!("{}\n", serde_json::json!({ "ok": ok, "checks": checks }))
        }
        Form::Text => {
            let mut text = String::new();
            for Finding { subject, state, says, mend } in findings {
                text.push_str(&format!("{:<8} {subject:<15} {says}\n", state.word()));
                if !mend.is_empty() {
                    text.push_str(&format!("{:25}{mend}\n", ""));
                }
            }
            text
        }
    }
}
