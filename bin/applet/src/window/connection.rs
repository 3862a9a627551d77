//! The connection report of the main window.

use std::rc::Rc;
use std::time::Duration;

use belay_net::applet::Interference;
use belay_net::check::Verdict;
use slint::VecModel;

use super::generated::Finding;
use super::{Stage, shared};
use crate::connection::Report;
use crate::texts::{Texts, fill};

impl Stage {
    /// Puts the report into words.
    pub(super) fn show_connection(&self, report: &Report) {
        let texts = self.look.texts;
        let main = &self.main;
        main.set_way_line(shared(line(texts, report)));
        main.set_way_path(shared(way(texts, report)));
        let (why, advice) = report.why().map_or(("", ""), |why| texts.why(why));
        main.set_way_why(why.into());
        main.set_way_do(advice.into());
        main.set_way_interference(shared(texts.interference(report.interference)));
        main.set_way_disturbed(report.interference != Interference::default());
        main.set_way_examining(report.examining);
        let findings: Vec<Finding> = report
            .checks
            .iter()
            .map(|check| Finding {
                text: shared(texts.way(check)),
                good: check.verdict == Verdict::Good,
                bad: check.is_fatal(),
            })
            .collect();
        main.set_way_findings(Rc::new(VecModel::from(findings)).into());
    }
}

/// The way in a few words.
fn line(texts: &Texts, report: &Report) -> String {
    let Some(path) = &report.path else { return String::new() };
    let way = texts.short_path(path.kind);
    match path.round_trip {
        Some(took) => fill(texts.path_line, &[("way", &format!("{way}, {}", milliseconds(took)))]),
        None => fill(texts.path_line, &[("way", way)]),
    }
}

fn way(texts: &Texts, report: &Report) -> String {
    let Some(path) = &report.path else { return texts.path_none.to_owned() };
    let took = match path.round_trip {
        Some(took) => fill(texts.path_took, &[("time", &milliseconds(took))]),
        None => texts.path_unmeasured.to_owned(),
    };
    format!("{} {took}", texts.path(path.kind))
}

/// A way within one house takes less than a millisecond, and nobody believes in none.
fn milliseconds(took: Duration) -> String {
    format!("{} ms", took.as_millis().max(1))
}
