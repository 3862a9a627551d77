//! The connection report: which way the session takes, why it is not a better one, whether somebody interferes, and what works of
//! the way to the server. In words a layman can act on; they are in the catalogue.

use belay_net::applet::{Attempted, Interference, PathInUse, PathKind};
use belay_net::check::Check;

/// What there is to know of the connection. Holds addresses of both computers: it is shown, and kept nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The way in use; nothing without a technician.
    pub path: Option<PathInUse>,
    /// The last try of a direct path.
    pub attempted: Option<Attempted>,
    /// What somebody on the way has done.
    pub interference: Interference,
    /// What works of the way to the server, once somebody looked.
    pub checks: Vec<Check>,
    /// Somebody is looking.
    pub examining: bool,
}

/// Why the way is not a better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A direct one is being looked for.
    Looking,
    /// There was one, and it broke.
    Lost,
    /// There is one, and this way is better at the moment.
    Slower,
    /// One of the computers has named no address.
    NoAddress,
    /// No answer by UDP comes back to this computer.
    UdpBlockedHere,
    /// Only TCP gets through between the two.
    OnlyTcp,
    /// Nothing gets through between the two.
    Nothing,
}

impl Report {
    /// Why there is no better way; `None`: there is none better, or no way at all.
    pub fn why(&self) -> Option<Why> {
        let silent = self.attempted.as_ref().is_some_and(|attempted| attempted.servers_silent);
        match self.path.as_ref()?.kind {
            PathKind::DirectUdp => None,
            PathKind::DirectTcp if silent => Some(Why::UdpBlockedHere),
            PathKind::DirectTcp => Some(Why::OnlyTcp),
            PathKind::RelayedUdp => Some(Why::Nothing),
            PathKind::Relay => Some(match &self.attempted {
                None => Why::Looking,
                Some(Attempted { opened: Some(_), failures, .. }) if failures.is_empty() => Why::Slower,
                Some(Attempted { opened: Some(_), .. }) => Why::Lost,
                Some(Attempted { failures, .. }) if failures.is_empty() => Why::Looking,
                Some(Attempted { ours, theirs, .. }) if ours.is_empty() || theirs.is_empty() => {
                    Why::NoAddress
                }
                Some(_) if silent => Why::UdpBlockedHere,
                Some(_) => Why::Nothing,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn by(kind: PathKind, attempted: Option<Attempted>) -> Option<Why> {
        let path = Some(PathInUse { kind, round_trip: None, shortest: None });
        Report { path, attempted, ..Report::default() }.why()
    }

    #[test]
    fn each_way_has_its_reason() {
        let named = || Attempted { ours: vec!["a".into()], theirs: vec!["b".into()], ..Attempted::default() };
        let failed = || Attempted { failures: vec!["x".into()], ..named() };
        let opened = Some((PathKind::DirectUdp, Duration::ZERO));
        assert_eq!(Report::default().why(), None);
        assert_eq!(by(PathKind::DirectUdp, None), None);
        assert_eq!(by(PathKind::DirectTcp, Some(named())), Some(Why::OnlyTcp));
        let silent = Attempted { servers_silent: true, ..failed() };
        assert_eq!(by(PathKind::DirectTcp, Some(silent.clone())), Some(Why::UdpBlockedHere));
        assert_eq!(by(PathKind::RelayedUdp, Some(named())), Some(Why::Nothing));
        assert_eq!(by(PathKind::Relay, None), Some(Why::Looking));
        assert_eq!(by(PathKind::Relay, Some(named())), Some(Why::Looking));
        assert_eq!(by(PathKind::Relay, Some(silent)), Some(Why::UdpBlockedHere));
        assert_eq!(by(PathKind::Relay, Some(failed())), Some(Why::Nothing));
        assert_eq!(by(PathKind::Relay, Some(Attempted { opened, ..named() })), Some(Why::Slower));
        assert_eq!(by(PathKind::Relay, Some(Attempted { opened, ..failed() })), Some(Why::Lost));
        let unnamed = Attempted { theirs: Vec::new(), ..failed() };
        assert_eq!(by(PathKind::Relay, Some(unnamed)), Some(Why::NoAddress));
    }
}
