//! The store: a directory with `root.key`, `system.db` and one file per account, each under a key of its own.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use belay_wire::AccountId;
use tokio::sync::Mutex;

use crate::account::{AccountFile, AccountTx, AccountView};
use crate::bus::{Bus, LocalBus};
use crate::database::{Absent, Database, blob, column, one, run};
use crate::directory::Directory;
use crate::error::{OpenError, StoreError};
use crate::root_key;
use crate::schema;
use crate::seal::{ContentKeys, Key, RootKeys, random_key};

const SYSTEM_FILE: &str = "system.db";
const ACCOUNTS: &str = "accounts";
const CHARTER_KEY: &str = "charter";

/// May a store be made where there is none?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// Make directory, root key and `system.db` where there is nothing.
    IfAbsent,
    /// Only open what is there.
    Never,
}

/// The store. Cheap to clone; all clones share the open files.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    dir: PathBuf,
    pub(crate) keys: RootKeys,
    pub(crate) system: Database,
    accounts: Mutex<HashMap<AccountId, Arc<AccountFile>>>,
    pub(crate) bus: Arc<dyn Bus>,
    charter: Ed25519KeyPair,
}

impl Store {
    /// Opens the store in `dir` with a bus for this process.
    pub async fn open(dir: &Path, create: Create) -> Result<Store, OpenError> {
        Store::open_with_bus(dir, create, Arc::new(LocalBus::default())).await
    }

    /// Opens the store in `dir` with a given bus.
    pub async fn open_with_bus(dir: &Path, create: Create, bus: Arc<dyn Bus>) -> Result<Store, OpenError> {
        let path = dir.join(SYSTEM_FILE);
        let root = root_key(dir, &path, create)?;
        root_key::create_directory(&dir.join(ACCOUNTS))?;
        let keys = RootKeys::derive(&root);
        let absent = match create {
            Create::IfAbsent => Absent::Make,
            Create::Never => Absent::Refuse,
        };
        let system = Database::open(&path, &keys.system_file, absent, schema::SYSTEM).await?;
        let charter = charter_key(&system, &keys, &path).await?;
        let accounts = Mutex::new(HashMap::new());
        let inner = Inner { dir: dir.to_owned(), keys, system, accounts, bus, charter };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Closes every file, so that nothing is left in write-ahead logs. Clones of the store fail from now on.
    /// Call it before the program ends: what is left open keeps the process waiting for up to a second.
    pub async fn close(self) -> Result<(), StoreError> {
        for (_, file) in self.inner.accounts.lock().await.drain() {
            file.database.close().await?;
        }
        Ok(self.inner.system.close().await?)
    }

    /// Where notices of changes are published after each commit.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.inner.bus
    }

    /// What is not one account's.
    pub fn directory(&self) -> Directory {
        Directory { inner: self.inner.clone() }
    }

    /// Begins to write an account's rows.
    pub async fn begin(&self, account: AccountId) -> Result<AccountTx, StoreError> {
        AccountTx::open(self.inner.clone(), self.account_file(account).await?).await
    }

    /// Looks at an account's rows.
    pub async fn view(&self, account: AccountId) -> Result<AccountView, StoreError> {
        AccountView::open(self.inner.clone(), self.account_file(account).await?).await
    }

    /// The public half of the key that signs charters, for the tags of applets.
    pub fn charter_public_key(&self) -> [u8; 32] {
        let public = self.inner.charter.public_key().as_ref();
        public.try_into().expect("an Ed25519 public key has 32 bytes")
    }

    /// Signs the bytes of `belay_wire::charter::signed_bytes`.
    pub fn sign_charter(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.inner.charter.sign(message);
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    async fn account_file(&self, account: AccountId) -> Result<Arc<AccountFile>, StoreError> {
        let mut files = self.inner.accounts.lock().await;
        if let Some(file) = files.get(&account) {
            return Ok(file.clone());
        }
        let keys = self.directory().account_keys(account).await?;
        let (file_key, data_keys) = keys.ok_or(StoreError::NoSuchAccount(account))?;
        let file =
            Arc::new(self.inner.open_account_file(account, &file_key, &data_keys, Absent::Refuse).await?);
        files.insert(account, file.clone());
        Ok(file)
    }
}

impl Inner {
    /// Makes the file of a new account, with its first data key.
    pub(crate) async fn make_account_file(
        &self,
        account: AccountId,
        file_key: &Key,
        data_key: &Key,
    ) -> Result<AccountFile, StoreError> {
        self.open_account_file(account, file_key, &[(1, data_key.clone())], Absent::Make).await
    }

