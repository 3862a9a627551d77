//! `belay-line --seed N NAME=DEVICE …`: makes a TAP device for each host and carries frames between them as it is told
//! on standard input (`command.rs`), until that ends.
//!
//! The devices are made where the program runs; whoever started it moves each into the namespace of its host. It says
//! `ready` when they are there, and answers each command with one line: `ok`, `error …`, or what was asked for.
#![allow(clippy::print_stdout)] // a program that is talked to by lines
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod tap;

use anyhow::{Context, Result, bail};
use belay_line::{Command, Counts, Switch};
use belay_wire::Moment;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};
use tap::Tap;

/// No frame is larger: Ethernet with a VLAN tag.
const LARGEST: usize = 1522;

/// So many frames are taken from one host before the others have their turn.
const TURN: usize = 64;

fn main() -> Result<()> {
    let (seed, hosts) = arguments(std::env::args().skip(1))?;
    let names: Vec<String> = hosts.iter().map(|(name, _)| name.clone()).collect();
    let mut taps = Vec::new();
    for (name, device) in &hosts {
        taps.push(Tap::make(device).with_context(|| {
            format!("cannot make the device {device} for {name} (this needs root and /dev/net/tun)")
        })?);
    }
    say("ready")?;
    let began = Instant::now();
    let now = || Moment(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    let mut switch = Switch::new(taps.len(), seed);
    let mut heard = Vec::new();
    let mut buffer = vec![0; LARGEST];
    loop {
        let wait = switch.wake().map(|due| due.since(now()));
        let ready = tap::wait(&taps, wait.unwrap_or(Duration::from_secs(1)))
            .context("cannot wait for the devices")?;
        for (host, tap) in taps.iter_mut().enumerate() {
            for _ in 0..TURN {
                let Some(length) =
                    tap.read(&mut buffer).with_context(|| format!("cannot read for {}", names[host]))?
                else {
                    break;
                };
                switch.handle(host, buffer[..length].to_vec(), now());
            }
        }
        while let Some((host, frame)) = switch.poll(now()) {
            taps[host].write(&frame).with_context(|| format!("cannot write to {}", names[host]))?;
        }
        if ready.commands && !listen(&mut heard, &mut switch, &names)? {
            return Ok(());
        }
    }
}

/// `--seed N` and the hosts with their devices.
fn arguments(mut words: impl Iterator<Item = String>) -> Result<(u64, Vec<(String, String)>)> {
    let mut seed = 1;
    let mut hosts = Vec::new();
    while let Some(word) = words.next() {
        if word == "--seed" {
            seed = words.next().and_then(|number| number.parse().ok()).context("--seed needs a number")?;
        } else if let Some((name, device)) = word.split_once('=') {
            hosts.push((name.to_owned(), device.to_owned()));
        } else {
            bail!("`{word}` is not understood; usage: belay-line [--seed N] NAME=DEVICE …");
        }
    }
    Ok((seed, hosts))
}

/// Reads what was said and does it; `false`: nothing more will come.
fn listen(heard: &mut Vec<u8>, switch: &mut Switch, names: &[String]) -> Result<bool> {
    let mut piece = [0; 4096];
    let length = io::stdin().lock().read(&mut piece).context("cannot read commands")?;
    if length == 0 {
        return Ok(false);
    }
    heard.extend_from_slice(&piece[..length]);
    while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = heard.drain(..=end).collect();
        say(&obey(String::from_utf8_lossy(&line).trim(), switch, names))?;
    }
    Ok(true)
}

fn obey(line: &str, switch: &mut Switch, names: &[String]) -> String {
    match Command::parse(line, names) {
        Ok(Command::Shape { host, directions, shape }) => {
            for direction in directions {
                switch.reshape(host, direction, shape.clone());
            }
            "ok".to_owned()
        }
        Ok(Command::Counts) => {
            let of = |(host, name): (usize, &String)| {
                let (up, down) = switch.counts(host)?;
                Some(format!("\"{name}\":{{\"up\":{},\"down\":{}}}", json(up), json(down)))
            };
            format!("{{{}}}", names.iter().enumerate().filter_map(of).collect::<Vec<_>>().join(","))
        }
        Err(why) => format!("error {why}"),
    }
}

fn json(counts: Counts) -> String {
    let Counts { offered, offered_bytes, carried, lost, overflowed, cut } = counts;
    format!(
        "{{\"offered\":{offered},\"offered_bytes\":{offered_bytes},\"carried\":{carried},\"lost\":{lost},\"overflowed\":{overflowed},\"cut\":{cut}}}"
    )
}

fn say(line: &str) -> Result<()> {
    println!("{line}");
    io::stdout().flush().context("nobody listens any more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_by_name() {
        let mut switch = Switch::new(1, 1);
        switch.handle(0, vec![0; 60], Moment(0));
        let told = obey("counts", &mut switch, &["server".to_owned()]);
        assert!(told.starts_with(r#"{"server":{"up":{"offered":1,"offered_bytes":60,"#), "{told}");
        assert!(obey("nonsense", &mut switch, &[]).starts_with("error "));
    }
}
