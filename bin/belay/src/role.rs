//! `belay role`: the keys by which a website knows the gateways of other processes; and which roles a process runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use belay_api::Clock;
use belay_identity::role_key::{RoleKey, bytes_of_hex, hex_of};
use belay_program::Config;
use belay_store::{Create, Store};

use crate::arguments::{Form, RoleCommand, RoleKeyArguments, ServeRole, TrustedRole};

/// Which roles a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Pages, API and store.
    pub website: bool,
    /// What applets and consoles connect to.
    pub gateway: bool,
    /// Time-outs.
    pub worker: bool,
}

impl Roles {
    /// The wanted ones; all when none is named.
    pub fn of(wanted: &[ServeRole]) -> Self {
        let runs = |role| wanted.is_empty() || wanted.contains(&role);
        Self {
            website: runs(ServeRole::Website),
            gateway: runs(ServeRole::Gateway),
            worker: runs(ServeRole::Worker),
        }
    }
}

/// Where a gateway keeps its key.
pub fn key_file(config: &Config) -> PathBuf {
    config.data_dir.join("roles").join("gateway.key")
}

/// Where the key waits that shall take its place.
pub fn next_key_file(config: &Config) -> PathBuf {
    config.data_dir.join("roles").join("gateway.next.key")
}

/// The configuration file that a command names.
pub fn config_of(command: &RoleCommand) -> Option<&Path> {
    match command {
        RoleCommand::Key(which) | RoleCommand::Renew(which) | RoleCommand::List(which) => {
            which.config.as_deref()
        }
        RoleCommand::Trust(which) | RoleCommand::Revoke(which) => which.config.config.as_deref(),
    }
}

/// Does what the command says.
pub async fn run(config: &Config, command: RoleCommand, form: Form) -> anyhow::Result<()> {
    let now = Clock::System.now();
    match command {
        RoleCommand::Key(_) => {
            let key = hex_of(&RoleKey::load_or_make(&key_file(config))?.public());
            say(form, &serde_json::json!({ "key": key }), &key)
        }
        RoleCommand::Renew(_) => {
            let key = hex_of(&RoleKey::load_or_make(&next_key_file(config))?.public());
            say(form, &serde_json::json!({ "key": key }), &key)
        }
        RoleCommand::Trust(which) => {
            let key = key_of(&which)?;
            let store = Store::open(&config.data_dir, Create::Never).await?;
            let role = word(which.role);
            store.directory().trust_role_key(&key, role, now).await?;
            store.close().await?;
            let line = serde_json::json!({ "key": hex_of(&key), "role": role, "trusted": true });
            say(form, &line, "The key is trusted from now on.")
        }
        RoleCommand::Revoke(which) => {
            let key = key_of(&which)?;
            let store = Store::open(&config.data_dir, Create::Never).await?;
            let revoked = store.directory().revoke_role_key(&key, now).await?;
            store.close().await?;
            if !revoked {
                bail!("the key {} is not trusted here; look at belay role list", hex_of(&key));
            }
            let line = serde_json::json!({ "key": hex_of(&key), "role": word(which.role), "trusted": false });
            say(form, &line, "The key is not trusted any more.")
        }
        RoleCommand::List(_) => {
            let store = Store::open(&config.data_dir, Create::Never).await?;
            let keys = store.directory().role_keys().await?;
            store.close().await?;
            for key in keys {
                let trusted = key.revoked_at.is_none();
                let text = format!(
                    "{} {} {}",
                    hex_of(&key.key),
                    key.role,
                    if trusted { "trusted" } else { "revoked" }
                );
                say(
                    form,
                    &serde_json::json!({ "key": hex_of(&key.key), "role": key.role, "trusted": trusted }),
                    &text,
                )?;
            }
            Ok(())
        }
    }
}

fn key_of(which: &RoleKeyArguments) -> anyhow::Result<[u8; 32]> {
    bytes_of_hex(which.key.trim()).with_context(|| {
        format!(
            "{:?} is no key; give the 64 hexadecimal digits that belay role key prints at the gateway",
            which.key
        )
    })
}

const fn word(role: TrustedRole) -> &'static str {
    match role {
        TrustedRole::Gateway => "gateway",
    }
}

fn say(form: Form, line: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    match form {
        Form::Json => crate::print(&format!("{line}\n")),
        Form::Text => crate::print(&format!("{text}\n")),
    }
}
