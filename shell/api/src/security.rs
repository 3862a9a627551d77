//! The security log: every refusal worth knowing becomes a `tracing` event of the target `security` and a
//! row. Rows are written by one task behind a bounded queue, so that no answer waits for its row: otherwise
//! the time an answer takes would tell whether an id exists.

use std::net::IpAddr;
use std::sync::Arc;

use belay_access::SecurityKind;
use belay_store::{NewSecurityEvent, Store, StoreError};
use belay_wire::{AccountId, SessionId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::limits::{Buckets, Tried};

const WAITING_AT_MOST: usize = 1024;

/// Something to be logged.
#[derive(Debug, Clone)]
pub(crate) struct Noticed {
    kind: SecurityKind,
    address: IpAddr,
    account: Option<AccountId>,
    session: Option<SessionId>,
    detail: String,
}

impl Noticed {
    pub(crate) fn new(kind: SecurityKind, address: IpAddr) -> Self {
        Self { kind, address, account: None, session: None, detail: String::new() }
    }

    /// Whose log it belongs in; without, the installation's.
    pub(crate) fn account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    pub(crate) fn session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// Short text without secrets.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

enum Entry {
    Row(Option<AccountId>, NewSecurityEvent),
    /// Everything before this is written when it is answered.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// The end of the queue that handlers hold.
#[derive(Clone)]
pub(crate) struct Security {
    queue: mpsc::Sender<Entry>,
    buckets: Arc<Buckets>,
    clock: Clock,
}

impl Security {
    /// Starts the task that writes the rows; it ends when the last handle is gone.
    pub(crate) fn start(store: Store, buckets: Arc<Buckets>, clock: Clock) -> (Self, JoinHandle<()>) {
        let (queue, mut entries) = mpsc::channel(WAITING_AT_MOST);
        let task = tokio::spawn(async move {
            while let Some(entry) = entries.recv().await {
                match entry {
                    Entry::Row(account, event) => {
                        if let Err(error) = write(&store, account, event).await {
                            tracing::error!(%error, "a row of the security log could not be written");
                        }
                    }
                    Entry::Flush(done) => {
                        // The asker may have gone away, then nobody needs to know.
                        let _gone = done.send(());
                    }
                }
            }
        });
        (Self { queue, buckets, clock }, task)
    }

    /// Logs it; never waits.
    pub(crate) fn notice(&self, noticed: Noticed) {
        let Noticed { kind, address, account, session, detail } = noticed;
        let (account_text, session_text) =
            (account.map(tracing::field::display), session.map(tracing::field::display));
        let kind_text = kind.word();
        match kind {
            SecurityKind::AccountCreated | SecurityKind::SignedIn | SecurityKind::SignedOut => {
                tracing::info!(
                    target: "security", kind = kind_text, %address, account = account_text, session = session_text, detail
                )
            }
            SecurityKind::SignInFailed
            | SecurityKind::SignInLocked
            | SecurityKind::ForeignOrigin
            | SecurityKind::PinRefused
            | SecurityKind::LinkRefused
            | SecurityKind::SlowedDown
            | SecurityKind::AdmissionRefused
            | SecurityKind::TicketRefused
            | SecurityKind::ReturnRefused
            | SecurityKind::RoleRefused
            | SecurityKind::Violation
            | SecurityKind::Tampered
            | SecurityKind::Forbidden => tracing::warn!(
                target: "security", kind = kind_text, %address, account = account_text, session = session_text, detail
            ),
        }
        let now = self.clock.now();
        // What strangers cause must not fill the disk; the log above has it all.
        if self.buckets.take(Tried::LogRow, address, now).is_err() {
            return;
        }
        let event = NewSecurityEvent { at: now, kind, session, address: Some(address), detail };
        if self.queue.try_send(Entry::Row(account, event)).is_err() {
            tracing::error!("the security log falls behind, a row was left out");
        }
    }

    /// Returns when everything noticed before is written.
    pub(crate) async fn flush(&self) {
        let (done, written) = tokio::sync::oneshot::channel();
        if self.queue.send(Entry::Flush(done)).await.is_ok() {
            // An error means that the task has ended, and everything with it.
            let _ended = written.await;
        }
    }
}

async fn write(store: &Store, account: Option<AccountId>, event: NewSecurityEvent) -> Result<(), StoreError> {
    match account {
        None => store.directory().log_security(event).await,
        Some(account) => {
            let mut tx = store.begin(account).await?;
            tx.log_security(event).await?;
            tx.commit().await
        }
    }
}
