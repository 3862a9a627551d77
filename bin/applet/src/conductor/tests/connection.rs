//! Insecure connections, interference, and the connection report.

use belay_net::applet::{Insecure, Interference, PathInUse, PathKind};
use belay_net::check::{Check as WayCheck, Step, Verdict};

use super::*;
use crate::connection::{Report, Why};

fn reports(deeds: &[Deed]) -> Vec<&Report> {
    deeds
        .iter()
        .filter_map(
            |deed| if let Deed::Show(Show::Connection(report)) = deed { Some(&**report) } else { None },
        )
        .collect()
}

#[test]
fn keys_that_differ_are_said_recorded_and_reported_and_another_console_can_come() {
    for (how, word) in [
        (Insecure::Keys, "keys"),
        (Insecure::Handshake, "handshake"),
        (Insecure::Unfinished, "unfinished"),
        (Insecure::Forged, "forged"),
    ] {
        let mut stage = Stage::new();
        stage.happens(Happening::Admitted(session()));
        let deeds = stage.happens(Happening::Insecure(how));
        assert!(deeds.contains(&Deed::Show(Show::State(State::Insecure(how)))), "{deeds:?}");
        assert!(deeds.contains(&Deed::Show(Show::Story(Story::Insecure(how)))));
        assert!(deeds.contains(&Deed::Report(ReportKind::Tampered, Right::DesktopView)));
        assert!(logged(&deeds)[0].contains(&format!("event=insecure reason={word}")), "{:?}", logged(&deeds));
        // What it says stays when that console leaves, and goes when another one is there.
        assert_eq!(stage.happens(Happening::PartnerLeft(Leaving::Closed)), []);
        let deeds = stage.happens(Happening::Paired(CODE));
        assert!(deeds.contains(&Deed::Show(Show::State(State::Greeting))));
    }
}

#[test]
fn a_running_session_that_is_forged_to_death_lets_go_of_everything() {
    let mut stage = Stage::connected();
    stage.grants(view());
    stage.grants(control());
    let deeds = stage.happens(Happening::Insecure(Insecure::Forged));
    let let_go = position(&deeds, |deed| *deed == Deed::LetGo);
    let shown = position(&deeds, |deed| *deed == Deed::Show(Show::State(State::Insecure(Insecure::Forged))));
    assert!(let_go < shown);
    assert!(!stage.hears(motion()).iter().any(|deed| matches!(deed, Deed::Inject(..))));
}

#[test]
fn interference_is_shown_at_once_told_once_and_recorded_in_measure() {
    let mut stage = Stage::connected();
    let forged = Interference { forged: 1, ..Interference::default() };
    let deeds = stage.happens(Happening::Interference(forged));
    assert!(deeds.contains(&Deed::Show(Show::Story(Story::Interference))));
    assert_eq!(reports(&deeds)[0].interference, forged);
    assert!(logged(&deeds)[0].contains("event=interference forged=1 repeated=0 swallowed=0"));
    let more = Interference { forged: 900, ..forged };
    let deeds = stage.happens(Happening::Interference(more));
    assert_eq!(reports(&deeds)[0].interference, more);
    assert_eq!(logged(&deeds), Vec::<String>::new());
    assert!(!deeds.contains(&Deed::Show(Show::Story(Story::Interference))));
    // Another sort is news; more of the same after a minute.
    let repeated = Interference { repeated: 2, ..more };
    assert_eq!(logged(&stage.happens(Happening::Interference(repeated))).len(), 1);
    stage.waits(60);
    let still = Interference { swallowed: 0, forged: 901, ..repeated };
    assert_eq!(logged(&stage.happens(Happening::Interference(still))).len(), 1);
    // Nothing of it is said of the next console.
    let deeds = stage.happens(Happening::PartnerLeft(Leaving::Closed));
    assert_eq!(reports(&deeds).last().unwrap().interference, Interference::default());
}

#[test]
fn the_report_has_the_way_in_use_and_looks_when_it_is_opened() {
    let mut stage = Stage::connected();
    let round_trip = Some(Duration::from_millis(30));
    let path = PathInUse { kind: PathKind::Relay, round_trip, shortest: round_trip };
    let deeds = stage.happens(Happening::Path(path.clone()));
    assert_eq!(reports(&deeds)[0].path, Some(path));
    assert_eq!(reports(&deeds)[0].why(), Some(Why::Looking));
    let deeds = stage.happens(Happening::Person(Person::WantsReport));
    assert!(deeds.contains(&Deed::Examine) && reports(&deeds)[0].examining);
    assert_eq!(stage.happens(Happening::Person(Person::WantsReport)), [], "it is looking already");
    let check = WayCheck {
        step: Step::Datagrams,
        host: "help.example.org".into(),
        verdict: Verdict::Good,
        took: Duration::ZERO,
        addresses: Vec::new(),
        certificate: None,
    };
    let deeds = stage.happens(Happening::Examined(vec![check.clone()]));
    assert_eq!((reports(&deeds)[0].checks.clone(), reports(&deeds)[0].examining), (vec![check], false));
}
