//! An applet and a console meet at a gateway, over real TLS sockets on the loopback.
#![allow(clippy::unwrap_used)]

use belay_link::Output;
use belay_meeting::{ACCOUNT, Console, ID, SESSION, Server, receive, start};
use belay_net::Dial;
use belay_net::applet::{Command, Connection, Event, Interruption, Leg, connect};
use belay_relay::admission::LegEvent;
use belay_seal::{Binding, ConsoleHandshake, Secrets};
use belay_wire::gateway::{FromGateway, Leaving, Refusal, ReportKind, Role};
use belay_wire::message::{CharterVerdict, EndedBy};
use belay_wire::{Message, Right, SessionAuthenticationId};
use std::time::Duration;

#[path = "walk/browser.rs"]
mod browser;
#[path = "walk/direct.rs"]
mod direct;
#[path = "walk/hostile.rs"]
mod hostile;
#[path = "walk/slow.rs"]
mod slow;

fn applet(server: &Server, id: [u8; 16]) -> Connection {
    let dial = Dial::new(&server.origin, &server.anchors).unwrap();
    let id = SessionAuthenticationId::from_bytes(id);
    connect(dial, Leg { account: ACCOUNT, id, version: "1".into(), platform: "test".into() })
}

/// The next event, but for those about paths.
async fn next(connection: &mut Connection) -> Event {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), connection.events.recv()).await;
        match event.unwrap().unwrap() {
            Event::Path(_) | Event::Attempted(_) | Event::Quiet => {}
            event => return event,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applet_and_console_meet_talk_and_part() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let mut console = Console::open(&server).await;
    let code = console.seal.security_code();
    let line = Message::Chat { line: [1; 16], text: "Grüße, how can I help?".into() };
    console.say(&line).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(shown) if shown == code));
    assert!(matches!(next(&mut applet).await, Event::Message(message) if message == line));
    let answer = Message::Chat { line: [2; 16], text: "It does not print".into() };
    applet.commands.send(Command::Send(answer.clone())).await.unwrap();
    assert_eq!(console.hear().await, answer);
    applet.commands.send(Command::Report(ReportKind::Violation, Right::RemoteControl)).await.unwrap();
    applet.commands.send(Command::Send(Message::End(EndedBy::EndUser))).await.unwrap();
    applet.commands.send(Command::Bye(Leaving::EndedByEndUser)).await.unwrap();
    assert_eq!(console.hear().await, Message::End(EndedBy::EndUser));
    console.acknowledge().await;
    assert_eq!(receive(&mut console.socket).await, FromGateway::PartnerLeft(Leaving::EndedByEndUser));
    applet.task.await.unwrap();
    drop(console);
    for _ in 0..100 {
        if server.gateway.legs() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.gateway.legs(), 0);
    let events: Vec<_> = server.website.news.lock().unwrap().iter().map(|news| news.event).collect();
    assert_eq!(events[0], LegEvent::Report(ReportKind::Violation, Right::RemoteControl));
    assert_eq!(events[1], LegEvent::Left(Role::Applet, Leaving::EndedByEndUser));
}

