//! The website's side of the gateway: admits legs and records what becomes of them.

use std::collections::HashSet;
use std::time::Duration;

use belay_access::SecurityKind;
use belay_identity::random_leg_ticket;
use belay_relay::admission::{Admission as Welcome, AdmitAnswer, AdmitRequest, LegEvent, LegNews};
use belay_session::{Command, Ender, Phase, Report, ReportKind, State};
use belay_store::{
    Admission as Admitted, ApplyError, Heard, Notice, ReturnTicket, Returned, StoreError, Through,
};
use belay_wire::gateway::{Leaving, Refusal, ReportKind as WireKind, Role};
use belay_wire::{AccountId, LegTicket, MemberId, Right, SessionAuthenticationId, SessionId};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::limits::Tried;
use crate::security::Noticed;
use crate::website::Website;

/// How soon a new account's sessions are followed too.
const NEW_ACCOUNTS_EVERY: Duration = Duration::from_secs(30);
/// Ended sessions that may wait for the gateway.
const ENDED_WAITING: usize = 1024;

/// Answers the gateway.
#[derive(Clone)]
pub struct Admission {
    website: Website,
}

impl Admission {
    /// For this website.
    #[must_use]
    pub fn new(website: Website) -> Self {
        Self { website }
    }

    /// May this leg come in, through this gateway? For an applet this is where "waiting" is recorded.
    pub async fn admit(&self, request: AdmitRequest, through: Through) -> AdmitAnswer {
        let address = request.address.to_canonical();
        if self.website.buckets().take(Tried::Admission, address, self.website.now()).is_err() {
            let noticed = Noticed::new(SecurityKind::SlowedDown, address).detail("gateway");
            self.website.security().notice(noticed);
            return Err(Refusal::SlowDown);
        }
        match self.is_of_its_region(request.account, through).await {
            Ok(true) => {}
            // Before anything is used up: the leg takes the next gateway of its list, which is of its region.
            Ok(false) => return Err(Refusal::Unavailable),
            Err(error) => {
                tracing::error!(%error, "the region of an account could not be read");
                return Err(Refusal::Unavailable);
            }
        }
        let (kind, answer) = match request.role {
            Role::Applet if request.credential.len() == LegTicket::LEN => {
                (SecurityKind::ReturnRefused, self.admit_again(&request, through).await)
            }
            Role::Applet => (SecurityKind::AdmissionRefused, self.admit_applet(&request, through).await),
            Role::Console => match self.admit_console(&request, through).await {
                // Tickets of both kinds look alike: what is no console ticket may be a return ticket.
                Ok(Verdict::Out { reason: Refusal::Unknown, account: None, .. }) => {
                    match self.admit_again(&request, through).await {
                        Ok(Verdict::Out { reason: Refusal::Unknown, account: None, session }) => {
                            let out = Verdict::Out { reason: Refusal::Unknown, account: None, session };
                            (SecurityKind::TicketRefused, Ok(out))
                        }
                        other => (SecurityKind::ReturnRefused, other),
                    }
                }
                other => (SecurityKind::TicketRefused, other),
            },
        };
        match answer {
            Ok(Verdict::In { session, member }) => {
                let return_ticket = random_leg_ticket();
                let ticket = ReturnTicket { account: request.account, session, role: request.role, member };
                let directory = self.website.store().directory();
                match directory.create_return_ticket(&return_ticket, ticket, self.website.now()).await {
                    Ok(()) => Ok(Welcome { session, return_ticket }),
                    Err(error) => {
                        tracing::error!(%error, "a return ticket could not be kept");
                        Err(Refusal::Unavailable)
                    }
                }
            }
            // Nobody did anything wrong: the console tries the next gateway of its list.
            Ok(Verdict::Elsewhere) => Err(Refusal::Unavailable),
            Ok(Verdict::Out { reason, account, session }) => {
                let mut noticed = Noticed::new(kind, address).detail(word(reason));
                if let Some(account) = account {
                    noticed = noticed.account(account);
                }
                if let Some(session) = session {
                    noticed = noticed.session(session);
                }
                self.website.security().notice(noticed);
                Err(reason)
            }
            Err(error) => {
                tracing::error!(%error, "a leg could not be admitted");
                Err(Refusal::Unavailable)
            }
        }
    }