    pub(crate) async fn keep_open(&self, file: AccountFile) {
        self.accounts.lock().await.insert(file.id, Arc::new(file));
    }

    async fn open_account_file(
        &self,
        account: AccountId,
        file_key: &Key,
        data_keys: &[(u32, Key)],
        absent: Absent,
    ) -> Result<AccountFile, StoreError> {
        let path = self.dir.join(ACCOUNTS).join(format!("{account}.db"));
        let content = ContentKeys::new(account, data_keys);
        let content = content.ok_or(StoreError::Sealed { table: "data_key", column: "wrapped" })?;
        let failed = |source| StoreError::AccountFile { account, source: Box::new(source) };
        let database = Database::open(&path, file_key, absent, schema::ACCOUNT).await.map_err(failed)?;
        let file = AccountFile { id: account, database, content };
        if file.belongs_to_its_account(absent).await? {
            Ok(file)
        } else {
            Err(failed(OpenError::ForeignFile { path }))
        }
    }
}

impl AccountFile {
    /// Compares the account written in the file with the one it was opened for; writes it into a new file.
    async fn belongs_to_its_account(&self, absent: Absent) -> Result<bool, StoreError> {
        let tx = self.database.begin().await?;
        if let Some(row) = one(&tx, "SELECT account FROM owner", []).await? {
            let owner: Vec<u8> = column(&row, 0)?;
            return Ok(owner == self.id.as_bytes());
        }
        match absent {
            Absent::Refuse => Ok(false),
            Absent::Make => {
                run(&tx, "INSERT INTO owner (account) VALUES ($1)", [blob(self.id.as_bytes())]).await?;
                tx.commit().await?;
                Ok(true)
            }
        }
    }
}

fn root_key(dir: &Path, system: &Path, create: Create) -> Result<root_key::RootKey, OpenError> {
    let exists = match std::fs::metadata(system) {
        Ok(_) => true,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => false,
        Err(source) => return Err(OpenError::Inaccessible { path: system.to_owned(), source }),
    };
    match (exists, create) {
        (true, _) => {
            check_writable(system)?;
            root_key::read(dir)?.ok_or_else(|| OpenError::RootKeyMissing { dir: dir.to_owned() })
        }
        (false, Create::Never) => Err(OpenError::NoStore { dir: dir.to_owned() }),
        (false, Create::IfAbsent) => {
            root_key::create_directory(dir)?;
            match root_key::read(dir)? {
                Some(key) => Ok(key),
                None => root_key::create(dir),
            }
        }
    }
}

/// Says in the system's own words why a file cannot be used, before the database says less.
fn check_writable(path: &Path) -> Result<(), OpenError> {
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(path);
    opened.map(drop).map_err(|source| OpenError::Inaccessible { path: path.to_owned(), source })
}

/// The site's signing key: made once, kept wrapped.
async fn charter_key(system: &Database, keys: &RootKeys, path: &Path) -> Result<Ed25519KeyPair, OpenError> {
    let failed =
        |error: sea_orm::DbErr| OpenError::Database { path: path.to_owned(), source: Box::new(error) };
    let seed = async {
        let tx = system.begin().await?;
        let row = one(&tx, "SELECT wrapped FROM site_key WHERE name = $1", [CHARTER_KEY.into()]).await?;
        let wrapped: Vec<u8> = match row {
            Some(row) => column(&row, 0)?,
            None => {
                let wrapped = keys.wrap("site key", CHARTER_KEY.as_bytes(), &random_key());
                let values = [CHARTER_KEY.into(), blob(&wrapped)];
                run(&tx, "INSERT INTO site_key (name, wrapped) VALUES ($1, $2)", values).await?;
                tx.commit().await?;
                wrapped
            }
        };
        Ok(wrapped)
    };
    let wrapped = seed.await.map_err(failed)?;
    let wrong = || OpenError::RootKeyWrong { path: path.to_owned() };
    let seed = keys.unwrap("site key", CHARTER_KEY.as_bytes(), &wrapped).map_err(|_| wrong())?;
    Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| wrong())
}
