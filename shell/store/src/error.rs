//! What can go wrong with the store. Errors of the database travel as an opaque source, so that callers never depend
//! on the back end.

use std::path::PathBuf;

use belay_session::Refusal;
use belay_wire::AccountId;

/// A failure of the database beneath, for the log.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not be opened. Each text is one sentence that says what and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no store, and none was to be made.
    #[error("there is no store in {}: correct the path of the store, or make it by creating the first account", dir.display())]
    NoStore {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// A file or directory cannot be read or written.
    #[error("{} cannot be used: {source}; give the user that runs the server read and write access to it", path.display())]
    Inaccessible {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is a store, but its root key is gone.
    #[error("the store in {} has no root.key: put the one it was made with back, without it nothing can be read", dir.display())]
    RootKeyMissing {
        /// The store.
        dir: PathBuf,
    },
    /// Others than its owner can read the root key.
    #[error("{} can be read by others (mode {mode:03o}): run chmod 600 on it, and replace the key if somebody may have copied it", path.display())]
    RootKeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file of the root key holds something else.
    #[error("{} is not a root key (64 hexadecimal digits): put the right file back", path.display())]
    RootKeyMalformed {
        /// The file.
        path: PathBuf,
    },
    /// The root key is another one.
    #[error("the root key does not fit this store: {} cannot be read with it; put the root.key back that the store was made with", path.display())]
    RootKeyWrong {
        /// What could not be read.
        path: PathBuf,
    },
    /// A newer version of the program has written here.
    #[error("{} was written by a newer version (schema {found}, this version knows {known}): install that version or a later one", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The number of the newest migration in it.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// The file belongs to something else than its name says.
    #[error("{} belongs to another account: put the file back under its own name", path.display())]
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// Anything else the database said.
    #[error("{} cannot be opened: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: Source,
    },
}

/// Why a function of the store did not do its work. None of these is the fault of what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No account has this id.
    #[error("there is no account {0}")]
    NoSuchAccount(AccountId),
    /// The account's file cannot be opened.
    #[error("the file of account {account} cannot be opened: {source}")]
    AccountFile {
        /// The account.
        account: AccountId,
        /// Why.
        source: Box<OpenError>,
    },
    /// An encrypted value does not open: it was damaged, or moved here from another row.
    #[error(
        "{table}.{column} of a row cannot be decrypted: it was damaged or moved; restore it from a backup"
    )]
    Sealed {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A row holds something this version does not understand.
    #[error("{what} of a row is not something this version understands: restore it from a backup")]
    Damaged {
        /// Which column.
        what: &'static str,
    },
    /// The directory or a file of the store cannot be written.
    #[error("the store cannot be written: {0}")]
    Io(#[from] std::io::Error),
    /// Anything else the database said.
    #[error("the database failed: {0}")]
    Database(#[source] Source),
}

impl From<sea_orm::DbErr> for StoreError {
    fn from(error: sea_orm::DbErr) -> StoreError {
        StoreError::Database(Box::new(error))
    }
}

/// Why a command to a session came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The account has no such session, or no such member.
    #[error("there is no such session or member in the account")]
    NotFound,
    /// The session's state does not allow it.
    #[error("{0}")]
    Refused(Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for ApplyError {
    fn from(error: sea_orm::DbErr) -> ApplyError {
        ApplyError::Store(error.into())
    }
}