    /// Whether the gateway is one for this account. An account that does not exist is refused elsewhere.
    async fn is_of_its_region(&self, account: AccountId, through: Through) -> Result<bool, StoreError> {
        let account = self.website.store().directory().account(account).await?;
        let region = account.and_then(|account| account.region);
        let place = self.website.place_of(through);
        Ok(self.website.settings().may_enter(region.as_deref(), place.as_deref(), through == Through::Own))
    }

    /// Records what became of a leg that was admitted through this gateway.
    pub async fn tell(&self, news: LegNews, through: Through) {
        let LegNews { account, session, event } = news;
        let store = self.website.store();
        let now = self.website.now();
        let command = match event {
            LegEvent::Report(kind, right) => {
                if kind == WireKind::Violation {
                    self.note_violation(account, session, right).await;
                }
                if kind == WireKind::Tampered {
                    self.note_tampering(account, session).await;
                }
                let detail = if kind == WireKind::Tampered { TAMPERED } else { right.name() };
                Some(Command::AppletReport(Report { kind: kind_of(kind), detail: detail.to_owned() }))
            }
            LegEvent::Left(Role::Applet, Leaving::EndedByEndUser) => {
                Some(Command::End { by: Ender::EndUser })
            }
            LegEvent::Left(Role::Applet | Role::Console, Leaving::EndedByTechnician) => {
                self.ended_by_technician(account, session).await
            }
            LegEvent::Left(Role::Applet, Leaving::Lost) => Some(Command::LegLost),
            LegEvent::Left(Role::Applet, Leaving::Closed) => Some(Command::AppletClosed),
            // A page may be loaded again, or another one may take its place; the applet ends by itself if not.
            LegEvent::Left(Role::Console, Leaving::Lost | Leaving::Closed | Leaving::EndedByEndUser) => {
                Some(Command::ConsoleLeft)
            }
        };
        let Some(command) = command else { return };
        let done = match command {
            Command::LegLost | Command::AppletClosed => {
                store.applet_left(account, session, command, through, now).await
            }
            other => store.apply(account, session, other, now).await.map(drop),
        };
        match done {
            Ok(()) => {}
            // The news crossed with the end of the session.
            Err(ApplyError::Refused(refusal)) => {
                tracing::debug!(%session, %refusal, ?event, "news came too late")
            }
            Err(error) => {
                tracing::error!(%session, %error, ?event, "news of a session could not be recorded")
            }
        }
    }

    /// Every session that ends from now on, for the gateway to put its legs out. Aborting the task ends it.
    #[must_use]
    pub fn ended_sessions(&self) -> (mpsc::Receiver<SessionId>, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(ENDED_WAITING);
        let website = self.website.clone();
        let task = tokio::spawn(async move {
            let mut followed = HashSet::new();
            let mut followers = JoinSet::new();
            loop {
                match website.store().directory().accounts().await {
                    Ok(accounts) => {
                        for account in accounts.into_iter().map(|account| account.id) {
                            if followed.insert(account) {
                                followers.spawn(follow(website.clone(), account, sender.clone()));
                            }
                        }
                    }
                    Err(error) => tracing::error!(%error, "the accounts could not be read"),
                }
                tokio::time::sleep(NEW_ACCOUNTS_EVERY).await;
            }
        });
        (receiver, task)
    }

    async fn admit_applet(&self, request: &AdmitRequest, through: Through) -> Result<Verdict, StoreError> {
        let out = |reason, account, session| Ok(Verdict::Out { reason, account, session });
        let Ok(id) = <[u8; SessionAuthenticationId::LEN]>::try_from(request.credential.as_slice()) else {
            return out(Refusal::Protocol, None, None);
        };
        let id = SessionAuthenticationId::from_bytes(id);
        let (account, now) = (request.account, self.website.now());
        let address = request.address.to_canonical();
        match self.website.store().admit_applet(&id, account, address, through, now).await? {
            Admitted::Admitted { session } => Ok(Verdict::In { session, member: None }),
            // What a stranger claims must not write into an account's log: only a known id names its account.
            Admitted::Unknown => out(Refusal::Unknown, None, None),
            Admitted::Foreign => out(Refusal::Foreign, None, None),
            Admitted::Used { session } => out(Refusal::Used, Some(account), Some(session)),
            Admitted::Expired { session } => out(Refusal::Expired, Some(account), Some(session)),
        }
    }

