//! One SQLCipher file: opening it with its raw key, bringing its schema up to date, and the few ways to run a statement.
//!
//! Statements are written once for SQLite and PostgreSQL (`$1` placeholders, no dialect); what differs stays in here
//! and in the schema.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as SeaOrm, DatabaseConnection, DatabaseTransaction, DbErr,
    QueryResult, SqlErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, TryGetable,
    Value,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::error::{OpenError, StoreError};
use crate::exit;
use crate::seal::Key;

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(15);
/// Connections to one file: one writes, the others read.
const CONNECTIONS: u32 = 4;

/// A numbered change of the schema. Numbers begin at 1 and have no gaps; what has been released never changes.
pub(crate) struct Migration {
    pub(crate) number: u32,
    pub(crate) statements: &'static [&'static str],
}

/// Make the file when it is not there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    Make,
    Refuse,
}

/// An open file.
pub(crate) struct Database {
    connection: DatabaseConnection,
    /// Writers of this process wait here, in order, instead of polling the file's lock with a connection in hand.
    turn: Arc<Semaphore>,
}

/// The turn of a writer: drop it after the transaction.
pub(crate) type Turn = OwnedSemaphorePermit;

/// A transaction that writes, and the turn it holds. Dropping it keeps nothing.
pub(crate) struct WriteTx {
    tx: DatabaseTransaction,
    turn: Turn,
}

impl Deref for WriteTx {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.tx
    }
}

impl WriteTx {
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        self.tx.commit().await
    }

    pub(crate) fn into_parts(self) -> (DatabaseTransaction, Turn) {
        (self.tx, self.turn)
    }
}

impl Database {
    pub(crate) async fn open(
        path: &Path,
        key: &Key,
        absent: Absent,
        migrations: &[Migration],
    ) -> Result<Database, OpenError> {
        let failed = |error: DbErr| open_error(path, error);
        let connected = SeaOrm::connect(options(path, key, absent)).await;
        exit::wait_for_connections_at_exit();
        let connection = connected.map_err(failed)?;
        let database = Database { connection, turn: Arc::new(Semaphore::new(1)) };
        // A wrong key shows only when the file is read: do it now.
        let opened = async {
            database.connection.execute_unprepared("SELECT count(*) FROM sqlite_master").await?;
            database.connection.execute_unprepared("PRAGMA journal_mode = WAL").await
        };
        let outcome = match opened.await {
            Ok(_) => database.migrate(path, migrations).await,
            Err(error) => Err(failed(error)),
        };
        match outcome {
            Ok(()) => Ok(database),
            Err(error) => {
                if let Err(also) = database.close().await {
                    tracing::debug!(%also, "closing a file that did not open");
                }
                Err(error)
            }
        }
    }

    /// A transaction that will write: it has the file to itself, apart from readers.
    pub(crate) async fn begin(&self) -> Result<WriteTx, DbErr> {
        let turn = tokio::time::timeout(BUSY, self.turn.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| DbErr::Custom(format!("other writers took longer than {BUSY:?}")))?;
        let turn = turn.expect("the semaphore is never closed");
        let tx = self.connection.begin_with_options(mode(SqliteTransactionMode::Immediate)).await?;
        Ok(WriteTx { tx, turn })
    }

    /// A transaction that only reads: one snapshot, nobody waits.
    pub(crate) async fn view(&self) -> Result<DatabaseTransaction, DbErr> {
        self.connection.begin_with_options(mode(SqliteTransactionMode::Deferred)).await
    }

    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        self.connection.close_by_ref().await
    }

    async fn migrate(&self, path: &Path, migrations: &[Migration]) -> Result<(), OpenError> {
        let known = migrations.last().map_or(0, |migration| migration.number);
        let work = async {
            let tx = self.begin().await?;
            tx.execute_unprepared("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY)")
                .await?;
            let newest = one(&tx, "SELECT coalesce(max(number), 0) FROM migration", []).await?;
            let found: i64 = newest.map_or(Ok(0), |row| column(&row, 0))?;
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            if found <= known {
                for migration in migrations.iter().filter(|migration| migration.number > found) {
                    for statement in migration.statements {
                        tx.execute_unprepared(statement).await?;
                    }
                    let number = i64::from(migration.number).into();
                    run(&tx, "INSERT INTO migration (number) VALUES ($1)", [number]).await?;
                }
                tx.commit().await?;
            }
            Ok(found)
        };
        let found = work.await.map_err(|error: DbErr| open_error(path, error))?;
        if found > known {
            Err(OpenError::NewerSchema { path: path.to_owned(), found, known })
        } else {
            Ok(())
        }
    }
}

fn options(path: &Path, key: &Key, absent: Absent) -> ConnectOptions {
    // The path goes in as it is, so that no character in it is taken for a part of a URL.
    let mut options = ConnectOptions::new("sqlite://store.db");
    let hex = Zeroizing::new(hex::encode(key.as_slice()));
    let file: PathBuf = path.to_owned();
    options
        .max_connections(CONNECTIONS)
        .min_connections(0)
        .acquire_timeout(BUSY)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .filename(&file)
                .create_if_missing(absent == Absent::Make)
                .busy_timeout(BUSY)
                .thread_name(|number| format!("{}{number}", exit::THREAD_NAME))
                // Here and not in the options themselves, which print what they hold. It goes before every other pragma.
                // SQLCipher's own complaints about a wrong key are silenced in the same breath: later pragmas read pages.
                .pragma("key", format!("\"x'{}'\"; PRAGMA cipher_log_level = NONE", hex.as_str()))
                .pragma("synchronous", "FULL")
                .pragma("secure_delete", "ON")
        });
    options
}

