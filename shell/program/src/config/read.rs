//! From text to the typed tree: finds every key, refuses unknown ones, and says in one sentence what was
//! wrong, where, and how to mend it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Value;

use super::defaults::{self, KEYS, Kind};
use super::{Anchor, Config, GatewayAt, Origin, PemSource, TlsSource};
use crate::logging::{self, LogFormat};

/// Variables with our prefix that are not configuration keys.
const NOT_KEYS: &[&str] = &["BELAY_CONFIG"];

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}; give a readable file with --config", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration {} is not valid TOML: {what}; correct that line", file.display())]
    NotToml {
        /// The file.
        file: PathBuf,
        /// Where and why.
        what: String,
    },
    /// Nobody knows this key.
    #[error("unknown key {key:?} in {place}; {mend}")]
    UnknownKey {
        /// The key as written, with its section.
        key: String,
        /// The file or the variable.
        place: Place,
        /// What to write instead.
        mend: String,
    },
    /// The key is known, its value is not possible.
    #[error("{key} in {place} is {value}, which is not possible; {mend}")]
    BadValue {
        /// The key with its section.
        key: &'static str,
        /// The file or the variable.
        place: Place,
        /// The value as written.
        value: String,
        /// What to write instead.
        mend: String,
    },
    /// Two values do not go together.
    #[error("{what}; {mend}")]
    Conflict {
        /// What does not fit.
        what: String,
        /// What to write instead.
        mend: &'static str,
    },
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// In this environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// The values that were written, by their full key.
type Written = BTreeMap<&'static str, (Value, Place)>;

pub(super) fn assemble(
    file: Option<(&Path, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut written = Written::new();
    if let Some((path, text)) = file {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::NotToml {
            file: path.to_owned(),
            what: one_line(&error.to_string()),
        })?;
        collect(&table, "", &Place::File(path.to_owned()), &mut written)?;
    }
    for (name, value) in environment {
        if let Some(key) = name.strip_prefix("BELAY_")
            && !NOT_KEYS.contains(&name.as_str())
        {
            let key = key.to_ascii_lowercase().replace("__", ".");
            let place = Place::Variable(name.clone());
            let (known, kind) = find(&key, &place)?;
            let value = match kind {
                Kind::Text => Value::String(value),
                Kind::Number => value.parse().map_or(Value::String(value), Value::Integer),
                Kind::Flag => value.parse().map_or(Value::String(value), Value::Boolean),
                Kind::List => list(&value).unwrap_or(Value::String(value)),
            };
            written.insert(known, (value, place));
        }
    }
    build(&written)
}

fn collect(
    table: &toml::Table,
    prefix: &str,
    place: &Place,
    written: &mut Written,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        let section = format!("{key}.");
        match value {
            Value::Table(inner) if KEYS.iter().any(|(known, _)| known.starts_with(&section)) => {
                collect(inner, &section, place, written)?;
            }
            value => {
                let (known, _) = find(&key, place)?;
                written.insert(known, (value.clone(), place.clone()));
            }
        }
    }
    Ok(())
}

fn find(key: &str, place: &Place) -> Result<(&'static str, Kind), ConfigError> {
    if let Some(found) = KEYS.iter().find(|(known, _)| *known == key) {
        return Ok(*found);
    }
    let nearest = KEYS.iter().map(|(known, _)| (distance(key, known), *known)).min();
    let same_name = KEYS
        .iter()
        .find(|(known, _)| known.rsplit('.').next() == key.rsplit('.').next())
        .map(|(known, _)| *known);
    let mend = match (same_name, nearest) {
        (Some(known), _) => format!("write {known:?} instead, or remove it"),
        (None, Some((steps, known))) if steps <= 3.max(key.len() / 4) => {
            format!("write {known:?} instead, or remove it")
        }
        _ => {
            let all: Vec<_> = KEYS.iter().map(|(known, _)| *known).collect();
            format!("remove it (the keys are {})", all.join(", "))
        }
    };
    Err(ConfigError::UnknownKey { key: key.to_owned(), place: place.clone(), mend })
}

fn build(written: &Written) -> Result<Config, ConfigError> {
    let read = Reader { written };
    let mut config = defaults::config();

    if let Some(listen) =
        read.parsed("listen", "write an address and a port such as \"127.0.0.1:8443\"", |text| {
            text.parse::<SocketAddr>().ok()
        })?
    {
        config.listen = listen;
    }
    config.public_url =
        read.parsed("public_url", "write an origin such as \"https://help.example.com\"", Origin::parse)?;
    if let Some(path) = read.path("data_dir")? {
        config.data_dir = path;
    }
    if let Some(seconds) = read.number("sign_off_seconds", 60, 86_400)? {
        config.sign_off_seconds = seconds;
    }
    config.applets.linux_x86_64 = read.path("applets.linux_x86_64")?;
    if let Some(region) =
        read.parsed("region", "write a short name of letters, digits, '-' and '_'", |text| {
            is_region(text).then(|| text.to_owned())
        })?
    {
        config.region = region;
    }
    if let Some(format) = read.parsed("log.format", "write \"text\" or \"json\"", |text| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    })? {
        config.log.format = format;
    }
    if let Some(level) =
        read.parsed("log.level", "write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"", |text| {
            logging::parse_level(text).ok().map(|_| text.to_owned())
        })?
    {
        config.log.level = level;
    }
    for (key, limit) in [
        ("limits.pin_per_address", &mut config.limits.pin_per_address),
        ("limits.pin_in_all", &mut config.limits.pin_in_all),
        ("limits.sign_in_per_address", &mut config.limits.sign_in_per_address),
        ("limits.gateway_legs", &mut config.limits.gateway_legs),
    ] {
        if let Some(number) = read.number(key, 1, 100_000)? {
            *limit = number;
        }
    }
    config.gateways = read.gateways("gateways")?;
    config.website.url =
        read.parsed("website.url", "write an origin such as \"https://help.example.com\"", Origin::parse)?;
    config.website.anchor = match read.text("website.anchor")? {
        None | Some("") => None,
        Some(text) => Some(pem_source(text)),
    };
    turn::read(&read, &mut config.turn)?;
    config.tls.source = tls_source(&read, config.listen)?;
    config.tls.anchor = match read.text("tls.anchor")? {
        None => Anchor::Default,
        Some("") => Anchor::System,
        Some(text) => Anchor::Pem(pem_source(text)),
    };
    Ok(config)
}

