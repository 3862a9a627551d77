//! What happens to sessions from outside a request: admission at the gateway, restarts, and the passing of time.

use std::net::IpAddr;
use std::time::Duration;

use belay_access::SecurityKind;
use belay_session::{Command, Refusal};
use belay_wire::{AccountId, Moment, SessionAuthenticationId, SessionId, charter};

use crate::directory::Presented;
use crate::error::{ApplyError, StoreError};
use crate::seal::sha256;
use crate::store::Store;
use crate::types::{Admission, Found, NewSecurityEvent, Session, Through};

impl Store {
    /// Decides one command to a session in a transaction of its own.
    pub async fn apply(
        &self,
        account: AccountId,
        session: SessionId,
        command: Command,
        now: Moment,
    ) -> Result<Session, ApplyError> {
        let mut tx = self.begin(account).await?;
        let session = tx.apply(session, command, now).await?;
        tx.commit().await?;
        if session.state.phase.is_ended() {
            self.directory().forget_return_tickets(session.id).await?;
        }
        Ok(session)
    }

    /// Admits an applet by the id that was embedded in it: uses the id up, and the session waits from then on.
    ///
    /// A refusal is written to the security log here: of the account the id belongs to, or of the installation when
    /// nobody knows the id.
    pub async fn admit_applet(
        &self,
        id: &SessionAuthenticationId,
        claimed: AccountId,
        address: IpAddr,
        through: Through,
        now: Moment,
    ) -> Result<Admission, StoreError> {
        let refused = |session, detail: &str| NewSecurityEvent {
            at: now,
            kind: SecurityKind::AdmissionRefused,
            session,
            address: Some(address),
            detail: detail.to_owned(),
        };
        let (found, admission, detail) = match self.directory().present(id, claimed, now).await? {
            Presented::Unknown => {
                self.directory().log_security(refused(None, "unknown")).await?;
                return Ok(Admission::Unknown);
            }
            Presented::Taken(session) => {
                match self.let_wait(id, claimed, session, address, through, now).await? {
                    Admission::Admitted { session } => return Ok(Admission::Admitted { session }),
                    Admission::Expired { session } => {
                        (Found { account: claimed, session }, Admission::Expired { session }, "session ended")
                    }
                    other @ (Admission::Unknown | Admission::Used { .. } | Admission::Foreign) => {
                        (Found { account: claimed, session }, other, "session has an applet already")
                    }
                }
            }
            Presented::Used(found) => {
                let session = found.session;
                (found, Admission::Used { session }, "used")
            }
            Presented::Expired(found) => {
                let session = found.session;
                (found, Admission::Expired { session }, "expired")
            }
            Presented::Foreign(found) => (found, Admission::Foreign, "claimed for another account"),
        };
        let mut tx = self.begin(found.account).await?;
        tx.log_security(refused(Some(found.session), detail)).await?;
        tx.commit().await?;
        Ok(admission)
    }

