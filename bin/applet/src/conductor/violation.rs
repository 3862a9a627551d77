//! What the console tried without the right: refused every time, told and recorded in measure.

use std::time::Duration;

use belay_permission::Denied;
use belay_wire::gateway::ReportKind;
use belay_wire::{Message, Moment, Right, Rights};

use super::{Conductor, Now};
use crate::deeds::{Deed, Story};
use crate::host_log::Entry;

/// What left the console before it could know of a withdrawal is refused like everything else, but is nobody's fault.
const GRACE: Duration = Duration::from_secs(1);
/// Time between two lines, reports and answers about the same right after the first few.
const MEASURE: Duration = Duration::from_secs(5);
const FIRST_FEW: u32 = 3;

/// Keeps count for each right.
#[derive(Debug, Default)]
pub(super) struct Violations {
    tries: [Tries; Right::ALL.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    revoked_at: Option<Moment>,
    told: u32,
    told_at: Option<Moment>,
    untold: u32,
    kind: u8,
}

/// What a refused message leads to, besides being refused.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It may have been on its way when the right ended: only answer.
    Late,
    /// Answer, record and report; so many before it were not recorded.
    Tell { more: u32 },
    /// Enough was said for the moment.
    Count,
}

impl Violations {
    /// These rights ended just now.
    pub(super) fn revoked(&mut self, rights: Rights, now: Moment) {
        rights.iter().for_each(|right| self.tries[right as usize - 1].revoked_at = Some(now));
    }

    /// A new console starts with a clean sheet, but not with a fresh allowance of lines.
    pub(super) fn forget(&mut self) {
        self.tries.iter_mut().for_each(|tries| tries.revoked_at = None);
    }

    /// When counted tries must be recorded at the latest.
    pub(super) fn next_timeout(&self) -> Option<Moment> {
        let due = |tries: &Tries| (tries.untold > 0).then(|| tries.told_at.map(|at| at + MEASURE)).flatten();
        self.tries.iter().filter_map(due).min()
    }

    fn tried(&mut self, denied: Denied, now: Moment) -> Verdict {
        let tries = &mut self.tries[denied.right as usize - 1];
        if tries.revoked_at.is_some_and(|at| now < at + GRACE) {
            return Verdict::Late;
        }
        if tries.told_at.is_none_or(|at| now >= at + MEASURE) {
            tries.told = 0;
        }
        tries.kind = denied.kind;
        if tries.told >= FIRST_FEW {
            tries.untold = tries.untold.saturating_add(1);
            return Verdict::Count;
        }
        tries.told += 1;
        tries.told_at = Some(now);
        Verdict::Tell { more: std::mem::take(&mut tries.untold) }
    }
}

impl Conductor {
    /// Nothing happens on this computer; the console, the website and the record learn of it.
    pub(super) fn denied(&mut self, denied: Denied, now: Now) {
        let Denied { right, kind } = denied;
        let answer = Deed::Send(Message::Denied { right, kind });
        match self.violations.tried(denied, now.moment) {
            Verdict::Late => self.deeds.push_back(answer),
            Verdict::Tell { more } => {
                self.deeds.push_back(answer);
                self.deeds.push_back(Deed::Report(ReportKind::Violation, right));
                self.log(Entry::Violation { right, kind, more });
                self.story(Story::Violation(right));
            }
            Verdict::Count => {}
        }
    }

    /// Records what was only counted, once its time has come.
    pub(super) fn settle_violations(&mut self, now: Now) {
        for right in Right::ALL {
            let tries = &mut self.violations.tries[right as usize - 1];
            if tries.untold > 0 && tries.told_at.is_none_or(|at| now.moment >= at + MEASURE) {
                let (kind, more) = (tries.kind, std::mem::take(&mut tries.untold));
                tries.told_at = Some(now.moment);
                self.log(Entry::Violation { right, kind, more });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: Denied = Denied { right: Right::RemoteControl, kind: 0x40 };

    #[test]
    fn a_flood_is_told_in_measure_and_counted_in_full() {
        let mut violations = Violations::default();
        let start = Moment(1_000_000_000);
        let (mut told, mut counted) = (0, 0);
        for number in 0..10_000u32 {
            match violations.tried(DENIED, start + Duration::from_millis(u64::from(number))) {
                Verdict::Tell { more } => {
                    told += 1;
                    counted += more;
                }
                Verdict::Count => {}
                Verdict::Late => panic!("nothing was revoked"),
            }
        }
        assert!((4..=9).contains(&told), "{told}");
        let open: u32 = violations.tries.iter().map(|tries| tries.untold).sum();
        assert_eq!(told + counted + open, 10_000);
        assert!(violations.next_timeout().is_some());
    }

    #[test]
    fn what_was_on_its_way_is_no_fault() {
        let mut violations = Violations::default();
        violations.revoked(Right::RemoteControl.into(), Moment(0));
        assert_eq!(violations.tried(DENIED, Moment(500_000)), Verdict::Late);
        assert_eq!(violations.tried(DENIED, Moment(1_000_000)), Verdict::Tell { more: 0 });
    }
}
