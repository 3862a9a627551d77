//! Tests on real SQLCipher files in throw-away directories.

mod at_rest;
mod away;
mod directory;
mod isolation;
mod once;
mod sessions;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use belay_access::{Pin, Token};
use belay_session::{Command, Platform};
use belay_wire::{AccountId, MemberId, Moment, SessionAuthenticationId, SessionId};
use tempfile::TempDir;
use uuid::Uuid;

use crate::seal::random;
use crate::{
    AccountCreated, Admission, Author, ChatLine, Create, NewAccount, NewSecurityEvent, Session, SignInId,
    Store, Through,
};

const NOW: Moment = Moment(1_795_000_000_000_000);
const IDLE: Duration = Duration::from_secs(900);
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const END_USER: &str = "Una Sonderlich-Übermut";
const CHAT: &str = "das weiße Kaninchen hat den Toner gefressen";

/// A store in a directory of its own.
struct World {
    dir: TempDir,
    store: Store,
}

/// An account with its holder.
#[derive(Clone, Copy)]
struct Company {
    account: AccountId,
    holder: MemberId,
}

impl World {
    async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Create::IfAbsent).await.unwrap();
        World { dir, store }
    }

    async fn company(&self, name: &str) -> Company {
        company(&self.store, name).await
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn reopened(self) -> World {
        self.store.close().await.unwrap();
        let store = Store::open(self.dir.path(), Create::Never).await.unwrap();
        World { dir: self.dir, store }
    }
}

async fn company(store: &Store, name: &str) -> Company {
    match store.directory().create_account(new_account(name), NOW).await.unwrap() {
        AccountCreated::Created { account, holder } => Company { account, holder },
        AccountCreated::SignInIdTaken => panic!("{name} is taken"),
    }
}

fn new_account(name: &str) -> NewAccount {
    NewAccount {
        name: format!("{name} GmbH"),
        region: None,
        holder_sign_in_id: sign_in_id(name),
        holder_name: format!("Tess {name}"),
        holder_password_hash: "$scrypt$not-checked-here".into(),
    }
}

fn sign_in_id(name: &str) -> SignInId {
    SignInId::new(&format!("{name}@example.com")).unwrap()
}

fn token() -> Token {
    Token::from_bytes(random())
}

fn pin(number: u32) -> Pin {
    Pin::from_number(number).unwrap()
}

fn authentication_id() -> SessionAuthenticationId {
    SessionAuthenticationId::from_bytes(random())
}

fn later(seconds: u64) -> Moment {
    NOW + Duration::from_secs(seconds)
}

fn line(text: &str) -> ChatLine {
    ChatLine { line_id: Uuid::new_v4(), author: Author::EndUser, text: text.into(), at: NOW }
}

fn event(detail: &str) -> NewSecurityEvent {
    NewSecurityEvent {
        at: NOW,
        kind: belay_access::SecurityKind::Forbidden,
        session: Some(SessionId::from_bytes([9; 16])),
        address: Some(ADDRESS),
        detail: detail.into(),
    }
}

impl Company {
    async fn connecting(self, store: &Store) -> Session {
        let mut tx = store.begin(self.account).await.unwrap();
        let session = tx.create_session(self.holder, NOW).await.unwrap();
        tx.commit().await.unwrap();
        session
    }

    async fn downloaded(self, store: &Store) -> (SessionId, SessionAuthenticationId) {
        let session = self.connecting(store).await.id;
        self.apply(store, session, Command::Join { name: END_USER.into() }).await;
        self.apply(store, session, Command::Downloaded { platform: Platform::LinuxX86_64 }).await;
        let id = authentication_id();
        store.directory().create_session_authentication(&id, self.account, session, NOW).await.unwrap();
        (session, id)
    }

    async fn waiting(self, store: &Store) -> SessionId {
        let (session, id) = self.downloaded(store).await;
        let admission = store.admit_applet(&id, self.account, ADDRESS, Through::Own, NOW).await.unwrap();
        assert_eq!(admission, Admission::Admitted { session });
        session
    }

    async fn active(self, store: &Store) -> SessionId {
        let session = self.waiting(store).await;
        self.apply(store, session, Command::PickUp { technician: self.holder }).await;
        session
    }

    async fn apply(self, store: &Store, session: SessionId, command: Command) -> Session {
        store.apply(self.account, session, command, NOW).await.unwrap()
    }

    async fn chat(self, store: &Store, session: SessionId, text: &str) {
        let mut tx = store.begin(self.account).await.unwrap();
        assert_eq!(tx.keep_chat(session, line(text)).await.unwrap(), crate::ChatKept::New);
        tx.commit().await.unwrap();
    }
}