    /// A returning applet is connected again, from this address through this gateway. Refused when the session is over.
    pub async fn applet_returned(
        &self,
        account: AccountId,
        session: SessionId,
        address: IpAddr,
        through: Through,
        now: Moment,
    ) -> Result<Session, ApplyError> {
        let mut tx = self.begin(account).await?;
        let found = tx.apply(session, Command::AppletReturned { address: address.to_string() }, now).await?;
        tx.keep_through(session, through).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// The applet's connection was lost or closed, says the gateway it was at. Changes nothing when the applet has come
    /// back through another gateway since.
    pub async fn applet_left(
        &self,
        account: AccountId,
        session: SessionId,
        command: Command,
        through: Through,
        now: Moment,
    ) -> Result<(), ApplyError> {
        let mut tx = self.begin(account).await?;
        if tx.applet_through(session).await? != through {
            tracing::debug!(%session, "an applet left a gateway that it is not at any more");
            return Ok(());
        }
        let after = tx.apply(session, command, now).await?;
        tx.commit().await?;
        if after.state.phase.is_ended() {
            self.directory().forget_return_tickets(session).await?;
        }
        Ok(())
    }

    /// After a stop of the server the legs of its own gateway are gone: their sessions wait for the applets to come
    /// back. The number of these sessions.
    pub async fn recover_after_restart(&self, now: Moment) -> Result<u64, StoreError> {
        self.gateway_lost(Through::Own, Command::ServerRestarted, now).await
    }

    /// A gateway has stopped with every leg on it: the sessions of its applets wait for them. The number of these.
    pub async fn gateway_stopped(&self, through: Through, now: Moment) -> Result<u64, StoreError> {
        self.gateway_lost(through, Command::LegLost, now).await
    }

    /// The gateway with the key `before` has the key `next` from now on: its applets are connected through that one,
    /// and `before` is trusted no longer. Done a second time it changes nothing.
    pub async fn gateway_renewed(
        &self,
        before: &[u8; 32],
        next: &[u8; 32],
        now: Moment,
    ) -> Result<(), StoreError> {
        for account in self.directory().accounts().await? {
            let mut tx = self.begin(account.id).await?;
            tx.change_gateway(before, next).await?;
            tx.commit().await?;
        }
        self.directory().revoke_role_key(before, now).await?;
        Ok(())
    }

    async fn gateway_lost(&self, through: Through, command: Command, now: Moment) -> Result<u64, StoreError> {
        let mut lost = 0;
        for account in self.directory().accounts().await? {
            let sessions = self.view(account.id).await?.connected_sessions(through).await?;
            self.apply_to_all(account.id, &sessions, command.clone(), now).await?;
            lost += sessions.len() as u64;
        }
        Ok(lost)
    }

    /// The gateways of other processes that applets are connected through.
    pub async fn gateways_in_use(&self) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut keys = Vec::new();
        for account in self.directory().accounts().await? {
            keys.extend(self.view(account.id).await?.gateways_in_use().await?);
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Lets time pass: sessions time out, dead tickets and sign-ins (`idle` without activity) are thrown away.
    /// Call it every half minute or so. The number of sessions timed out and rows thrown away.
    ///
    /// An account whose file does not open is logged and left out; the others are swept all the same.
    pub async fn sweep(&self, idle: Duration, now: Moment) -> Result<u64, StoreError> {
        let mut swept = self.directory().sweep(idle, now).await?;
        for account in self.directory().accounts().await? {
            match self.sweep_account(account.id, now).await {
                Ok(timed_out) => swept += timed_out,
                Err(error) => tracing::error!(account = %account.id, %error, "an account could not be swept"),
            }
        }
        Ok(swept)
    }

    async fn sweep_account(&self, account: AccountId, now: Moment) -> Result<u64, StoreError> {
        let due = self.view(account).await?.due_sessions(now).await?;
        self.apply_to_all(account, &due, Command::Tick, now).await
    }

    async fn apply_to_all(
        &self,
        account: AccountId,
        sessions: &[SessionId],
        command: Command,
        now: Moment,
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        for session in sessions {
            match self.apply(account, *session, command.clone(), now).await {
                Ok(session) => ended += u64::from(session.state.phase.is_ended()),
                Err(ApplyError::Store(error)) => return Err(error),
                Err(error @ (ApplyError::NotFound | ApplyError::Refused(_))) => {
                    tracing::error!(%account, %session, %error, "a command of the system was refused");
                }
            }
        }
        Ok(ended)
    }

    async fn let_wait(
        &self,
        id: &SessionAuthenticationId,
        account: AccountId,
        session: SessionId,
        address: IpAddr,
        through: Through,
        now: Moment,
    ) -> Result<Admission, StoreError> {
        let mut tx = self.begin(account).await?;
        match tx.apply(session, Command::ApplicationWaiting { address: address.to_string() }, now).await {
            Ok(_) => {
                tx.keep_binding(session, &sha256(&charter::binding_bytes(id.secret_bytes()))).await?;
                tx.keep_through(session, through).await?;
                tx.commit().await?;
                Ok(Admission::Admitted { session })
            }
            Err(ApplyError::Refused(Refusal::AlreadyAdmitted)) => Ok(Admission::Used { session }),
            // Whatever else stands in the way: this session will never take this applet.
            Err(ApplyError::Refused(_) | ApplyError::NotFound) => Ok(Admission::Expired { session }),
            Err(ApplyError::Store(error)) => Err(error),
        }
    }
}