fn pem_source(text: &str) -> PemSource {
    if text.contains("-----BEGIN") {
        PemSource::Text(text.to_owned())
    } else {
        PemSource::File(PathBuf::from(text))
    }
}

/// A list as TOML writes it, from an environment variable.
fn list(text: &str) -> Option<Value> {
    let mut table: toml::Table = format!("list = {text}").parse().ok()?;
    table.remove("list")
}

/// Whether this can be the name of a region: 1 to 32 letters, digits, `-` and `_`.
pub fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// One entry of the list of gateways, with nothing in it that nobody knows.
fn gateway(entry: &Value) -> Option<GatewayAt> {
    let table = entry.as_table().filter(|table| table.len() == 2)?;
    let (url, region) = (table.get("url")?.as_str()?, table.get("region")?.as_str()?);
    let origin = format!("https://{}", url.strip_prefix("wss://")?.strip_suffix("/gateway/v1")?);
    Origin::parse(&origin)?;
    is_region(region).then(|| GatewayAt { url: url.to_owned(), region: region.to_owned() })
}

fn tls_source(read: &Reader<'_>, listen: SocketAddr) -> Result<TlsSource, ConfigError> {
    let conflict = |what: String, mend| Err(ConfigError::Conflict { what, mend });
    let self_signed = read.flag("tls.self_signed")?;
    match (read.path("tls.certificate")?, read.path("tls.key")?, self_signed) {
        (Some(_), Some(_), Some(true)) => conflict(
            "tls.self_signed is true although tls.certificate and tls.key are given".to_owned(),
            "remove one or the other",
        ),
        (Some(certificate), Some(key), _) => Ok(TlsSource::Files { certificate, key }),
        (Some(_), None, _) => {
            conflict("tls.certificate is given without tls.key".to_owned(), "give tls.key as well")
        }
        (None, Some(_), _) => {
            conflict("tls.key is given without tls.certificate".to_owned(), "give tls.certificate as well")
        }
        (None, None, Some(false)) => conflict(
            "tls.self_signed is false and no certificate is given".to_owned(),
            "give tls.certificate and tls.key",
        ),
        (None, None, _) if listen.ip().is_loopback() => Ok(TlsSource::SelfSigned),
        (None, None, _) => conflict(
            format!("a self-signed certificate serves only this computer itself, but listen is {listen}"),
            "give tls.certificate and tls.key, or listen on 127.0.0.1",
        ),
    }
}

/// Looks values up and checks their kind.
struct Reader<'a> {
    written: &'a Written,
}

impl Reader<'_> {
    fn refuse<T>(&self, key: &'static str, mend: &str) -> Result<T, ConfigError> {
        let (value, place) = &self.written[key];
        Err(ConfigError::BadValue {
            key,
            place: place.clone(),
            value: one_line(&value.to_string()),
            mend: mend.to_owned(),
        })
    }

    fn text(&self, key: &'static str) -> Result<Option<&str>, ConfigError> {
        match self.written.get(key).map(|(value, _)| value) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.refuse(key, "write a text in quotation marks"),
        }
    }

    fn parsed<T>(
        &self,
        key: &'static str,
        mend: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) => parse(text).map_or_else(|| self.refuse(key, mend), |value| Ok(Some(value))),
        }
    }

    fn path(&self, key: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        self.parsed(key, "write the path of a file or directory", |text| {
            (!text.is_empty()).then(|| PathBuf::from(text))
        })
    }

    fn number(&self, key: &'static str, least: u32, most: u32) -> Result<Option<u32>, ConfigError> {
        let number = match self.written.get(key).map(|(value, _)| value) {
            None => return Ok(None),
            Some(Value::Integer(number)) => u32::try_from(*number).ok(),
            Some(_) => None,
        };
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => self.refuse(key, &format!("write a whole number from {least} to {most}")),
        }
    }

    fn gateways(&self, key: &'static str) -> Result<Vec<GatewayAt>, ConfigError> {
        let entries = match self.written.get(key).map(|(value, _)| value) {
            None => return Ok(Vec::new()),
            Some(Value::Array(entries)) => entries.iter().map(gateway).collect::<Option<Vec<_>>>(),
            Some(_) => None,
        };
        match entries {
            Some(gateways) => Ok(gateways),
            None => self.refuse(
                key,
                "write [{ url = \"wss://gateway.example.com/gateway/v1\", region = \"local\" }]",
            ),
        }
    }

    fn flag(&self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.written.get(key).map(|(value, _)| value) {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(*flag)),
            Some(_) => self.refuse(key, "write true or false"),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Number of single-character edits between two keys (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

mod turn;

#[cfg(test)]
mod tests;
