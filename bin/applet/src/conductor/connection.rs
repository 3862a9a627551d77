//! What is known of the connection: for the report in the window, and for the record where somebody interferes.

use std::time::Duration;

use belay_net::applet::{Attempted, Insecure, Interference, PathInUse};
use belay_net::check::Check;
use belay_wire::gateway::ReportKind;
use belay_wire::{Moment, Right};

use super::{Conductor, Now};
use crate::connection::Report;
use crate::deeds::{Deed, Show, State, Story};
use crate::host_log::Entry;

/// Time between two lines about interference of a sort that is known already.
const MEASURE: Duration = Duration::from_secs(60);

/// The report, and what the record has of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    report: Report,
    recorded: Interference,
    recorded_at: Option<Moment>,
}

impl Conductor {
    /// Another way is used, or it was measured anew.
    pub(super) fn goes_by(&mut self, path: PathInUse) {
        self.connection.report.path = Some(path);
        self.show_connection();
    }

    /// A direct way was tried.
    pub(super) fn attempted(&mut self, attempted: Attempted) {
        self.connection.report.attempted = Some(attempted);
        self.show_connection();
    }

    /// The end user wants to know what works.
    pub(super) fn examine(&mut self) {
        if !self.connection.report.examining {
            self.connection.report.examining = true;
            self.deeds.push_back(Deed::Examine);
            self.show_connection();
        }
    }

    /// That is known now.
    pub(super) fn examined(&mut self, checks: Vec<Check>) {
        (self.connection.report.checks, self.connection.report.examining) = (checks, false);
        self.show_connection();
    }

    /// Somebody on the way changes, repeats or swallows packets: no harm is done, but people should know.
    pub(super) fn interfered(&mut self, interference: Interference, now: Now) {
        let before = self.connection.report.interference;
        self.connection.report.interference = interference;
        let is_new = |new: u64, old: u64| new > 0 && old == 0;
        let first = is_new(interference.forged, before.forged)
            || is_new(interference.repeated, before.repeated)
            || is_new(interference.swallowed, before.swallowed);
        if before == Interference::default() {
            self.story(Story::Interference);
        }
        let due = self.connection.recorded_at.is_none_or(|at| now.moment.since(at) >= MEASURE);
        if first || (due && self.connection.recorded != interference) {
            self.connection.recorded = interference;
            self.connection.recorded_at = Some(now.moment);
            self.log(Entry::Interference(interference));
        }
        self.show_connection();
    }

    /// There is no secure connection to be had: whatever there was is over, and the end user is told not to go on.
    pub(super) fn insecure(&mut self, how: Insecure, now: Now) {
        self.partner_gone(now);
        self.log(Entry::Insecure(how));
        self.deeds.push_back(Deed::Report(ReportKind::Tampered, Right::DesktopView));
        self.story(Story::Insecure(how));
        self.enter(State::Insecure(how));
    }

    /// What was known of the way to a technician says nothing about the next one.
    pub(super) fn forget_connection(&mut self) {
        let Report { checks, examining, .. } = std::mem::take(&mut self.connection).report;
        self.connection.report = Report { checks, examining, ..Report::default() };
        self.show_connection();
    }

    fn show_connection(&mut self) {
        let report = Box::new(self.connection.report.clone());
        self.deeds.push_back(Deed::Show(Show::Connection(report)));
    }
}
