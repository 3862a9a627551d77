//! What is not one account's: which accounts there are, who signs in where, and the secrets that lead to a session.
//!
//! Every function is one transaction on `system.db`.

mod admission;
mod invitation;
mod return_ticket;
mod role_key;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use belay_access::{Role, SecurityKind, life};
use belay_wire::{AccountId, MemberId, Moment};
use sea_orm::QueryResult;

use crate::account::AccountFile;
use crate::database::{all, blob, column, id_column, is_taken, one, run};
use crate::error::StoreError;
use crate::seal::{Key, random, random_key};
use crate::security_log;
use crate::store::Inner;
use crate::types::{Account, AccountCreated, NewAccount, NewSecurityEvent, SecurityEvent};

pub(crate) use admission::Presented;

/// How long a count of sign-in attempts is remembered after the last one.
const ATTEMPTS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the id of a downloaded applet is remembered after its time, to tell an expired one from an unknown one.
const AUTHENTICATIONS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a return ticket is remembered after its time, to tell an expired one from an unknown one.
const RETURN_TICKETS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The way to `system.db`. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    pub(crate) inner: Arc<Inner>,
}

impl Directory {
    /// Makes an account with its file, its keys and its master account holder.
    pub async fn create_account(&self, new: NewAccount, now: Moment) -> Result<AccountCreated, StoreError> {
        let account = AccountId::from_bytes(random_uuid());
        let holder = MemberId::from_bytes(random_uuid());
        let keys = AccountKeys { file: random_key(), data: random_key() };

        let tx = self.inner.system.begin().await?;
        self.insert_account(&tx, account, &new, &keys, now).await?;
        let credential = [
            new.holder_sign_in_id.as_str().into(),
            blob(account.as_bytes()),
            blob(holder.as_bytes()),
            new.holder_password_hash.as_str().into(),
        ];
        let sql =
            "INSERT INTO credential (sign_in_id, account, member, password_hash) VALUES ($1, $2, $3, $4)";
        match run(&tx, sql, credential).await {
            Ok(_) => {}
            Err(error) if is_taken(&error) => return Ok(AccountCreated::SignInIdTaken),
            Err(error) => return Err(error.into()),
        }
        // The file first, the directory's word on it last: after a crash between the two, a file is left that no key opens.
        let file = self.inner.make_account_file(account, &keys.file, &keys.data).await?;
        seed_account(&file, holder, &new, now).await?;
        tx.commit().await?;
        self.inner.keep_open(file).await;
        Ok(AccountCreated::Created { account, holder })
    }

    async fn insert_account(
        &self,
        tx: &sea_orm::DatabaseTransaction,
        account: AccountId,
        new: &NewAccount,
        keys: &AccountKeys,
        now: Moment,
    ) -> Result<(), StoreError> {
        let row = [
            blob(account.as_bytes()),
            new.name.as_str().into(),
            now.as_micros_i64().into(),
            self.inner.keys.wrap("account file", account.as_bytes(), &keys.file).into(),
            new.region.clone().into(),
        ];
        let sql = "INSERT INTO account (id, name, created_at, file_key, region) VALUES ($1, $2, $3, $4, $5)";
        run(tx, sql, row).await?;
        let wrapped = self.inner.keys.wrap("data key", &data_key_owner(account, 1), &keys.data);
        let row = [blob(account.as_bytes()), 1i64.into(), wrapped.into(), now.as_micros_i64().into()];
        run(tx, "INSERT INTO data_key (account, number, wrapped, created_at) VALUES ($1, $2, $3, $4)", row)
            .await?;
        Ok(())
    }

