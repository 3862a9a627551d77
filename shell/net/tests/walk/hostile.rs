//! Somebody on the way changes keys, packets and the order of things, and is found out by name.

use super::*;
use belay_meeting::Socket;
use belay_net::applet::{Insecure, Interference};

/// A leg of a console that has sent its commitment and has the applet's answer; nothing else of the protocol.
async fn half_a_handshake(server: &Server, binding: Binding) -> (Socket, Vec<u8>, ConsoleHandshake) {
    let (mut socket, _) = Console::enter(server, [9; 32].to_vec()).await;
    let secrets = Secrets { key: [1; 32], nonce: [2; 32] };
    let (handshake, commit) = ConsoleHandshake::start(secrets, binding).unwrap();
    socket.send(commit).await;
    let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
    (socket, answer, handshake)
}

#[tokio::test]
async fn keys_that_differ_are_noticed_and_told() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    // As if the session were another one, or somebody had changed a key.
    let (mut socket, answer, handshake) = half_a_handshake(&server, Binding([8; 32])).await;
    let (mut seal, open) = handshake.answered(&answer).unwrap();
    socket.send(open).await;
    for _ in 0..3 {
        let frame = seal.seal(b"x").unwrap();
        socket.send(frame).await;
    }
    let event = next(&mut applet).await;
    assert!(matches!(event, Event::Insecure(Insecure::Keys)), "{event:?}");
    let told = belay_wire::seal::SealFrame::KeysDiffer.encode();
    assert_eq!(receive(&mut socket).await, FromGateway::Frame(told));
    // Whoever comes next starts from nothing.
    drop(socket);
    while !matches!(next(&mut applet).await, Event::PartnerLeft(_)) {}
    let mut console = Console::open(&server).await;
    console.say(&Message::Typing(true)).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
}

#[tokio::test]
async fn another_key_than_the_committed_one_is_noticed_and_told() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let (mut socket, answer, handshake) = half_a_handshake(&server, Binding([8; 32])).await;
    let (_, mut open) = handshake.answered(&answer).unwrap();
    open[9] ^= 1;
    socket.send(open).await;
    let event = next(&mut applet).await;
    assert!(matches!(event, Event::Insecure(Insecure::Handshake)), "{event:?}");
    let told = belay_wire::seal::SealFrame::KeysDiffer.encode();
    assert_eq!(receive(&mut socket).await, FromGateway::Frame(told));
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_noticed() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let (_socket, ..) = half_a_handshake(&server, Binding([8; 32])).await;
    let event = tokio::time::timeout(Duration::from_secs(25), applet.events.recv()).await.unwrap().unwrap();
    assert!(matches!(event, Event::Insecure(Insecure::Unfinished)), "{event:?}");
}

#[tokio::test]
async fn what_is_changed_or_repeated_on_the_way_is_counted() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let mut console = Console::open(&server).await;
    let line = Message::Chat { line: [1; 16], text: "once".into() };
    console.say(&line).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Message(message) if message == line));
    let good = console.seal.seal(&belay_wire::link::encode(&[belay_wire::link::Piece::Ping(77)])).unwrap();
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    for frame in [forged, good.clone(), good] {
        console.socket.send(frame).await;
    }
    let mut seen = Interference::default();
    for _ in 0..20 {
        if seen.repeated > 0 {
            break;
        }
        // What comes later is told with the next packet.
        console.say(&Message::Typing(true)).await;
        while let Ok(Some(event)) =
            tokio::time::timeout(Duration::from_millis(300), applet.events.recv()).await
        {
            if let Event::Interference(now) = event {
                seen = now;
            }
        }
    }
    assert_eq!(seen, Interference { forged: 1, repeated: 1, swallowed: 0 });
}
