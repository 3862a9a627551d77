//! Signing in: credentials, counted attempts, and the sign-ins behind cookies.

use std::time::Duration;

use belay_access::{Lockout, Token, life};
use belay_wire::{AccountId, MemberId, Moment};
use sea_orm::{DatabaseTransaction, QueryResult};

use super::Directory;
use crate::database::{blob, column, id_column, one, run};
use crate::error::StoreError;
use crate::seal::sha256;
use crate::types::{Credential, SignInAttempt, SignInId, WebSession};

const WEB_SESSION: &str = "SELECT account, member, created_at, last_seen_at FROM web_session WHERE hash = $1";

impl Directory {
    /// Counts an attempt, and says whether it may go on and whose password to check.
    ///
    /// The count is kept for ids nobody has, too. Every attempt counts as a failure until
    /// [`Directory::sign_in_succeeded`] says otherwise.
    pub async fn begin_sign_in(&self, id: &SignInId, now: Moment) -> Result<SignInAttempt, StoreError> {
        let lookup = self.inner.keys.lookup("sign-in", id.as_str());
        let tx = self.inner.system.begin().await?;
        let (lockout, verdict) = lockout(&tx, &lookup).await?.attempt(now);
        let values = [
            lookup.into(),
            i64::from(lockout.failures).into(),
            lockout.locked_until.map(Moment::as_micros_i64).into(),
            now.as_micros_i64().into(),
        ];
        let sql = "INSERT INTO sign_in_attempt (lookup, failures, locked_until, last_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (lookup) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until,
            last_at = excluded.last_at";
        run(&tx, sql, values).await?;
        let sql = "SELECT account, member, password_hash FROM credential WHERE sign_in_id = $1";
        let credential =
            one(&tx, sql, [id.as_str().into()]).await?.as_ref().map(credential_of).transpose()?;
        tx.commit().await?;
        Ok(SignInAttempt { verdict, lockout, credential })
    }

    /// The password was right: the count starts again.
    pub async fn sign_in_succeeded(&self, id: &SignInId) -> Result<(), StoreError> {
        let lookup = self.inner.keys.lookup("sign-in", id.as_str());
        let tx = self.inner.system.begin().await?;
        run(&tx, "DELETE FROM sign_in_attempt WHERE lookup = $1", [lookup.into()]).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps a new hash of a member's password; `false` when the account has no such member.
    pub async fn replace_password_hash(
        &self,
        account: AccountId,
        member: MemberId,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        let tx = self.inner.system.begin().await?;
        let sql = "UPDATE credential SET password_hash = $1 WHERE account = $2 AND member = $3";
        let values = [password_hash.into(), blob(account.as_bytes()), blob(member.as_bytes())];
        let replaced = run(&tx, sql, values).await?;
        tx.commit().await?;
        Ok(replaced == 1)
    }

    /// Keeps a sign-in under its cookie's hash.
    pub async fn create_web_session(
        &self,
        cookie: &Token,
        account: AccountId,
        member: MemberId,
        now: Moment,
    ) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        let at = now.as_micros_i64();
        let values =
            [hash(cookie).into(), blob(account.as_bytes()), blob(member.as_bytes()), at.into(), at.into()];
        let sql = "INSERT INTO web_session (hash, account, member, created_at, last_seen_at)
            VALUES ($1, $2, $3, $4, $5)";
        run(&tx, sql, values).await?;
        Ok(tx.commit().await?)
    }

    /// The sign-in behind a cookie, if it still holds at `now`.
    pub async fn web_session(
        &self,
        cookie: &Token,
        idle: Duration,
        now: Moment,
    ) -> Result<Option<WebSession>, StoreError> {
        let tx = self.inner.system.view().await?;
        let found = one(&tx, WEB_SESSION, [hash(cookie).into()]).await?;
        let found = found.as_ref().map(web_session_of).transpose()?;
        Ok(found.filter(|session| life::sign_in_holds(session.created_at, session.last_seen_at, idle, now)))
    }

    /// The person was active. Does not bring back a sign-in that is gone.
    pub async fn touch_web_session(&self, cookie: &Token, now: Moment) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        let sql = "UPDATE web_session SET last_seen_at = $1 WHERE hash = $2 AND last_seen_at < $1";
        run(&tx, sql, [now.as_micros_i64().into(), hash(cookie).into()]).await?;
        Ok(tx.commit().await?)
    }

    /// Signs out; whom, if anybody was signed in.
    pub async fn delete_web_session(&self, cookie: &Token) -> Result<Option<WebSession>, StoreError> {
        let tx = self.inner.system.begin().await?;
        let found = one(&tx, WEB_SESSION, [hash(cookie).into()]).await?;
        let found = found.as_ref().map(web_session_of).transpose()?;
        run(&tx, "DELETE FROM web_session WHERE hash = $1", [hash(cookie).into()]).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Signs a member out everywhere; how many sign-ins that were.
    pub async fn delete_web_sessions_of(
        &self,
        account: AccountId,
        member: MemberId,
    ) -> Result<u64, StoreError> {
        let tx = self.inner.system.begin().await?;
        let sql = "DELETE FROM web_session WHERE account = $1 AND member = $2";
        let deleted = run(&tx, sql, [blob(account.as_bytes()), blob(member.as_bytes())]).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

fn hash(cookie: &Token) -> Vec<u8> {
    sha256(cookie.secret_bytes())
}

async fn lockout(tx: &DatabaseTransaction, lookup: &[u8]) -> Result<Lockout, StoreError> {
    let sql = "SELECT failures, locked_until FROM sign_in_attempt WHERE lookup = $1";
    let Some(row) = one(tx, sql, [blob(lookup)]).await? else {
        return Ok(Lockout::default());
    };
    let failures: i64 = column(&row, 0)?;
    let locked_until: Option<i64> = column(&row, 1)?;
    Ok(Lockout {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        locked_until: locked_until.map(Moment::from_micros_i64),
    })
}

fn credential_of(row: &QueryResult) -> Result<Credential, StoreError> {
    Ok(Credential {
        account: AccountId::from_bytes(id_column(row, 0, "credential.account")?),
        member: MemberId::from_bytes(id_column(row, 1, "credential.member")?),
        password_hash: column(row, 2)?,
    })
}

fn web_session_of(row: &QueryResult) -> Result<WebSession, StoreError> {
    Ok(WebSession {
        account: AccountId::from_bytes(id_column(row, 0, "web_session.account")?),
        member: MemberId::from_bytes(id_column(row, 1, "web_session.member")?),
        created_at: Moment::from_micros_i64(column(row, 2)?),
        last_seen_at: Moment::from_micros_i64(column(row, 3)?),
    })
}