    /// Every account, the oldest first.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let tx = self.inner.system.view().await?;
        all(&tx, "SELECT id, name, created_at, region FROM account ORDER BY created_at, id", [])
            .await?
            .iter()
            .map(account_of)
            .collect()
    }

    /// One account.
    pub async fn account(&self, account: AccountId) -> Result<Option<Account>, StoreError> {
        let tx = self.inner.system.view().await?;
        let sql = "SELECT id, name, created_at, region FROM account WHERE id = $1";
        one(&tx, sql, [blob(account.as_bytes())]).await?.as_ref().map(account_of).transpose()
    }

    /// Adds to the security log of events that belong to no account.
    pub async fn log_security(&self, event: NewSecurityEvent) -> Result<(), StoreError> {
        let tx = self.inner.system.begin().await?;
        security_log::append(&tx, &event).await?;
        Ok(tx.commit().await?)
    }

    /// The security log of events that belong to no account, the newest first.
    pub async fn security_log(&self, limit: u32) -> Result<Vec<SecurityEvent>, StoreError> {
        security_log::list(&self.inner.system.view().await?, limit).await
    }

    /// The wrapped keys of an account, unwrapped; `None` when there is no such account.
    pub(crate) async fn account_keys(
        &self,
        account: AccountId,
    ) -> Result<Option<(Key, Vec<(u32, Key)>)>, StoreError> {
        let tx = self.inner.system.view().await?;
        let id = blob(account.as_bytes());
        let Some(row) = one(&tx, "SELECT file_key FROM account WHERE id = $1", [id.clone()]).await? else {
            return Ok(None);
        };
        let sealed = |column| move |_| StoreError::Sealed { table: "account", column };
        let wrapped: Vec<u8> = column(&row, 0)?;
        let file = self
            .inner
            .keys
            .unwrap("account file", account.as_bytes(), &wrapped)
            .map_err(sealed("file_key"))?;
        let mut data = Vec::new();
        for row in all(&tx, "SELECT number, wrapped FROM data_key WHERE account = $1", [id]).await? {
            let number: i64 = column(&row, 0)?;
            let number =
                u32::try_from(number).map_err(|_| StoreError::Damaged { what: "data_key.number" })?;
            let wrapped: Vec<u8> = column(&row, 1)?;
            let owner = data_key_owner(account, number);
            data.push((
                number,
                self.inner.keys.unwrap("data key", &owner, &wrapped).map_err(sealed("data_key"))?,
            ));
        }
        Ok(Some((file, data)))
    }

    /// Throws away what is dead at `now`; the number of rows.
    pub(crate) async fn sweep(&self, idle: Duration, now: Moment) -> Result<u64, StoreError> {
        let at = |moment: Moment| [moment.as_micros_i64().into()];
        let tx = self.inner.system.begin().await?;
        let mut swept = run(&tx, "DELETE FROM web_session WHERE last_seen_at <= $1", at(now - idle)).await?;
        swept +=
            run(&tx, "DELETE FROM web_session WHERE created_at <= $1", at(now - life::SIGN_IN_MAX)).await?;
        swept += run(&tx, "DELETE FROM invitation WHERE link_expires_at <= $1", at(now)).await?;
        swept += run(&tx, "DELETE FROM join_ticket WHERE expires_at <= $1", at(now)).await?;
        swept += run(&tx, "DELETE FROM console_ticket WHERE expires_at <= $1", at(now)).await?;
        let remembered = at(now - RETURN_TICKETS_KEPT);
        swept += run(&tx, "DELETE FROM return_ticket WHERE expires_at <= $1", remembered).await?;
        let forgotten = at(now - AUTHENTICATIONS_KEPT);
        swept += run(&tx, "DELETE FROM session_authentication WHERE expires_at <= $1", forgotten).await?;
        swept += run(&tx, "DELETE FROM sign_in_attempt WHERE last_at <= $1", at(now - ATTEMPTS_KEPT)).await?;
        tx.commit().await?;
        Ok(swept)
    }
}

struct AccountKeys {
    file: Key,
    data: Key,
}

async fn seed_account(
    file: &AccountFile,
    holder: MemberId,
    new: &NewAccount,
    now: Moment,
) -> Result<(), StoreError> {
    let tx = file.database.begin().await?;
    let member = [
        blob(holder.as_bytes()),
        new.holder_name.as_str().into(),
        new.holder_sign_in_id.as_str().into(),
        Role::MasterAccountHolder.word().into(),
        now.as_micros_i64().into(),
    ];
    let sql = "INSERT INTO member (id, name, sign_in_id, role, created_at) VALUES ($1, $2, $3, $4, $5)";
    run(&tx, sql, member).await?;
    let event = NewSecurityEvent {
        at: now,
        kind: SecurityKind::AccountCreated,
        session: None,
        address: None,
        detail: new.holder_sign_in_id.as_str().to_owned(),
    };
    security_log::append(&tx, &event).await?;
    Ok(tx.commit().await?)
}

fn account_of(row: &QueryResult) -> Result<Account, StoreError> {
    Ok(Account {
        id: AccountId::from_bytes(id_column(row, 0, "account.id")?),
        name: column(row, 1)?,
        created_at: Moment::from_micros_i64(column(row, 2)?),
        region: column(row, 3)?,
    })
}

/// What a wrapped data key is bound to.
fn data_key_owner(account: AccountId, number: u32) -> Vec<u8> {
    [account.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

/// The bytes of a new random UUID (version 4).
pub(crate) fn random_uuid() -> [u8; 16] {
    uuid::Builder::from_random_bytes(random()).into_uuid().into_bytes()
}
