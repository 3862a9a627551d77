//! The event stream: what changes arrives at once, and the stream ends with the sign-in.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use futures_util::StreamExt;
use tower::ServiceExt;

use super::harness::{Browser, World};

struct Listening(axum::body::BodyDataStream);

impl Listening {
    async fn start(world: &World, browser: &Browser) -> Self {
        let request = browser.request(Method::GET, "/api/v1/events").body(Body::empty()).unwrap();
        let response = world.app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self(response.into_body().into_data_stream())
    }

    /// Name and data of the next event, `None` at the end; keep-alive comments are skipped.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.unwrap()?;
            let text = String::from_utf8(chunk.unwrap().to_vec()).unwrap();
            let field = |name: &str| {
                text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
            };
            if let Some(event) = field("event:") {
                return Some((event, field("data:").unwrap()));
            }
        }
    }
}

#[tokio::test]
async fn changes_arrive_for_those_who_may_see_them() {
    let world = World::new().await;
    let (tess, otto) = (world.tess().await, world.otto().await);
    let mut ours = Listening::start(&world, &tess).await;
    let mut theirs = Listening::start(&world, &otto).await;
    assert_eq!(ours.next().await.unwrap().0, "resync");
    assert_eq!(theirs.next().await.unwrap().0, "resync");

    let session = tess.invite().await["session"].clone();
    let (event, data) = ours.next().await.unwrap();
    assert_eq!(event, "session");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&data).unwrap(), session);

    let own = otto.invite().await["session"]["id"].clone();
    let (_, data) = theirs.next().await.unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&data).unwrap()["id"],
        own,
        "nothing of another account"
    );
}

#[tokio::test]
async fn the_stream_ends_with_the_sign_in() {
    let world = World::new().await;
    let tess = world.tess().await;
    let mut stream = Listening::start(&world, &tess).await;
    assert_eq!(stream.next().await.unwrap().0, "resync");
    tess.post_empty("/api/v1/sign-out").await;
    assert_eq!(stream.next().await.unwrap().0, "signed-out");
    assert!(stream.next().await.is_none());
}
