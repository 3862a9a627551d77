//! Invitations (a PIN and a link to the same session) and the tickets of a join.

use belay_access::{Pin, Token, life};
use belay_wire::{AccountId, Moment, SessionId};
use sea_orm::QueryResult;

use super::Directory;
use crate::database::{blob, id_column, is_taken, one, run};
use crate::error::StoreError;
use crate::seal::sha256;
use crate::types::{Found, Invitation, Invited};

impl Directory {
    /// Keeps an invitation. The PIN must be unique among the living ones of the whole installation.
    pub async fn keep_invitation(
        &self,
        account: AccountId,
        session: SessionId,
        pin: &Pin,
        link: &Token,
        now: Moment,
    ) -> Result<Invited, StoreError> {
        let (pin_expires_at, link_expires_at) = (now + life::PIN, now + life::LINK);
        let tx = self.inner.system.begin().await?;
        let sql = "UPDATE invitation SET pin_lookup = NULL WHERE pin_expires_at <= $1";
        run(&tx, sql, [now.as_micros_i64().into()]).await?;
        let values = [
            sha256(link.secret_bytes()).into(),
            self.pin_lookup(pin).into(),
            blob(account.as_bytes()),
            blob(session.as_bytes()),
            pin_expires_at.as_micros_i64().into(),
            link_expires_at.as_micros_i64().into(),
        ];
        let sql = "INSERT INTO invitation (link_hash, pin_lookup, account, session, pin_expires_at, link_expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        match run(&tx, sql, values).await {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Ok(Invited::PinTaken),
            Err(error) => return Err(error.into()),
        }
        tx.commit().await?;
        Ok(Invited::Kept { pin_expires_at, link_expires_at })
    }

    /// Uses a PIN up, and the link with it. `None` for a wrong, used or expired one alike.
    pub async fn take_pin(&self, pin: &Pin, now: Moment) -> Result<Option<Invitation>, StoreError> {
        let sql = "UPDATE invitation SET taken_at = $1, pin_lookup = NULL
            WHERE pin_lookup = $2 AND pin_expires_at > $1 AND taken_at IS NULL RETURNING account, session";
        self.take(sql, self.pin_lookup(pin), now).await
    }

    /// Where a link leads, without using it up.
    pub async fn peek_link(&self, link: &Token, now: Moment) -> Result<Option<Invitation>, StoreError> {
        let tx = self.inner.system.view().await?;
        let sql = "SELECT account, session FROM invitation
            WHERE link_hash = $1 AND link_expires_at > $2 AND taken_at IS NULL";
        let values = [sha256(link.secret_bytes()).into(), now.as_micros_i64().into()];
        one(&tx, sql, values).await?.as_ref().map(found_of).transpose()
    }

    /// Uses a link up, and the PIN with it. `None` for a wrong, used or expired one alike.
    pub async fn take_link(&self, link: &Token, now: Moment) -> Result<Option<Invitation>, StoreError> {
        let sql = "UPDATE invitation SET taken_at = $1, pin_lookup = NULL
            WHERE link_hash = $2 AND link_expires_at > $1 AND taken_at IS NULL RETURNING account, session";
        self.take(sql, sha256(link.secret_bytes()), now).await
    }

    /// Keeps the ticket of a join: it leads from the join page to the download, for 30 minutes.
    pub async fn create_join_ticket(
        &self,
        ticket: &Token,
        account: AccountId,
        session: SessionId,
        now: Moment,
    ) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        let values = [
            sha256(ticket.secret_bytes()).into(),
            blob(account.as_bytes()),
            blob(session.as_bytes()),
            (now + life::JOIN_TICKET).as_micros_i64().into(),
        ];
        run(
            &tx,
            "INSERT INTO join_ticket (hash, account, session, expires_at) VALUES ($1, $2, $3, $4)",
            values,
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// Where the ticket of a join leads. It may be used again while it lives (a download that failed).
    pub async fn join_ticket(&self, ticket: &Token, now: Moment) -> Result<Option<Found>, StoreError> {
        let tx = self.inner.system.view().await?;
        let sql = "SELECT account, session FROM join_ticket WHERE hash = $1 AND expires_at > $2";
        let values = [sha256(ticket.secret_bytes()).into(), now.as_micros_i64().into()];
        one(&tx, sql, values).await?.as_ref().map(found_of).transpose()
    }

    async fn take(
        &self,
        sql: &'static str,
        key: Vec<u8>,
        now: Moment,
    ) -> Result<Option<Invitation>, StoreError> {
        let tx = self.inner.system.begin().await?;
        let taken = one(&tx, sql, [now.as_micros_i64().into(), key.into()]).await?;
        let taken = taken.as_ref().map(found_of).transpose()?;
        tx.commit().await?;
        Ok(taken)
    }

    fn pin_lookup(&self, pin: &Pin) -> Vec<u8> {
        self.inner.keys.lookup("pin", pin.as_str())
    }
}

pub(super) fn found_of(row: &QueryResult) -> Result<Found, StoreError> {
    Ok(Found {
        account: AccountId::from_bytes(id_column(row, 0, "account")?),
        session: SessionId::from_bytes(id_column(row, 1, "session")?),
    })
}