    async fn admit_console(&self, request: &AdmitRequest, through: Through) -> Result<Verdict, StoreError> {
        let out = |reason, account, session| Ok(Verdict::Out { reason, account, session });
        let Ok(ticket) = <[u8; LegTicket::LEN]>::try_from(request.credential.as_slice()) else {
            return out(Refusal::Protocol, None, None);
        };
        let store = self.website.store();
        let (secret, now) = (LegTicket::from_bytes(ticket), self.website.now());
        let Some(ticket) = store.directory().take_console_ticket(&secret, now).await? else {
            return out(Refusal::Unknown, None, None);
        };
        let (account, session) = (Some(ticket.account), Some(ticket.session));
        if ticket.account != request.account {
            return out(Refusal::Foreign, account, session);
        }
        let Some(found) = store.view(ticket.account).await?.session(ticket.session).await? else {
            return out(Refusal::Unknown, account, session);
        };
        if holds(&found.state, ticket.member) {
            if self.applet_is_elsewhere(ticket.account, ticket.session, &found.state, through).await? {
                let (account, session) = (ticket.account, ticket.session);
                let directory = store.directory();
                directory.create_console_ticket(&secret, account, session, ticket.member, now).await?;
                return Ok(Verdict::Elsewhere);
            }
            Ok(Verdict::In { session: ticket.session, member: Some(ticket.member) })
        } else {
            out(Refusal::Expired, account, session)
        }
    }

    /// A leg whose connection was lost comes back with its return ticket.
    async fn admit_again(&self, request: &AdmitRequest, through: Through) -> Result<Verdict, StoreError> {
        let out = |reason, account, session| Ok(Verdict::Out { reason, account, session });
        let Ok(secret) = <[u8; LegTicket::LEN]>::try_from(request.credential.as_slice()) else {
            return out(Refusal::Protocol, None, None);
        };
        let (store, now) = (self.website.store(), self.website.now());
        let secret = LegTicket::from_bytes(secret);
        let taken = store.directory().take_return_ticket(&secret, request.account, request.role, now).await?;
        let ReturnTicket { account, session, role, member } = match taken {
            Returned::Taken(ticket) => ticket,
            Returned::Unknown => return out(Refusal::Unknown, None, None),
            Returned::Used(found) => return out(Refusal::Used, Some(found.account), Some(found.session)),
            Returned::Expired(found) => {
                return out(Refusal::Expired, Some(found.account), Some(found.session));
            }
            Returned::Foreign(found) => {
                return out(Refusal::Foreign, Some(found.account), Some(found.session));
            }
        };
        let over = || out(Refusal::Expired, Some(account), Some(session));
        match role {
            Role::Applet => {
                let address = request.address.to_canonical();
                match store.applet_returned(account, session, address, through, now).await {
                    Ok(_) => Ok(Verdict::In { session, member: None }),
                    Err(ApplyError::Refused(_) | ApplyError::NotFound) => over(),
                    Err(ApplyError::Store(error)) => Err(error),
                }
            }
            Role::Console => {
                let found = store.view(account).await?.session(session).await?;
                match (found, member) {
                    (Some(found), Some(member)) if holds(&found.state, member) => {
                        // The ticket is taken once more within two minutes: its successor was not used.
                        if self.applet_is_elsewhere(account, session, &found.state, through).await? {
                            return Ok(Verdict::Elsewhere);
                        }
                        Ok(Verdict::In { session, member: Some(member) })
                    }
                    _ => over(),
                }
            }
        }
    }

