//! The secret of the invitation link: verified without comparing, and somebody in between found out.

use belay_seal::{AppletHandshake, AppletStep, Binding, ConsoleHandshake, Secrets, Side};

use super::*;
use crate::deeds::Check;

const SECRET: LinkSecret = LinkSecret::from_bytes([7; 32]);

pub(super) fn other_code(digits: u32) -> SecurityCode {
    SecurityCode { digits, transcript: [digits as u8; 32] }
}

fn checks(deeds: &[Deed]) -> Vec<Check> {
    let check = |deed: &Deed| match deed {
        Deed::Show(Show::Check(check) | Show::Prompt { check, .. }) => Some(*check),
        _ => None,
    };
    deeds.iter().filter_map(check).collect()
}

fn says(deeds: &[Deed]) -> Vec<&Message> {
    deeds
        .iter()
        .filter_map(|deed| if let Deed::Send(message) = deed { Some(message) } else { None })
        .collect()
}

fn asks() -> Message {
    Message::Request { request: 1, rights: view() }
}

#[test]
fn a_right_proof_needs_no_comparing() {
    let mut stage = Stage::connected_with(Some(SECRET), CODE);
    let deeds = stage.hears(Message::LinkProof(SECRET.proof(Side::Console, &CODE)));
    assert_eq!(says(&deeds), [&Message::LinkProved(SECRET.proof(Side::Applet, &CODE))]);
    assert_eq!(checks(&deeds), [Check::Verified]);
    assert!(logged(&deeds)[0].contains("event=link_verified"));
    assert_eq!(checks(&stage.hears(asks())), [Check::Verified]);
    // Said once is said.
    assert_eq!(stage.hears(Message::LinkProof([0; 32])), []);
    // The next console starts from nothing.
    let deeds = stage.happens(Happening::Paired(other_code(1)));
    assert!(checks(&deeds).contains(&Check::Compare(other_code(1))));
}

#[test]
fn without_a_proof_the_question_says_so() {
    let mut stage = Stage::connected_with(Some(SECRET), CODE);
    assert_eq!(checks(&stage.hears(asks())), [Check::Unproved(CODE)]);
    let mut plain = Stage::connected();
    assert_eq!(checks(&plain.hears(asks())), [Check::Compare(CODE)]);
}

#[test]
fn a_download_without_a_secret_says_so_and_compares() {
    let mut stage = Stage::connected();
    let deeds = stage.hears(Message::LinkProof([1; 32]));
    assert_eq!(deeds, [Deed::Send(Message::NoLinkSecret)]);
    assert_eq!(checks(&stage.hears(asks())), [Check::Compare(CODE)]);
}

#[test]
fn a_wrong_proof_ends_everything_and_tells_everybody() {
    let mut stage = Stage::connected_with(Some(SECRET), CODE);
    stage.grants(view());
    let other = LinkSecret::from_bytes([8; 32]);
    let deeds = stage.hears(Message::LinkProof(other.proof(Side::Console, &CODE)));
    assert!(says(&deeds).contains(&&Message::LinkProved(SECRET.proof(Side::Applet, &CODE))));
    assert!(deeds.contains(&Deed::Report(ReportKind::Tampered, Right::DesktopView)));
    assert!(deeds.contains(&Deed::Report(ReportKind::Withdrawn, Right::DesktopView)));
    assert!(deeds.contains(&Deed::Leave(Leaving::Closed)));
    assert!(deeds.contains(&Deed::Show(Show::State(State::Over(Over::Ended(EndReason::Tampered))))));
    assert!(deeds.iter().any(|deed| matches!(deed, Deed::Finish(Exit::Tampered, _))));
    assert!(logged(&deeds).iter().any(|line| line.contains("event=tampered")));
    assert!(logged(&deeds).iter().any(|line| line.contains("event=ended") && line.contains("by=tampered")));
    assert!(!checks(&deeds).contains(&Check::Verified));
    // Nobody is let in again, whatever comes.
    assert!(says(&stage.hears(asks())).is_empty());
}

/// The codes of applet and console with a handshake of somebody in between on either side.
fn swapped() -> (SecurityCode, SecurityCode) {
    let secrets = |seed: u8| Secrets { key: [seed; 32], nonce: [seed; 32] };
    let binding = Binding([9; 32]);
    let meet = |console: u8, applet: u8| {
        let (console, commit) = ConsoleHandshake::start(secrets(console), binding).unwrap();
        let step = AppletHandshake::new(secrets(applet), binding).unwrap().received(&commit).unwrap();
        let AppletStep::Send(applet, answer) = step else { panic!("sealed too early") };
        let (console, open) = console.answered(&answer).unwrap();
        let AppletStep::Sealed(applet) = applet.received(&open).unwrap() else { panic!("not sealed") };
        assert_eq!(console.security_code(), applet.security_code());
        applet.security_code()
    };
    (meet(3, 1), meet(2, 4))
}

/// Whatever somebody in between does with the proofs, nobody is shown as verified, and the two codes differ.
#[test]
fn somebody_in_between_is_found_out() {
    let (here, there) = swapped();
    assert_ne!(here.digits, there.digits);
    let forwarded = SECRET.proof(Side::Console, &there);
    let reflected = SECRET.proof(Side::Applet, &here);
    for proof in [forwarded, reflected, [0; 32]] {
        let mut stage = Stage::connected_with(Some(SECRET), here);
        let deeds = stage.hears(Message::LinkProof(proof));
        assert!(deeds.contains(&Deed::Show(Show::State(State::Over(Over::Ended(EndReason::Tampered))))));
        // What the applet says, passed on to the console, gives the one in between away there too.
        let answers = says(&deeds);
        let Some(Message::LinkProved(answer)) = answers.first() else { panic!("no answer") };
        assert_eq!(SECRET.check(Side::Applet, &there, answer), Err(belay_seal::WrongProof));
    }
    // Kept back, the proof is missed, and the end user has a code that is not the technician's.
    let mut stage = Stage::connected_with(Some(SECRET), here);
    assert_eq!(checks(&stage.hears(asks())), [Check::Unproved(here)]);
}
