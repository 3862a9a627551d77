//! Whether the technician's side is the one the invitation came from: by the secret of its link, or by six digits that the
//! end user compares. "Link secret" of `docs/protocol/seal.md`.

use belay_permission::{EndReason, Input as Consent};
use belay_seal::{SecurityCode, Side};
use belay_wire::gateway::ReportKind;
use belay_wire::{Message, Right};

use super::{Conductor, Now};
use crate::deeds::{Check, Deed, Show, Story};
use crate::host_log::Entry;

/// What is known of the other end of this pairing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Identity {
    /// The code of the pairing, if there is one.
    code: Option<SecurityCode>,
    standing: Standing,
    /// A proof was heard; another one changes nothing.
    heard: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Open,
    Compared,
    Proved,
}

impl Conductor {
    /// A new pairing: whatever was known of an earlier one counts for nothing.
    pub(super) fn meet(&mut self, code: SecurityCode) {
        self.identity = Identity { code: Some(code), ..Identity::default() };
        self.deeds.push_back(Deed::Show(Show::Check(Check::Compare(code))));
    }

    /// Nobody is there any more.
    pub(super) fn part(&mut self) {
        if std::mem::take(&mut self.identity).code.is_some() {
            self.deeds.push_back(Deed::Show(Show::Check(Check::Nothing)));
        }
    }

    /// What a question has to say about it. A console that has the secret has proved it before its first request.
    pub(super) fn check(&self) -> Check {
        match (self.identity.code, self.identity.standing) {
            (None, _) | (Some(_), Standing::Compared) => Check::Nothing,
            (Some(_), Standing::Proved) => Check::Verified,
            (Some(code), Standing::Open) if self.facts.link_secret.is_some() => Check::Unproved(code),
            (Some(code), Standing::Open) => Check::Compare(code),
        }
    }

    /// The end user says that the codes are the same.
    pub(super) fn compared(&mut self) {
        if self.identity.code.is_some() && self.identity.standing == Standing::Open {
            self.identity.standing = Standing::Compared;
            self.log(Entry::CodeCompared);
            self.story(Story::Compared);
            self.deeds.push_back(Deed::Show(Show::Check(Check::Nothing)));
        }
    }

    /// The console says that it has the link's secret. It hears our own proof in any case, so that it can find out too.
    pub(super) fn link_proof(&mut self, proof: &[u8; 32], now: Now) {
        let Some(code) = self.identity.code else { return };
        if std::mem::replace(&mut self.identity.heard, true) {
            tracing::warn!("a second proof in one pairing changes nothing");
            return;
        }
        let Some(secret) = &self.facts.link_secret else {
            self.deeds.push_back(Deed::Send(Message::NoLinkSecret));
            return;
        };
        let checked = secret.check(Side::Console, &code, proof);
        let ours = secret.proof(Side::Applet, &code);
        self.deeds.push_back(Deed::Send(Message::LinkProved(ours)));
        match checked {
            Ok(()) => {
                self.identity.standing = Standing::Proved;
                self.log(Entry::LinkVerified);
                self.story(Story::Verified);
                self.deeds.push_back(Deed::Show(Show::Check(Check::Verified)));
            }
            Err(belay_seal::WrongProof) => {
                tracing::error!("the proof of the invitation link is wrong: somebody sits in between");
                self.log(Entry::Tampered);
                self.deeds.push_back(Deed::Report(ReportKind::Tampered, Right::DesktopView));
                self.consent(Consent::EndAll(EndReason::Tampered), now);
            }
        }
    }
}