    /// Does the applet wait at another gateway, one that the console can find in its list?
    async fn applet_is_elsewhere(
        &self,
        account: AccountId,
        session: SessionId,
        state: &State,
        through: Through,
    ) -> Result<bool, StoreError> {
        if state.phase != Phase::Active {
            return Ok(false);
        }
        let at = self.website.store().view(account).await?.applet_through(session).await?;
        Ok(at != through && self.website.place_of(at).is_some())
    }

    async fn note_violation(&self, account: AccountId, session: SessionId, right: Right) {
        self.note(
            SecurityKind::Violation,
            account,
            session,
            format!("the console acted without {}, reported by the applet", right.name()),
        )
        .await;
    }

    async fn note_tampering(&self, account: AccountId, session: SessionId) {
        let detail = "the connection between applet and console was not secure, reported by the applet: keys that differ, \
                      packets that are not the console's, or a wrong proof of the invitation link. Somebody may sit in between, \
                      or the technician's browser may hold another link's secret";
        self.note(SecurityKind::Tampered, account, session, detail.to_owned()).await;
    }

    async fn note(&self, kind: SecurityKind, account: AccountId, session: SessionId, detail: String) {
        let address = match self.website.store().view(account).await {
            Ok(view) => view.session(session).await.ok().flatten(),
            Err(_) => None,
        };
        let address = address
            .and_then(|session| session.state.end_user_address)
            .and_then(|address| address.parse().ok())
            .unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        self.website
            .security()
            .notice(Noticed::new(kind, address).account(account).session(session).detail(detail));
    }

    async fn ended_by_technician(&self, account: AccountId, session: SessionId) -> Option<Command> {
        let found = match self.website.store().view(account).await {
            Ok(view) => view.session(session).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(found)) => {
                found.state.technician.map(|technician| Command::End { by: Ender::Technician(technician) })
            }
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%session, %error, "the end of a session could not be recorded");
                None
            }
        }
    }
}

/// Detail of the event of a session whose ends found somebody in between.
const TAMPERED: &str = "tampered";

enum Verdict {
    In {
        session: SessionId,
        member: Option<MemberId>,
    },
    /// Let in at another gateway: there the applet is.
    Elsewhere,
    Out {
        reason: Refusal,
        account: Option<AccountId>,
        session: Option<SessionId>,
    },
}

/// Is this the technician of a session that goes on, be its applet there or away?
fn holds(state: &State, member: MemberId) -> bool {
    match state.phase {
        Phase::Active | Phase::Reconnecting | Phase::Offline => state.technician == Some(member),
        Phase::Connecting | Phase::Waiting | Phase::Closed | Phase::TimedOut | Phase::Aborted => false,
    }
}

/// Tells of the sessions of one account that end.
async fn follow(website: Website, account: AccountId, ended: mpsc::Sender<SessionId>) {
    let mut notices = website.store().bus().subscribe(account);
    loop {
        let session = match notices.next().await {
            Heard::Notice(Notice::SessionChanged { session, .. }) => session,
            // A leg that is missed here goes when its own connection does.
            Heard::Gap => continue,
            Heard::Closed => return,
        };
        let found = match website.store().view(account).await {
            Ok(view) => view.session(session).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(found)) if found.state.phase.is_ended() => {
                if ended.send(session).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%session, %error, "a changed session could not be read"),
        }
    }
}

fn kind_of(kind: WireKind) -> ReportKind {
    match kind {
        WireKind::Granted => ReportKind::Granted,
        WireKind::Refused => ReportKind::Refused,
        WireKind::Withdrawn => ReportKind::Withdrawn,
        WireKind::Violation | WireKind::Tampered => ReportKind::Violation,
    }
}

fn word(reason: Refusal) -> &'static str {
    match reason {
        Refusal::Unknown => "unknown",
        Refusal::Used => "used",
        Refusal::Expired => "expired",
        Refusal::Foreign => "foreign",
        Refusal::Full => "full",
        Refusal::Protocol => "protocol",
        Refusal::SlowDown => "slow-down",
        Refusal::Unavailable => "unavailable",
        Refusal::Replaced => "replaced",
    }
}
