//! Notices between the parts of a server, and later between servers: rows are the truth, the bus is a hint.

use belay_wire::{AccountId, SessionId};
use tokio::sync::broadcast;

/// Notices kept for a slow subscriber before it is told that it missed some.
const KEPT: usize = 1024;

/// Something changed; read the rows to see what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A session of an account changed (also: was made, or got a chat line).
    SessionChanged {
        /// The account.
        account: AccountId,
        /// The session.
        session: SessionId,
    },
}

impl Notice {
    /// The account it is for.
    pub const fn account(&self) -> AccountId {
        match self {
            Notice::SessionChanged { account, .. } => *account,
        }
    }
}

/// What a subscriber hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A notice.
    Notice(Notice),
    /// Notices were missed: read everything again.
    Gap,
    /// The bus has ended.
    Closed,
}

/// Carries notices to whoever is interested in an account.
pub trait Bus: Send + Sync {
    /// Tells every subscriber of the notice's account. Never blocks, never fails.
    fn publish(&self, notice: Notice);
    /// Hears the account's notices from now on.
    fn subscribe(&self, account: AccountId) -> Subscription;
}

/// One listener's end. Dropping it ends the subscription.
pub struct Subscription {
    account: AccountId,
    receiver: broadcast::Receiver<Notice>,
}

impl Subscription {
    /// The next thing heard of the account. Safe to cancel.
    pub async fn next(&mut self) -> Heard {
        loop {
            match self.receiver.recv().await {
                Ok(notice) if notice.account() == self.account => return Heard::Notice(notice),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return Heard::Gap,
                Err(broadcast::error::RecvError::Closed) => return Heard::Closed,
            }
        }
    }
}

/// The bus inside one process.
pub struct LocalBus {
    sender: broadcast::Sender<Notice>,
}

impl Default for LocalBus {
    fn default() -> LocalBus {
        LocalBus { sender: broadcast::channel(KEPT).0 }
    }
}

impl Bus for LocalBus {
    fn publish(&self, notice: Notice) {
        // An error only says that nobody listens at the moment.
        let _nobody_listens = self.sender.send(notice);
    }

    fn subscribe(&self, account: AccountId) -> Subscription {
        Subscription { account, receiver: self.sender.subscribe() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(account: u8, session: u8) -> Notice {
        Notice::SessionChanged {
            account: AccountId::from_bytes([account; 16]),
            session: SessionId::from_bytes([session; 16]),
        }
    }

    #[tokio::test]
    async fn an_account_hears_its_own_notices_only() {
        let bus = LocalBus::default();
        let mut ours = bus.subscribe(AccountId::from_bytes([1; 16]));
        bus.publish(notice(2, 9));
        bus.publish(notice(1, 7));
        assert_eq!(ours.next().await, Heard::Notice(notice(1, 7)));
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_of_the_gap() {
        let bus = LocalBus::default();
        let mut ours = bus.subscribe(AccountId::from_bytes([1; 16]));
        for _ in 0..=KEPT {
            bus.publish(notice(1, 7));
        }
        assert_eq!(ours.next().await, Heard::Gap);
        drop(bus);
        for _ in 0..KEPT {
            assert_eq!(ours.next().await, Heard::Notice(notice(1, 7)));
        }
        assert_eq!(ours.next().await, Heard::Closed);
    }
}
