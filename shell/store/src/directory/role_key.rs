//! The public keys of processes in other roles whose signed requests are believed; several at once, so that keys
//! can be changed without a stop.

use belay_wire::Moment;
use sea_orm::QueryResult;

use super::Directory;
use crate::database::{all, blob, column, one, run};
use crate::error::StoreError;
use crate::types::RoleKey;

impl Directory {
    /// Trusts a key from now on, also one that was revoked before.
    pub async fn trust_role_key(&self, key: &[u8; 32], role: &str, now: Moment) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        run(&tx, "DELETE FROM role_key WHERE key = $1", [blob(key)]).await?;
        let values = [blob(key), role.into(), now.as_micros_i64().into()];
        run(&tx, "INSERT INTO role_key (key, role, added_at) VALUES ($1, $2, $3)", values).await?;
        Ok(tx.commit().await?)
    }

    /// Trusts a key no longer; `false` when it was not trusted.
    pub async fn revoke_role_key(&self, key: &[u8; 32], now: Moment) -> Result<bool, StoreError> {
        let tx = self.inner.system.begin().await?;
        let sql = "UPDATE role_key SET revoked_at = $1 WHERE key = $2 AND revoked_at IS NULL";
        let revoked = run(&tx, sql, [now.as_micros_i64().into(), blob(key)]).await?;
        tx.commit().await?;
        Ok(revoked > 0)
    }

    /// What is known of a key.
    pub async fn role_key(&self, key: &[u8; 32]) -> Result<Option<RoleKey>, StoreError> {
        let tx = self.inner.system.view().await?;
        let sql = "SELECT key, role, added_at, revoked_at FROM role_key WHERE key = $1";
        one(&tx, sql, [blob(key)]).await?.as_ref().map(role_key_of).transpose()
    }

    /// Every key that is or was trusted, the oldest first.
    pub async fn role_keys(&self) -> Result<Vec<RoleKey>, StoreError> {
        let tx = self.inner.system.view().await?;
        let sql = "SELECT key, role, added_at, revoked_at FROM role_key ORDER BY added_at, key";
        all(&tx, sql, []).await?.iter().map(role_key_of).collect()
    }
}

fn role_key_of(row: &QueryResult) -> Result<RoleKey, StoreError> {
    let key: Vec<u8> = column(row, 0)?;
    let revoked_at: Option<i64> = column(row, 3)?;
    Ok(RoleKey {
        key: key.try_into().map_err(|_| StoreError::Damaged { what: "role_key.key" })?,
        role: column(row, 1)?,
        added_at: Moment::from_micros_i64(column(row, 2)?),
        revoked_at: revoked_at.map(Moment::from_micros_i64),
    })
}
