//! Every frame between a leg and the gateway, with its bytes.

use belay_wire::gateway::{FromGateway, Hello, Leaving, Refusal, Relaying, ReportKind, Role, ToGateway};
use belay_wire::{AccountId, LegTicket, Right, SessionId};
use serde_json::{Value, json};

#[test]
fn gateway_frames_are_what_the_vectors_say() {
    let mut vectors: Vec<Value> = to_gateway().iter().map(|(name, frame)| to_vector(name, frame)).collect();
    vectors.extend(from_gateway().iter().map(|(name, frame)| from_vector(name, frame)));
    super::compare_with_file("gateway.json", &vectors);
}

fn to_gateway() -> Vec<(&'static str, ToGateway)> {
    let hello = |role, credential: Vec<u8>, platform: &str| {
        ToGateway::Hello(Hello {
            role,
            account: AccountId::from_bytes(
                *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x01\x02\x03\x04\x05\x06\x07",
            ),
            credential,
            version: "0.1.0".to_owned(),
            platform: platform.to_owned(),
        })
    };
    let mut all = vec![
        ("hello of an applet", hello(Role::Applet, (0..16).collect(), "linux-x86_64")),
        ("hello of a console", hello(Role::Console, (0..32).collect(), "browser")),
        ("frame to partner", ToGateway::Frame(vec![0x13, 0xff, 0x00])),
        ("frame to partner, empty", ToGateway::Frame(Vec::new())),
    ];
    all.extend(Leaving::ALL.map(|reason| ("bye", ToGateway::Bye(reason))));
    all.extend(ReportKind::ALL.map(|kind| ("report", ToGateway::Report(kind, Right::DesktopView))));
    all.push(("report", ToGateway::Report(ReportKind::Granted, Right::RemoteControl)));
    all
}

fn from_gateway() -> Vec<(&'static str, FromGateway)> {
    let session = SessionId::from_bytes(*b"\xfe\xdc\xba\x98\x76\x54\x32\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08");
    let mut all = vec![
        ("admitted", FromGateway::Admitted(session, LegTicket::from_bytes([0x33; 32]))),
        ("paired", FromGateway::Paired(0x0102_0304)),
        ("frame from partner", FromGateway::Frame(vec![0x10, 0x00])),
    ];
    all.extend(Refusal::ALL.map(|reason| ("refused", FromGateway::Refused(reason))));
    all.extend(Leaving::ALL.map(|reason| ("partner left", FromGateway::PartnerLeft(reason))));
    let servers = ["stun:gateway.example:3478", "turns:gateway.example:443?transport=tcp"];
    let relaying = |servers: &[&str]| Relaying {
        seconds: 3600,
        user: "1732464000:01".to_owned(),
        password: "pass".to_owned(),
        servers: servers.iter().map(|url| (*url).to_owned()).collect(),
    };
    all.push(("relaying", FromGateway::Relaying(relaying(&servers))));
    all.push(("relaying, no servers", FromGateway::Relaying(relaying(&[]))));
    all
}

fn to_vector(name: &str, frame: &ToGateway) -> Value {
    let bytes = frame.encode();
    assert_eq!(ToGateway::decode(&bytes).as_ref(), Ok(frame), "{name}");
    let fields = match frame {
        ToGateway::Hello(hello) => {
            let role = match hello.role {
                Role::Applet => "applet",
                Role::Console => "console",
            };
            json!({ "kind": "hello", "role": role, "account": hello.account.to_string(),
                    "credential": hex::encode(&hello.credential), "version": hello.version,
                    "platform": hello.platform })
        }
        ToGateway::Frame(bytes) => json!({ "kind": "frame", "bytes": hex::encode(bytes) }),
        ToGateway::Bye(reason) => json!({ "kind": "bye", "reason": leaving(*reason) }),
        ToGateway::Report(kind, right) => {
            let report = match kind {
                ReportKind::Granted => "granted",
                ReportKind::Refused => "refused",
                ReportKind::Withdrawn => "withdrawn",
                ReportKind::Violation => "violation",
            };
            json!({ "kind": "report", "report": report, "right": right.name() })
        }
    };
    json!({ "name": name, "from": "leg", "hex": hex::encode(&bytes), "frame": fields })
}

fn from_vector(name: &str, frame: &FromGateway) -> Value {
    let bytes = frame.encode();
    assert_eq!(FromGateway::decode(&bytes).as_ref(), Ok(frame), "{name}");
    let fields = match frame {
        FromGateway::Admitted(session, ticket) => {
            json!({ "kind": "admitted", "session": session.to_string(), "return_ticket": hex::encode(ticket.secret_bytes()) })
        }
        FromGateway::Refused(refusal) => {
            let refusal = match refusal {
                Refusal::Unknown => "unknown",
                Refusal::Used => "used",
                Refusal::Expired => "expired",
                Refusal::Foreign => "foreign",
                Refusal::Full => "full",
                Refusal::Protocol => "protocol",
                Refusal::SlowDown => "slow_down",
                Refusal::Unavailable => "unavailable",
                Refusal::Replaced => "replaced",
            };
            json!({ "kind": "refused", "refusal": refusal })
        }
        FromGateway::Paired(pairing) => json!({ "kind": "paired", "pairing": pairing }),
        FromGateway::PartnerLeft(reason) => json!({ "kind": "partner_left", "reason": leaving(*reason) }),
        FromGateway::Relaying(relaying) => {
            json!({ "kind": "relaying", "seconds": relaying.seconds, "user": relaying.user,
                    "password": relaying.password, "servers": relaying.servers })
        }
        FromGateway::Frame(bytes) => json!({ "kind": "frame", "bytes": hex::encode(bytes) }),
    };
    json!({ "name": name, "from": "gateway", "hex": hex::encode(&bytes), "frame": fields })
}

fn leaving(reason: Leaving) -> &'static str {
    match reason {
        Leaving::Lost => "lost",
        Leaving::EndedByEndUser => "ended_by_end_user",
        Leaving::EndedByTechnician => "ended_by_technician",
        Leaving::Closed => "closed",
    }
}