#[tokio::test]
async fn a_wrong_id_is_refused_with_its_reason() {
    let server = start().await;
    assert!(matches!(next(&mut applet(&server, [8; 16])).await, Event::Refused(Refusal::Unknown)));
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_talked_to() {
    let (server, other) = (start().await, start().await);
    let impostor = Server { anchors: other.anchors.clone(), ..server };
    let event = next(&mut applet(&impostor, ID)).await;
    assert!(matches!(event, Event::Unreachable(belay_net::DialError::Certificate { .. })), "{event:?}");
}

#[tokio::test]
async fn a_message_from_the_wrong_end_is_a_breach() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let mut console = Console::open(&server).await;
    console.say(&Message::CharterChecked(CharterVerdict::Accepted)).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Breach(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_got_the_answer_to_another_begins_again() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let (mut socket, ticket) = Console::enter(&server, [9; 32].to_vec()).await;
    let binding = Binding::of(&SessionAuthenticationId::from_bytes(ID));
    let (mut begun, mut answers) = (Vec::new(), Vec::new());
    for n in 1..=2 {
        let secrets = Secrets { key: [n; 32], nonce: [n; 32] };
        let (handshake, commit) = ConsoleHandshake::start(secrets, binding).unwrap();
        socket.send(commit).await;
        let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
        begun.push(handshake);
        answers.push(answer);
    }
    // As if the first commitment had been that of a console whose connection died: its answer goes to the second one.
    let (mut seal, open) = begun.pop().unwrap().answered(&answers[0]).unwrap();
    for frame in [open, seal.seal(b"opens nowhere").unwrap()] {
        socket.send(frame).await;
    }
    let mut console = Console::shake_hands(socket, ticket).await;
    console.say(&line(1)).await;
    let code = console.seal.security_code();
    assert!(matches!(next(&mut applet).await, Event::Paired(shown) if shown == code));
    assert!(matches!(next(&mut applet).await, Event::Message(message) if message == line(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_during_a_cut_is_told_after_all() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    server.cut();
    assert!(matches!(next(&mut applet).await, Event::Interrupted(Interruption::Ours(_))));
    applet.commands.send(Command::Bye(Leaving::EndedByEndUser)).await.unwrap();
    applet.task.await.unwrap();
    let told = LegEvent::Left(Role::Applet, Leaving::EndedByEndUser);
    for _ in 0..100 {
        if server.website.news.lock().unwrap().iter().any(|news| news.event == told) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody was told: {:?}", server.website.news.lock().unwrap());
}

/// Whether the website hears of the applet's goodbye within a time.
async fn told_of_goodbye(server: &Server, within: Duration) -> bool {
    let told = LegEvent::Left(Role::Applet, Leaving::Closed);
    let is_told = async {
        while !server.website.news.lock().unwrap().iter().any(|news| news.event == told) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(within, is_told).await.is_ok()
}

/// A direct path and the gateway keep no order between them, so the applet has to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_does_not_overtake_the_reason_for_it() {
    for answers in [true, false] {
        let server = start().await;
        let mut applet = applet(&server, ID);
        assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
        let mut console = Console::open(&server).await;
        console.say(&line(1)).await;
        assert!(matches!(next(&mut applet).await, Event::Paired(_)));
        assert!(matches!(next(&mut applet).await, Event::Message(_)));
        applet.commands.send(Command::Send(Message::LinkProved([7; 32]))).await.unwrap();
        applet.commands.send(Command::Bye(Leaving::Closed)).await.unwrap();
        // Nobody has anything more to say to it.
        drop(applet.commands);
        assert!(!told_of_goodbye(&server, Duration::from_millis(400)).await, "before the reason has arrived");
        if answers {
            assert_eq!(console.hear().await, Message::LinkProved([7; 32]));
            console.acknowledge().await;
            assert!(told_of_goodbye(&server, Duration::from_millis(500)).await, "as soon as it has arrived");
        } else {
            assert!(
                told_of_goodbye(&server, Duration::from_secs(4)).await,
                "a silent console holds up nobody"
            );
        }
        applet.task.await.unwrap();
    }
}

#[tokio::test]
async fn the_website_ends_the_session_for_the_applet() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    server.gateway.end(SESSION);
    assert!(matches!(next(&mut applet).await, Event::PartnerLeft(Leaving::EndedByTechnician)));
    assert!(matches!(next(&mut applet).await, Event::Interrupted(Interruption::Ours(_))));
}

fn line(n: u8) -> Message {
    Message::Chat { line: [n; 16], text: format!("line {n}") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_cut_the_same_pairing_goes_on_and_nothing_is_lost_or_repeated() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let mut console = Console::open(&server).await;
    console.say(&line(1)).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Message(message) if message == line(1)));
    for path in 1..4 {
        server.cut();
        // Said by both while nobody can hear it.
        applet.commands.send(Command::Send(line(50 + path))).await.unwrap();
        console.link.send(belay_wire::link::Class::Ordered, line(path).encode()).unwrap();
        while console.link.poll(console.now()).is_some() {}
        loop {
            match next(&mut applet).await {
                Event::Interrupted(Interruption::Ours(_)) => break,
                Event::Interrupted(_) | Event::Resumed => {}
                other => panic!("{other:?}"),
            }
        }
        console.come_back(&server).await;
        let mut heard = Vec::new();
        while !heard.contains(&line(path)) {
            match next(&mut applet).await {
                Event::Interrupted(_) | Event::Resumed => {}
                Event::Message(message) => heard.push(message),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, [line(path)]);
        assert_eq!(console.hear().await, line(50 + path));
    }
    assert_eq!(*server.website.admissions.lock().unwrap(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_replays_after_the_cut_gets_nothing_but_a_new_handshake() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let mut console = Console::open(&server).await;
    console.link.send(belay_wire::link::Class::Ordered, line(1).encode()).unwrap();
    let packet = loop {
        match console.link.poll(console.now()) {
            // The first packet is a ping; the second carries the line.
            Some(Output::Transmit { packet, .. }) if packet.len() > 20 => break packet,
            Some(_) => {}
            None => panic!("nothing to send"),
        }
    };
    let recorded = console.seal.seal(&packet).unwrap();
    console.socket.send(recorded.clone()).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Message(_)));
    server.cut();
    assert!(matches!(next(&mut applet).await, Event::Interrupted(_)));
    let (mut socket, _) = Console::enter(&server, console.ticket.secret_bytes().to_vec()).await;
    for bad in [recorded, vec![belay_wire::seal::SEALED], vec![belay_wire::seal::SEALED; 60]] {
        socket.send(bad).await;
        let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
        assert_eq!(answer, belay_wire::seal::SealFrame::Unknown.encode());
    }
    // Whose connection went first, and whether the partner's is mentioned, is chance.
    loop {
        match next(&mut applet).await {
            Event::Interrupted(Interruption::Returned) => break,
            Event::Interrupted(Interruption::Ours(_) | Interruption::Partner) => {}
            other => panic!("{other:?}"),
        }
    }
    while let Ok(event) = applet.events.try_recv() {
        assert!(matches!(event, Event::Path(_)), "a replay was taken for something: {event:?}");
    }
    assert!(applet.events.try_recv().is_err(), "a replay was taken for something");
}
