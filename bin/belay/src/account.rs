//! `belay account create`: the first account of an installation, or another one. The password comes from a
//! prompt or from standard input, never from an argument that others on the computer could read.

use std::io::{BufRead, IsTerminal};

use anyhow::{bail, ensure};
use belay_api::Clock;
use belay_identity::{Cost, Passwords, check_new_password};
use belay_program::Config;
use belay_program::config::is_region;
use belay_store::{AccountCreated, Create, NewAccount, SignInId, Store};

use crate::arguments::{CreateAccount, Form};

const NAME_MAX_CHARS: usize = 128;

/// Makes the account and prints its ids.
pub async fn create(config: &Config, wanted: CreateAccount, form: Form) -> anyhow::Result<()> {
    let name = checked_name("--name", &wanted.name)?;
    let Some(id) = SignInId::new(&wanted.owner) else {
        bail!(
            "--owner {:?} is not possible as a sign-in id; write 1 to 254 characters without line ends",
            wanted.owner
        );
    };
    let holder_name = checked_name("--owner-name", wanted.owner_name.as_deref().unwrap_or(&wanted.owner))?;
    if let Some(region) = &wanted.region {
        check_region(config, region)?;
    }
    let password = password(wanted.password_stdin)?;
    check_new_password(&password)?;
    let hash = Passwords::new(Cost::PRODUCTION)?.hash(&password).await?;

    let store = Store::open(&config.data_dir, Create::IfAbsent).await?;
    let new = NewAccount {
        name: name.clone(),
        region: wanted.region.clone(),
        holder_sign_in_id: id.clone(),
        holder_name,
        holder_password_hash: hash,
    };
    let created = store.directory().create_account(new, Clock::System.now()).await?;
    store.close().await?;
    let AccountCreated::Created { account, holder } = created else {
        bail!(
            "somebody on this installation signs in as {:?} already; choose another id with --owner",
            id.as_str()
        );
    };
    match form {
        Form::Json => {
            let line = serde_json::json!({
                "account": account.to_string(),
                "name": name,
                "region": wanted.region.as_ref().unwrap_or(&config.region),
                "member": holder.to_string(),
                "sign_in_id": id.as_str(),
            });
            crate::print(&format!("{line}\n"))
        }
        Form::Text => crate::print(&format!(
            "The account {name:?} exists now. {:?} signs in at the address of the server, under /console/.\n",
            id.as_str()
        )),
    }
}

/// The regions that have a gateway, each once.
pub fn regions(config: &Config) -> Vec<&str> {
    let mut regions: Vec<&str> = config.gateways.iter().map(|gateway| gateway.region.as_str()).collect();
    if regions.is_empty() {
        regions.push(&config.region);
    }
    regions.sort_unstable();
    regions.dedup();
    regions
}

/// An account must not be made whose sessions no gateway would take.
fn check_region(config: &Config, region: &str) -> anyhow::Result<()> {
    ensure!(
        is_region(region),
        "--region {region:?} is not possible; write a short name of letters, digits, '-' and '_'"
    );
    let regions = regions(config);
    ensure!(
        regions.contains(&region),
        "there is no gateway in the region {region:?}; list one in gateways first, or choose another (there are: {})",
        regions.join(", ")
    );
    Ok(())
}

fn checked_name(argument: &str, name: &str) -> anyhow::Result<String> {
    let name = name.trim();
    let fits =
        !name.is_empty() && name.chars().count() <= NAME_MAX_CHARS && !name.chars().any(char::is_control);
    ensure!(
        fits,
        "{argument} {name:?} is not possible; write 1 to {NAME_MAX_CHARS} characters without line ends"
    );
    Ok(name.to_owned())
}

fn password(from_stdin: bool) -> anyhow::Result<String> {
    if from_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        let end = line.trim_end_matches(['\r', '\n']).len();
        line.truncate(end);
        return Ok(line);
    }
    if !std::io::stdin().is_terminal() {
        bail!(
            "there is no terminal to ask for the password on; add --password-stdin and give it on standard input"
        );
    }
    let password =
        rpassword::prompt_password("Password of the master account holder (12 characters or more): ")?;
    let again = rpassword::prompt_password("The same password again: ")?;
    ensure!(password == again, "the two passwords differ; run the command again");
    Ok(password)
}
