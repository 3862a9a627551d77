//! Lines that are slow, and ends that fall silent or talk on.

use super::*;
use belay_meeting::LOOPBACK;
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_line_that_fails_at_first_is_tried_again_and_what_fails_at_once_is_not() {
    let server = start().await;
    let behind = server.origin.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let line = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let origin = format!("https://localhost:{}", line.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (stuck, _) = line.accept().await.unwrap();
        tokio::time::sleep(Duration::from_millis(4500)).await;
        drop(stuck);
        loop {
            let (mut near, _) = line.accept().await.unwrap();
            let mut far = TcpStream::connect((LOOPBACK, behind)).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let reach = |origin: &str| {
        let dial = Dial::new(origin, &server.anchors).unwrap();
        let id = SessionAuthenticationId::from_bytes(ID);
        connect(dial, Leg { account: ACCOUNT, id, version: "1".into(), platform: "test".into() })
    };
    assert!(matches!(next(&mut reach(&origin)).await, Event::Admitted(_)));
    let nobody = TcpListener::bind((LOOPBACK, 0)).await.unwrap().local_addr().unwrap();
    let began = std::time::Instant::now();
    let event = next(&mut reach(&format!("https://localhost:{}", nobody.port()))).await;
    assert!(matches!(event, Event::Unreachable(belay_net::DialError::Unreachable { .. })), "{event:?}");
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_falls_silent_is_told_of_once_for_each_silence() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let mut console = Console::open(&server).await;
    console.drain().await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    for round in 0..2 {
        let began = std::time::Instant::now();
        console.say(&line(round)).await;
        loop {
            match tokio::time::timeout(Duration::from_secs(12), applet.events.recv()).await.unwrap().unwrap()
            {
                Event::Quiet => break,
                event => assert!(matches!(event, Event::Path(_) | Event::Message(_)), "{event:?}"),
            }
        }
        assert!(began.elapsed() >= Duration::from_millis(7900), "after {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_put_out_while_talking_hears_the_last_word() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let (mut console, _) = Console::enter(&server, [9; 32].to_vec()).await;
    server.gateway.end(SESSION);
    for _ in 0..20 {
        // The connection stays until the last word was heard.
        console.send(vec![4; 1000]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(receive(&mut console).await, FromGateway::PartnerLeft(Leaving::EndedByTechnician));
    assert!(console.is_closed().await);
}

/// The connection is dead and nobody says so. What was sent and is not acknowledged is the first sign; a second connection is the proof.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_dies_without_a_word_is_replaced_by_a_second_one() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let mut console = Console::open(&server).await;
    console.say(&line(1)).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Message(_)));
    // Its pings are answered for a while: what an answer takes is known then.
    let heard = tokio::time::timeout(Duration::from_secs(2), console.hear()).await;
    assert!(heard.is_err(), "nothing was said");
    let admitted = *server.website.admissions.lock().unwrap();
    let began = std::time::Instant::now();
    server.fall_silent();
    applet.commands.send(Command::Send(line(2))).await.unwrap();
    let event = next(&mut applet).await;
    assert!(
        matches!(&event, Event::Interrupted(Interruption::Ours(why)) if why.contains("another connection")),
        "{event:?}"
    );
    assert!(matches!(next(&mut applet).await, Event::Interrupted(Interruption::Returned)));
    assert_eq!(*server.website.admissions.lock().unwrap(), admitted + 1);
    // Without it, an answer to a question that is asked after seven seconds is waited for.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}
