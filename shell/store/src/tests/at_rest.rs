//! What lies on the disk: nothing readable, nothing that can be moved, and clear words when it cannot be opened.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;
use crate::database::run;
use crate::{OpenError, StoreError};

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

fn contains(path: &Path, text: &str) -> bool {
    fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}

async fn open_error(dir: &Path) -> OpenError {
    match Store::open(dir, Create::Never).await {
        Ok(_) => panic!("the store opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn nothing_readable_lies_on_the_disk_and_all_is_there_after_a_restart() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    company.chat(&world.store, session, CHAT).await;

    // While the store is open: the newest rows are in the write-ahead logs.
    let files = files_below(world.path());
    assert!(files.iter().any(|path| path.to_string_lossy().ends_with("-wal")), "{files:?}");
    for pass in ["open", "closed"] {
        for path in files_below(world.path()) {
            for text in [
                CHAT,
                END_USER,
                "Kaninchen",
                "example@example.com",
                "example GmbH",
                "SQLite format 3",
                "192.0.2.7",
            ] {
                assert!(!contains(&path, text), "{text:?} is readable in {} ({pass})", path.display());
            }
        }
        if pass == "open" {
            world.store.clone().close().await.unwrap();
        }
    }

    let store = Store::open(world.path(), Create::Never).await.unwrap();
    let details = store.view(company.account).await.unwrap().session_details(session).await.unwrap().unwrap();
    assert_eq!(details.chat[0].text, CHAT);
    assert_eq!(details.session.state.end_user_name.as_deref(), Some(END_USER));
    assert!(details.events.iter().any(|event| event.kind == "joined" && event.detail == END_USER));
    assert_eq!(store.charter_public_key(), world.store.charter_public_key());
}

#[tokio::test]
async fn a_ciphertext_moved_to_another_row_is_refused() {
    let world = World::new().await;
    let company = world.company("example").await;
    let (one, two) = (company.active(&world.store).await, company.active(&world.store).await);
    company.chat(&world.store, one, "I agree").await;
    company.chat(&world.store, two, "I do not agree").await;

    let tx = world.store.begin(company.account).await.unwrap();
    let swap = "UPDATE chat_line SET sealed_text = (SELECT other.sealed_text FROM chat_line other
        WHERE other.session <> chat_line.session)";
    assert_eq!(run(tx.raw(), swap, []).await.unwrap(), 2);
    tx.commit().await.unwrap();

    let view = world.store.view(company.account).await.unwrap();
    let error = view.session_details(one).await.unwrap_err();
    assert!(matches!(error, StoreError::Sealed { table: "chat_line", .. }), "{error}");
    assert!(view.session(one).await.unwrap().is_some(), "what was not moved still opens");
}

#[tokio::test]
async fn another_root_key_is_refused_with_a_sentence() {
    let world = World::new().await;
    world.company("example").await;
    world.store.close().await.unwrap();
    let key = world.dir.path().join("root.key");
    fs::write(&key, "ab".repeat(32)).unwrap();
    let error = open_error(world.dir.path()).await;
    assert!(matches!(error, OpenError::RootKeyWrong { .. }), "{error:?}");
    assert!(error.to_string().starts_with("the root key does not fit this store"), "{error}");
}

#[tokio::test]
async fn a_missing_root_key_is_never_replaced() {
    let world = World::new().await;
    world.store.close().await.unwrap();
    fs::remove_file(world.dir.path().join("root.key")).unwrap();
    for create in [Create::IfAbsent, Create::Never] {
        let opened = Store::open(world.dir.path(), create).await;
        assert!(matches!(opened.err(), Some(OpenError::RootKeyMissing { .. })));
    }
    assert!(!world.dir.path().join("root.key").exists());
}

#[tokio::test]
async fn an_exposed_root_key_is_refused() {
    let world = World::new().await;
    world.store.close().await.unwrap();
    fs::set_permissions(world.dir.path().join("root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let error = open_error(world.dir.path()).await;
    assert!(matches!(error, OpenError::RootKeyExposed { mode: 0o644, .. }), "{error:?}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn an_empty_directory_is_no_store_unless_one_is_to_be_made() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open_error(dir.path()).await, OpenError::NoStore { .. }));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    let deep = dir.path().join("a % ? # b/store");
    Store::open(&deep, Create::IfAbsent).await.unwrap().close().await.unwrap();
    assert!(deep.join("system.db").is_file(), "{:?}", files_below(dir.path()));
    let mode = fs::metadata(&deep).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let error = Store::open(&file, Create::IfAbsent).await.err().unwrap();
    assert!(matches!(error, OpenError::Inaccessible { .. }), "{error:?}");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let world = World::new().await;
    let company = world.company("example").await;
    let tx = world.store.inner.system.begin().await.unwrap();
    run(&tx, "INSERT INTO migration (number) VALUES (77)", []).await.unwrap();
    tx.commit().await.unwrap();
    let tx = world.store.begin(company.account).await.unwrap();
    run(tx.raw(), "INSERT INTO migration (number) VALUES (78)", []).await.unwrap();
    tx.commit().await.unwrap();
    world.store.close().await.unwrap();
    let error = open_error(world.dir.path()).await;
    assert!(matches!(error, OpenError::NewerSchema { found: 77, known: 3, .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_under_the_name_of_another_account_is_refused() {
    let world = World::new().await;
    let (a, b) = (world.company("a").await, world.company("b").await);
    let World { dir, store } = world;
    store.close().await.unwrap();
    let file = |company: Company| dir.path().join("accounts").join(format!("{}.db", company.account));
    fs::rename(file(a), file(b)).unwrap();
    let store = Store::open(dir.path(), Create::Never).await.unwrap();
    assert!(matches!(store.view(b.account).await.err(), Some(StoreError::AccountFile { .. })));
}

#[tokio::test]
async fn tokens_are_kept_as_hashes_only() {
    let world = World::new().await;
    let company = world.company("example").await;
    let secret = token();
    world.store.directory().create_web_session(&secret, company.account, company.holder, NOW).await.unwrap();
    let tx = world.store.inner.system.view().await.unwrap();
    let row = crate::database::one(&tx, "SELECT hash FROM web_session", []).await.unwrap().unwrap();
    let hash: Vec<u8> = crate::database::column(&row, 0).unwrap();
    assert_eq!(hash, crate::seal::sha256(secret.secret_bytes()));
}
