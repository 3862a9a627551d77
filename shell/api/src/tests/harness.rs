//! A website over a throw-away store, and a browser that talks to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use belay_identity::{Cost, Passwords};
use belay_relay::admission::AdmitRequest;
use belay_store::{AccountCreated, Create, NewAccount, SignInId, Store, Through};
use belay_wire::gateway::Role;
use belay_wire::{AccountId, Moment};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::admission::Admission;
use crate::settings::ListedGateway;
use crate::tag::{OperatorBlock, SessionBlock, read_back};
use crate::{Clock, Limits, Reach, Settings, Website, WebsiteParts, app};

pub(super) const ORIGIN: &str = "https://localhost:8443";
pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const IDLE: Duration = Duration::from_secs(900);
pub(super) const BINARY: &[u8] = b"\x7fELF the applet's bytes";

/// A website with two companies.
pub(super) struct World {
    pub website: Website,
    pub store: Store,
    pub clock: Clock,
    pub app: Router,
    pub ours: AccountId,
    pub theirs: AccountId,
    _dir: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::reached(Reach::Loopback).await
    }

    pub(super) async fn reached(reach: Reach) -> Self {
        Self::made(reach, Vec::new(), None).await
    }

    /// With these gateways listed; the other account is of this region.
    pub(super) async fn made(reach: Reach, gateways: Vec<ListedGateway>, theirs: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), Create::IfAbsent).await.unwrap();
        let passwords = Passwords::new(Cost { ln: 4, r: 8, p: 1 }).unwrap();
        let clock = Clock::standing(Moment(1_790_000_000_000_000));
        let applet = dir.path().join("belay-applet");
        std::fs::write(&applet, BINARY).unwrap();
        let mut accounts = Vec::new();
        for (name, id) in [("Example GmbH", "tess@example.com"), ("Other AG", "otto@example.org")] {
            let new = NewAccount {
                name: name.to_owned(),
                region: theirs.filter(|_| name == "Other AG").map(str::to_owned),
                holder_sign_in_id: SignInId::new(id).unwrap(),
                holder_name: if name == "Example GmbH" { "Tess Example" } else { "Otto Other" }.to_owned(),
                holder_password_hash: passwords.hash(PASSWORD).await.unwrap(),
            };
            match store.directory().create_account(new, clock.now()).await.unwrap() {
                AccountCreated::Created { account, .. } => accounts.push(account),
                AccountCreated::SignInIdTaken => panic!("{id} is taken in a new store"),
            }
        }
        let settings = Settings {
            origin: ORIGIN.to_owned(),
            more_origins: vec!["https://127.0.0.1:8443".to_owned()],
            reach,
            region: "local".to_owned(),
            gateways,
            idle: IDLE,
            applet_linux_x86_64: applet,
            anchors: crate::Anchors::new("-----BEGIN CERTIFICATE-----".to_owned()),
            limits: Limits { pin_per_address: 10, pin_in_all: 100, sign_in_per_address: 10 },
        };
        let parts = WebsiteParts { store: store.clone(), passwords, settings, clock: clock.clone() };
        let (website, _) = Website::start(parts).unwrap();
        let app = app(&website, Router::new());
        Self { website, store, clock, app, ours: accounts[0], theirs: accounts[1], _dir: dir }
    }

    pub(super) fn browser(&self) -> Browser {
        Browser { app: self.app.clone(), cookie: None, address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)) }
    }

    /// A browser in which Tess Example of Example GmbH is signed in.
    pub(super) async fn tess(&self) -> Browser {
        self.signed_in("tess@example.com").await
    }

    /// A browser in which Otto Other of Other AG is signed in.
    pub(super) async fn otto(&self) -> Browser {
        self.signed_in("otto@example.org").await
    }

    async fn signed_in(&self, id: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in(id, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.text());
        browser
    }

    pub(super) fn admission(&self) -> Admission {
        Admission::new(self.website.clone())
    }

    /// What an applet with this tag asks of the gateway.
    pub(super) fn applet_asks(session: &SessionBlock) -> AdmitRequest {
        AdmitRequest {
            role: Role::Applet,
            account: session.account.parse().unwrap(),
            credential: hex::decode(&session.session_authentication_id).unwrap(),
            address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 4)),
            version: "0.1.0".to_owned(),
            platform: "linux-x86_64".to_owned(),
        }
    }

    /// Kinds of the entries in the security log that Tess sees, oldest first, with their details.
    pub(super) async fn noticed(&self) -> Vec<(String, String)> {
        self.website.flush().await;
        let ours = self.store.view(self.ours).await.unwrap().security_log(1000).await.unwrap();
        let nobodys = self.store.directory().security_log(1000).await.unwrap();
        ours.into_iter().chain(nobodys).map(|event| (event.kind, event.detail)).collect()
    }

    pub(super) async fn has_noticed(&self, kind: &str, detail: &str) -> bool {
        self.noticed().await.iter().any(|(k, d)| k == kind && d.contains(detail))
    }
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

/// A browser: one address, one cookie.
#[derive(Clone)]
pub(super) struct Browser {
    app: Router,
    pub cookie: Option<String>,
    pub address: IpAddr,
}

impl Browser {
    /// A request of a page of this server.
    pub(super) fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost:8443")
            .header(header::ORIGIN, ORIGIN)
            .extension(ConnectInfo(SocketAddr::new(self.address, 40_000)));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        request
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(super) async fn post_empty(&self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post_form(&self, path: &str, form: &str) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    pub(super) async fn sign_in(&mut self, id: &str, password: &str) -> Answer {
        let answer = self.post("/api/v1/sign-in", json!({"id": id, "password": password})).await;
        if let Some(cookie) = answer.headers.get(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(pair.to_owned());
        }
        answer
    }

    /// A new invitation.
    pub(super) async fn invite(&self) -> Value {
        let answer = self.post("/api/v1/sessions", json!({})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer.json()
    }

    /// Uses a PIN and downloads the applet; what its tag says.
    pub(super) async fn join(&self, pin: &str) -> (OperatorBlock, SessionBlock) {
        let answer = self.post("/api/v1/join/pin", json!({"pin": pin, "name": "Erna End"})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let token = answer.json()["join_token"].as_str().unwrap().to_owned();
        self.download(&token).await
    }

    pub(super) async fn download(&self, token: &str) -> (OperatorBlock, SessionBlock) {
        let form = format!("join_token={token}&platform=linux-x86_64");
        let answer = self.post_form("/api/v1/join/download", &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let (operator, session, binary) = read_back(&answer.body).unwrap();
        assert_eq!(binary, BINARY);
        (operator, session)
    }
}

/// A session that waits: its id, and what the applet's tag said.
pub(super) async fn waiting(world: &World, technician: &Browser) -> (String, OperatorBlock, SessionBlock) {
    let invitation = technician.invite().await;
    let id = invitation["session"]["id"].as_str().unwrap().to_owned();
    let (operator, session) = world.browser().join(invitation["pin"].as_str().unwrap()).await;
    let admitted = world.admission().admit(World::applet_asks(&session), Through::Own).await.unwrap();
    assert_eq!(admitted.session.to_string(), id);
    (id, operator, session)
}
