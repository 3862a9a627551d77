//! The relayed addresses of one peer connection: asked for, listened to, and used like any other.

use belay_turn::client::ClientOutput;
use belay_wire::gateway::Relaying;
use std::net::SocketAddr;
use std::time::Instant;
use str0m::Candidate;
use str0m::net::Protocol;

use super::super::What;
use super::super::relayed::Relayed;
use super::{Ended, Peer, read};

impl Peer<'_> {
    /// Asks for relayed addresses.
    pub(super) async fn ask_relays(&mut self, servers: &[SocketAddr], with: &Relaying) {
        for server in servers {
            match Relayed::ask(*server, with, self.started).await {
                Ok(relayed) => {
                    let reader = read(relayed.local, relayed.socket(), self.arriving.clone());
                    self.readers.spawn(reader);
                    self.relays.push(relayed);
                }
                Err(failure) => self.facts.failures.push(failure),
            }
        }
    }

    /// Does what the relays want, and takes what they tell.
    pub(super) async fn hear_relays(&mut self, mut wake: Instant) -> Result<Instant, Ended> {
        let now = Instant::now();
        for relay in &mut self.relays {
            if relay.next_timeout().is_some_and(|due| due <= now) {
                relay.tick();
            }
        }
        // What one of them tells may be answered by way of another.
        let mut quiet = false;
        while !std::mem::replace(&mut quiet, true) {
            for at in 0..self.relays.len() {
                while let Some(told) = self.relays[at].poll() {
                    quiet = false;
                    wake = self.hear_relay(at, told, wake).await?;
                }
            }
        }
        self.end_candidates().await;
        Ok(wake)
    }

    async fn hear_relay(&mut self, at: usize, told: ClientOutput, wake: Instant) -> Result<Instant, Ended> {
        let relay = &mut self.relays[at];
        match told {
            ClientOutput::Allocated(address) => {
                relay.address = Some(address);
                let candidate = Candidate::relayed(address, relay.local, Protocol::Udp);
                self.own(candidate).await
            }
            ClientOutput::Data(from, bytes) => match relay.address {
                Some(to) => self.packet(false, from, to, &bytes, wake).await,
                None => Ok(wake),
            },
            ClientOutput::Failed(why) => {
                relay.failed = true;
                self.facts.failures.push(why.to_string());
                Ok(wake)
            }
            // Sent already.
            ClientOutput::Send(_) => Ok(wake),
        }
    }

    /// Says that there are no more candidates, once there are none to be expected.
    async fn end_candidates(&mut self) {
        let settled = self.reflexive_known && !self.relays.iter().any(Relayed::is_awaited);
        if settled && !std::mem::replace(&mut self.ended, true) {
            self.teller.tell(What::Candidate(String::new())).await;
        }
    }
}
