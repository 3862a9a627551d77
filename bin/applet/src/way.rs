//! `--check`: says on the terminal what works of the way to the server. Opens no window, asks nothing, needs no session.

use anyhow::Context;
use belay_net::Dial;
use belay_net::check::check as examine;

use crate::exit::Exit;
use crate::tag::{Tag, is_origin};
use crate::texts::Texts;

/// Looks at the way to the server of this download, or at another address, and prints what was found.
///
/// # Errors
/// When the certificates to trust cannot be read, or the system gives no runtime.
pub fn check(tag: Option<Tag>, address: &str, texts: &Texts) -> anyhow::Result<Exit> {
    let wanted = match address.trim_end_matches('/') {
        "" => None,
        bare if !bare.contains("://") => Some(format!("https://{bare}")),
        whole => Some(whole.to_owned()),
    };
    let (origin, anchors, account) = match (wanted, tag) {
        (None, Some(tag)) => (tag.origin, tag.anchors, Some(tag.account)),
        (Some(wanted), Some(tag)) if wanted == tag.origin => (tag.origin, tag.anchors, Some(tag.account)),
        (Some(wanted), _) if is_origin(&wanted) => (wanted, String::new(), None),
        (Some(_), _) | (None, None) => {
            say(texts.way_which);
            return Ok(Exit::WrongUse);
        }
    };
    let dial = Dial::new(&origin, &anchors)?;
    let dial = match account {
        Some(account) => dial.of_account(account),
        None => dial,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the network")?;
    let checks = runtime.block_on(examine(&dial, None));
    // A lookup of names that hangs must not hold the program.
    runtime.shutdown_background();
    checks.iter().for_each(|check| say(&texts.way(check)));
    if checks.iter().any(belay_net::check::Check::is_fatal) {
        say(texts.way_blocked);
        return Ok(Exit::NoGateway);
    }
    say(texts.way_clear);
    Ok(Exit::Ended)
}

/// To whoever asked.
#[allow(clippy::print_stdout)]
fn say(words: &str) {
    println!("{words}");
}