fn open_error(path: &Path, error: DbErr) -> OpenError {
    let path = path.to_owned();
    // SQLITE_NOTADB is what SQLCipher says of a wrong key.
    if error.to_string().contains("file is not a database") {
        OpenError::RootKeyWrong { path }
    } else {
        OpenError::Database { path, source: Box::new(error) }
    }
}

fn mode(mode: SqliteTransactionMode) -> TransactionOptions {
    TransactionOptions { sqlite_transaction_mode: Some(mode), ..TransactionOptions::default() }
}

fn statement(
    tx: &DatabaseTransaction,
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

/// Runs a statement; the number of rows it touched.
pub(crate) async fn run(
    tx: &DatabaseTransaction,
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    Ok(tx.execute_raw(statement(tx, sql, values)).await?.rows_affected())
}

/// The first row of a query, or of `RETURNING`.
pub(crate) async fn one(
    tx: &DatabaseTransaction,
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, DbErr> {
    tx.query_one_raw(statement(tx, sql, values)).await
}

/// Every row of a query.
pub(crate) async fn all(
    tx: &DatabaseTransaction,
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    tx.query_all_raw(statement(tx, sql, values)).await
}

/// A column of a row by its place.
pub(crate) fn column<T: TryGetable>(row: &QueryResult, at: usize) -> Result<T, DbErr> {
    row.try_get_by_index(at)
}

/// The 16 bytes of an id in a row.
pub(crate) fn id_column(row: &QueryResult, at: usize, what: &'static str) -> Result<[u8; 16], StoreError> {
    let bytes: Vec<u8> = column(row, at)?;
    bytes.try_into().map_err(|_| StoreError::Damaged { what })
}

/// Did a statement fail because the row is there already?
pub(crate) fn is_taken(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Bytes as a value.
pub(crate) fn blob(bytes: &[u8]) -> Value {
    bytes.to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    const KEY: [u8; 32] = [0xab; 32];

    #[tokio::test]
    async fn every_connection_is_durable_and_the_file_encrypted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let key = Zeroizing::new(KEY);
        let database = Database::open(&path, &key, Absent::Make, schema::SYSTEM).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS {
            let tx = database.view().await.unwrap();
            let row = one(&tx, "PRAGMA journal_mode", []).await.unwrap().unwrap();
            assert_eq!(column::<String>(&row, 0).unwrap(), "wal");
            for (sql, expected) in
                [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1), ("PRAGMA secure_delete", 1)]
            {
                let row = one(&tx, sql, []).await.unwrap().unwrap();
                assert_eq!(column::<i32>(&row, 0).unwrap(), expected, "{sql}");
            }
            held.push(tx);
        }
        assert!(!std::fs::read(&path).unwrap().starts_with(b"SQLite format 3"));
    }

    #[test]
    fn the_key_does_not_print() {
        let printed = format!("{:?}", options(Path::new("x.db"), &Zeroizing::new(KEY), Absent::Refuse));
        assert!(!printed.contains("abab") && !printed.contains("171, 171"), "{printed}");
    }

    #[tokio::test]
    async fn a_file_is_not_made_unless_it_is_to_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        assert!(Database::open(&path, &Zeroizing::new(KEY), Absent::Refuse, schema::SYSTEM).await.is_err());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn schemas_are_numbered_without_gaps() {
        for migrations in [schema::SYSTEM, schema::ACCOUNT] {
            assert!(migrations.iter().map(|migration| migration.number).eq(1..=migrations.len() as u32));
        }
    }

    #[tokio::test]
    async fn a_file_of_an_older_version_is_brought_up_to_date_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let key = Zeroizing::new(KEY);
        const NEXT: &[Migration] = &[
            Migration {
                number: 1,
                statements: &["CREATE TABLE kept (word TEXT)", "INSERT INTO kept VALUES ('old')"],
            },
            Migration {
                number: 2,
                statements: &["ALTER TABLE kept ADD COLUMN length BIGINT NOT NULL DEFAULT 3"],
            },
        ];
        for migrations in [&NEXT[..1], NEXT, NEXT] {
            Database::open(&path, &key, Absent::Make, migrations).await.unwrap().close().await.unwrap();
        }
        let database = Database::open(&path, &key, Absent::Refuse, NEXT).await.unwrap();
        let rows = all(&database.view().await.unwrap(), "SELECT word, length FROM kept", []).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(column::<i64>(&rows[0], 1).unwrap(), 3);
        let older = Database::open(&path, &key, Absent::Refuse, &NEXT[..1]).await.err().unwrap();
        assert!(matches!(older, OpenError::NewerSchema { found: 2, known: 1, .. }));
    }
}
