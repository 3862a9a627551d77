//! One account's rows. A view or a transaction is the only way to them, and it comes only from a [`crate::Store`] and an
//! [`AccountId`], so that no function can mix accounts up.

mod chat;
mod session;

use std::ops::Deref;
use std::sync::Arc;

use belay_access::Role;
use belay_wire::{AccountId, MemberId, Moment};
use sea_orm::{DatabaseTransaction, QueryResult};

use crate::bus::Notice;
use crate::database::{Database, Turn, all, blob, column, id_column, one};
use crate::error::StoreError;
use crate::seal::{ContentKeys, Place};
use crate::security_log;
use crate::store::Inner;
use crate::types::{Member, NewSecurityEvent, SecurityEvent};

/// An account's open file with the keys to its content.
pub(crate) struct AccountFile {
    pub(crate) id: AccountId,
    pub(crate) database: Database,
    pub(crate) content: ContentKeys,
}

/// One snapshot of an account's rows, for reading.
pub struct AccountView {
    inner: Arc<Inner>,
    file: Arc<AccountFile>,
    tx: DatabaseTransaction,
}

/// A transaction on an account's rows. Nothing is kept without [`AccountTx::commit`].
pub struct AccountTx {
    view: AccountView,
    notices: Vec<Notice>,
    /// INVARIANT: the last field, so that it is given back after the transaction has gone.
    _turn: Turn,
}

impl Deref for AccountTx {
    type Target = AccountView;
    fn deref(&self) -> &AccountView {
        &self.view
    }
}

impl AccountView {
    pub(crate) async fn open(inner: Arc<Inner>, file: Arc<AccountFile>) -> Result<AccountView, StoreError> {
        let tx = file.database.view().await?;
        Ok(AccountView { inner, file, tx })
    }

    /// Whose rows these are.
    pub fn account(&self) -> AccountId {
        self.file.id
    }

    /// The account as the directory knows it.
    pub async fn described(&self) -> Result<crate::Account, StoreError> {
        let directory = crate::Directory { inner: self.inner.clone() };
        directory.account(self.account()).await?.ok_or(StoreError::NoSuchAccount(self.account()))
    }

    /// Every member, by name.
    pub async fn members(&self) -> Result<Vec<Member>, StoreError> {
        let rows =
            all(&self.tx, "SELECT id, name, sign_in_id, role, created_at FROM member ORDER BY name, id", []);
        rows.await?.iter().map(member_of).collect()
    }

    /// One member.
    pub async fn member(&self, member: MemberId) -> Result<Option<Member>, StoreError> {
        const ONE: &str = "SELECT id, name, sign_in_id, role, created_at FROM member WHERE id = $1";
        one(&self.tx, ONE, [blob(member.as_bytes())]).await?.as_ref().map(member_of).transpose()
    }

    /// The security log, the newest first; at most 1000 entries.
    pub async fn security_log(&self, limit: u32) -> Result<Vec<SecurityEvent>, StoreError> {
        security_log::list(&self.tx, limit).await
    }

    /// The transaction itself, for tests that damage rows.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> &DatabaseTransaction {
        &self.tx
    }

    fn seal(&self, place: Place<'_>, text: &str) -> Vec<u8> {
        self.file.content.seal(place, text)
    }

    fn unseal(&self, place: Place<'_>, sealed: &[u8]) -> Result<String, StoreError> {
        let Place { table, column, .. } = place;
        self.file.content.open(place, sealed).map_err(|_| StoreError::Sealed { table, column })
    }
}

impl AccountTx {
    pub(crate) async fn open(inner: Arc<Inner>, file: Arc<AccountFile>) -> Result<AccountTx, StoreError> {
        let (tx, turn) = file.database.begin().await?.into_parts();
        Ok(AccountTx { view: AccountView { inner, file, tx }, notices: Vec::new(), _turn: turn })
    }

    /// Adds to the security log.
    pub async fn log_security(&mut self, event: NewSecurityEvent) -> Result<(), StoreError> {
        security_log::append(&self.tx, &event).await
    }

    /// Keeps everything, then tells the bus.
    pub async fn commit(self) -> Result<(), StoreError> {
        let AccountTx { view: AccountView { inner, tx, .. }, notices, _turn } = self;
        tx.commit().await?;
        for notice in notices {
            inner.bus.publish(notice);
        }
        Ok(())
    }

    /// Keeps nothing. Dropping the transaction does the same, a little later.
    pub async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.view.tx.rollback().await?)
    }

    /// Tells the bus of the notice once the transaction is committed; of the same thing once only.
    fn notify(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }
}

fn member_of(row: &QueryResult) -> Result<Member, StoreError> {
    let role: String = column(row, 3)?;
    Ok(Member {
        id: MemberId::from_bytes(id_column(row, 0, "member.id")?),
        name: column(row, 1)?,
        sign_in_id: column(row, 2)?,
        role: role.parse::<Role>().map_err(|_| StoreError::Damaged { what: "member.role" })?,
        created_at: Moment::from_micros_i64(column(row, 4)?),
    })
}
