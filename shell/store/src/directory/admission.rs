//! What admits a leg at the gateway: the id in a downloaded applet, and a console's ticket.

use belay_access::life::{self, OneUse, Worth};
use belay_wire::{AccountId, LegTicket, MemberId, Moment, SessionAuthenticationId, SessionId};

use super::Directory;
use super::invitation::found_of;
use crate::database::{blob, column, id_column, one, run};
use crate::error::StoreError;
use crate::seal::sha256;
use crate::types::{ConsoleTicket, Found};

/// What became of an applet's id in the directory; the account's own rows have the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    /// It was good, and is used up now.
    Taken(SessionId),
    /// No such id.
    Unknown,
    /// It was used before.
    Used(Found),
    /// Its time is over.
    Expired(Found),
    /// It belongs to this account, not to the one that was claimed.
    Foreign(Found),
}

impl Directory {
    /// Keeps the hash of the id in a downloaded applet, good once within 30 minutes.
    pub async fn create_session_authentication(
        &self,
        id: &SessionAuthenticationId,
        account: AccountId,
        session: SessionId,
        now: Moment,
    ) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        let values = [
            sha256(id.secret_bytes()).into(),
            blob(account.as_bytes()),
            blob(session.as_bytes()),
            (now + life::SESSION_AUTHENTICATION).as_micros_i64().into(),
        ];
        let sql =
            "INSERT INTO session_authentication (hash, account, session, expires_at) VALUES ($1, $2, $3, $4)";
        run(&tx, sql, values).await?;
        Ok(tx.commit().await?)
    }

    /// Uses an applet's id up, if it is good and belongs to the account the applet claims.
    pub(crate) async fn present(
        &self,
        id: &SessionAuthenticationId,
        claimed: AccountId,
        now: Moment,
    ) -> Result<Presented, StoreError> {
        let hash = sha256(id.secret_bytes());
        let tx = self.inner.system.begin().await?;
        let sql =
            "SELECT account, session, expires_at, admitted_at FROM session_authentication WHERE hash = $1";
        let Some(row) = one(&tx, sql, [blob(&hash)]).await? else {
            return Ok(Presented::Unknown);
        };
        let found = found_of(&row)?;
        if found.account != claimed {
            return Ok(Presented::Foreign(found));
        }
        let admitted_at: Option<i64> = column(&row, 3)?;
        let id = OneUse {
            expires_at: Moment::from_micros_i64(column(&row, 2)?),
            used_at: admitted_at.map(Moment::from_micros_i64),
        };
        match id.worth(now) {
            Worth::Used => return Ok(Presented::Used(found)),
            Worth::Expired => return Ok(Presented::Expired(found)),
            Worth::Usable => {}
        }
        let sql = "UPDATE session_authentication SET admitted_at = $1 WHERE hash = $2";
        run(&tx, sql, [now.as_micros_i64().into(), hash.into()]).await?;
        tx.commit().await?;
        Ok(Presented::Taken(found.session))
    }

    /// Keeps a console's ticket for the gateway, good once within 60 seconds.
    pub async fn create_console_ticket(
        &self,
        ticket: &LegTicket,
        account: AccountId,
        session: SessionId,
        member: MemberId,
        now: Moment,
    ) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        let values = [
            sha256(ticket.secret_bytes()).into(),
            blob(account.as_bytes()),
            blob(session.as_bytes()),
            blob(member.as_bytes()),
            (now + life::CONSOLE_TICKET).as_micros_i64().into(),
        ];
        let sql = "INSERT INTO console_ticket (hash, account, session, member, expires_at)
            VALUES ($1, $2, $3, $4, $5)";
        run(&tx, sql, values).await?;
        Ok(tx.commit().await?)
    }

    /// Uses a console's ticket up. `None` for a wrong, used or expired one alike.
    pub async fn take_console_ticket(
        &self,
        ticket: &LegTicket,
        now: Moment,
    ) -> Result<Option<ConsoleTicket>, StoreError> {
        let tx = self.inner.system.begin().await?;
        let sql = "DELETE FROM console_ticket WHERE hash = $1 RETURNING account, session, member, expires_at";
        let row = one(&tx, sql, [sha256(ticket.secret_bytes()).into()]).await?;
        tx.commit().await?;
        let Some(row) = row else { return Ok(None) };
        let Found { account, session } = found_of(&row)?;
        let member = MemberId::from_bytes(id_column(&row, 2, "console_ticket.member")?);
        let expires_at = Moment::from_micros_i64(column(&row, 3)?);
        Ok((now < expires_at).then_some(ConsoleTicket { account, session, member }))
    }
}
