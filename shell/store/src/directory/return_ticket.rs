//! What lets a leg back in whose connection was lost: a new one with each admission, used up when that one is used,
//! gone with the session.

use belay_access::life::{self, OneUse, Worth};
use belay_wire::gateway::Role;
use belay_wire::{AccountId, LegTicket, MemberId, Moment, SessionId};

use super::Directory;
use super::invitation::found_of;
use crate::database::{blob, column, one, run};
use crate::error::StoreError;
use crate::seal::sha256;
use crate::types::{Found, ReturnTicket, Returned};

impl Directory {
    /// Keeps a return ticket, good once within 12 hours.
    pub async fn create_return_ticket(
        &self,
        secret: &LegTicket,
        ticket: ReturnTicket,
        now: Moment,
    ) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        let values = [
            sha256(secret.secret_bytes()).into(),
            blob(ticket.account.as_bytes()),
            blob(ticket.session.as_bytes()),
            word(ticket.role).into(),
            ticket.member.map(|member| member.as_bytes().to_vec()).into(),
            (now + life::RETURN_TICKET).as_micros_i64().into(),
        ];
        let sql = "INSERT INTO return_ticket (hash, account, session, role, member, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        run(&tx, sql, values).await?;
        Ok(tx.commit().await?)
    }

    /// Uses a return ticket, if it is good and belongs to the account and the kind of leg that are claimed. For two minutes it
    /// is taken again, unless its successor was used.
    pub async fn take_return_ticket(
        &self,
        secret: &LegTicket,
        claimed: AccountId,
        role: Role,
        now: Moment,
    ) -> Result<Returned, StoreError> {
        let hash = sha256(secret.secret_bytes());
        let tx = self.inner.system.begin().await?;
        let sql =
            "SELECT account, session, role, member, expires_at, used_at FROM return_ticket WHERE hash = $1";
        let Some(row) = one(&tx, sql, [blob(&hash)]).await? else { return Ok(Returned::Unknown) };
        let Found { account, session } = found_of(&row)?;
        let kind: String = column(&row, 2)?;
        let damaged = |_| StoreError::Damaged { what: "return_ticket.member" };
        let member: Option<Vec<u8>> = column(&row, 3)?;
        let member = member.map(TryInto::try_into).transpose().map_err(damaged)?.map(MemberId::from_bytes);
        let kind = [Role::Applet, Role::Console].into_iter().find(|role| word(*role) == kind);
        let kind = kind.ok_or(StoreError::Damaged { what: "return_ticket.role" })?;
        let ticket = ReturnTicket { account, session, role: kind, member };
        if account != claimed || kind != role {
            return Ok(Returned::Foreign(ticket));
        }
        let used_at: Option<i64> = column(&row, 5)?;
        let once = OneUse {
            expires_at: Moment::from_micros_i64(column(&row, 4)?),
            used_at: used_at.map(Moment::from_micros_i64),
        };
        match once.worth(now) {
            Worth::Used => {
                // The answer with the successor may have been lost: then nobody has used the successor.
                let used_at = once.used_at.unwrap_or(now);
                let values = [
                    blob(session.as_bytes()),
                    word(role).into(),
                    blob(&hash),
                    used_at.as_micros_i64().into(),
                ];
                let sql = "SELECT 1 FROM return_ticket
                    WHERE session = $1 AND role = $2 AND hash <> $3 AND used_at >= $4 LIMIT 1";
                let followed = one(&tx, sql, values).await?.is_some();
                if followed || now.since(used_at) > life::RETURN_TICKET_AGAIN {
                    return Ok(Returned::Used(ticket));
                }
                return Ok(Returned::Taken(ticket));
            }
            Worth::Expired => return Ok(Returned::Expired(ticket)),
            Worth::Usable => {}
        }
        let sql = "UPDATE return_ticket SET used_at = $1 WHERE hash = $2";
        run(&tx, sql, [now.as_micros_i64().into(), hash.into()]).await?;
        tx.commit().await?;
        Ok(Returned::Taken(ticket))
    }

    /// Throws the return tickets of a session away.
    pub(crate) async fn forget_return_tickets(&self, session: SessionId) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        run(&tx, "DELETE FROM return_ticket WHERE session = $1", [blob(session.as_bytes())]).await?;
        Ok(tx.commit().await?)
    }
}

const fn word(role: Role) -> &'static str {
    match role {
        Role::Applet => "applet",
        Role::Console => "console",
    }
}
