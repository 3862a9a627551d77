//! The loop that joins network, windows and workers around the conductor.

use std::collections::VecDeque;
use std::time::Duration;

use belay_net::Dial;
use belay_net::applet::{Command, Connection, Event, Interruption};
use belay_wire::{Moment, Right};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::conductor::Conductor;
use crate::deeds::{Deed, Far, Happening, Person, Show};
use crate::exit::Exit;
use crate::host_log::{Entry, HostLog, Whom};
use crate::workers::Workers;

/// Messages that may wait for the network; more means that it is dead, whatever it says.
const MAX_WAITING: usize = 4096;
/// How long the last words may take to leave.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What the windows say.
#[derive(Debug)]
pub enum FromWindow {
    /// The person did something.
    Person(Person),
    /// The last window was closed.
    Closed,
}

/// Everything the loop joins.
pub struct Program<S> {
    /// The mind.
    pub conductor: Conductor,
    /// The clock all share.
    pub clock: Clock,
    /// The network.
    pub connection: Connection,
    /// Capture, input and panic key; they say what happened through `happened`.
    pub workers: Workers,
    /// What the workers say, and who looks at the way to the server.
    pub happened: mpsc::Receiver<Happening>,
    /// For those who say it.
    pub happen: mpsc::Sender<Happening>,
    /// The way to the server.
    pub dial: Dial,
    /// Looks at it.
    pub examining: JoinSet<()>,
    /// What the windows say.
    pub windows: mpsc::Receiver<FromWindow>,
    /// Shows things in the windows.
    pub show: S,
    /// The record, if it could be opened.
    pub log: Option<HostLog>,
}

/// How it ended.
pub struct Outcome {
    /// For the shell that started the program.
    pub exit: Exit,
    /// Whether this file has had its session.
    pub used: bool,
    /// The record, for the last line.
    pub log: Option<HostLog>,
    /// Who the last line is about.
    pub whom: Whom,
}

struct Finish {
    exit: Exit,
    at: Moment,
}

impl<S: Fn(Show)> Program<S> {
    /// Runs until the session is over and the last window closed.
    pub async fn run(mut self) -> Outcome {
        let mut waiting: VecDeque<Command> = VecDeque::new();
        let mut finish: Option<Finish> = None;
        let mut outcome =
            Outcome { exit: Exit::Internal, used: false, log: self.log.take(), whom: Whom::default() };
        let mut windows_open = true;
        let mut network_open = true;
        if outcome.log.is_none() {
            self.conductor.handle(Happening::LogFailed, self.clock.now());
        }
        self.drain(&mut waiting, &mut finish, &mut outcome);
        loop {
            let wake = [self.conductor.next_timeout(), finish.as_ref().map(|finish| finish.at)];
            let wake = wake.into_iter().flatten().min().map(|at| self.clock.instant(at));
            let wake = wake.unwrap_or_else(|| std::time::Instant::now() + Duration::from_secs(3600));
            let happening = tokio::select! {
                // The person comes first, whatever the network is up to.
                biased;
                said = self.windows.recv(), if windows_open => match said {
                    Some(FromWindow::Person(person)) => Happening::Person(person),
                    Some(FromWindow::Closed) => break,
                    None => { windows_open = false; Happening::Person(Person::Left) }
                },
                Some(happening) = self.happened.recv() => self.explained(happening).await,
                permit = self.connection.commands.reserve(), if network_open && !waiting.is_empty() => {
                    match (permit, waiting.pop_front()) {
                        (Ok(permit), Some(command)) => permit.send(command),
                        (Ok(_), None) => {}
                        (Err(_), _) => { network_open = false; waiting.clear(); }
                    }
                    continue;
                }
                event = self.connection.events.recv(), if network_open => match event {
                    Some(event) => {
                        if let Event::Path(path) = &event {
                            self.workers.note_round_trip(path.shortest);
                        }
                        heard(event)
                    }
                    None => { network_open = false; Happening::Lost("the connection ended".into()) }
                },
                () = tokio::time::sleep_until(wake.into()) => Happening::Tick,
            };
            self.conductor.handle(happening, self.clock.now());
            self.drain(&mut waiting, &mut finish, &mut outcome);
            if !network_open {
                waiting.clear();
            }
            if waiting.len() > MAX_WAITING {
                waiting.clear();
                self.conductor
                    .handle(Happening::Lost("the network does not keep up".into()), self.clock.now());
                self.drain(&mut waiting, &mut finish, &mut outcome);
            }
            if finish.as_ref().is_some_and(|finish| self.clock.moment() >= finish.at) {
                break;
            }
        }
        outcome.exit = finish.map_or(Exit::Ended, |finish| finish.exit);
        self.workers.stop();
        self.last_words(waiting).await;
        outcome
    }

    /// Puts the reason to a capture that ended.
    async fn explained(&self, happening: Happening) -> Happening {
        match happening {
            Happening::CaptureEnded(opening) => match self.workers.why_ended(opening).await {
                Some(why) => Happening::Failed(Right::DesktopView, why),
                None => Happening::CaptureEnded(opening),
            },
            happening => happening,
        }
    }

    fn drain(&mut self, waiting: &mut VecDeque<Command>, finish: &mut Option<Finish>, outcome: &mut Outcome) {
        while let Some(deed) = self.conductor.poll() {
            match deed {
                Deed::Send(message) => self.say(Command::Send(message), waiting),
                Deed::Report(kind, right) => self.say(Command::Report(kind, right), waiting),
                Deed::Leave(reason) => self.say(Command::Bye(reason), waiting),
                Deed::Screen(deed) => self.workers.screen(deed),
                Deed::Inject(admitted, input) => self.workers.inject(admitted, input),
                Deed::LetGo => self.workers.let_go(),
                Deed::Log(whom, entry) => {
                    outcome.used |= matches!(entry, Entry::SessionStarted { .. });
                    if !record(outcome.log.as_mut(), &whom, &entry) && outcome.log.take().is_some() {
                        (self.show)(Show::Story(crate::deeds::Story::LogFailed));
                    }
                    outcome.whom = whom;
                }
                Deed::Examine => {
                    let (dial, happen) = (self.dial.clone(), self.happen.clone());
                    self.examining.spawn(async move {
                        let checks = belay_net::check::check(&dial, None).await;
                        if happen.send(Happening::Examined(checks)).await.is_err() {
                            tracing::debug!("nobody is there to hear of the way");
                        }
                    });
                }
                Deed::Show(show) => (self.show)(show),
                Deed::Finish(exit, at) => *finish = Some(Finish { exit, at }),
            }
        }
    }

    /// Straight to the network when nothing waits before it.
    fn say(&self, command: Command, waiting: &mut VecDeque<Command>) {
        if !waiting.is_empty() {
            return waiting.push_back(command);
        }
        match self.connection.commands.try_send(command) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(command)) => waiting.push_back(command),
            Err(mpsc::error::TrySendError::Closed(_)) => tracing::debug!("nobody is there to hear it"),
        }
    }

    async fn last_words(self, waiting: VecDeque<Command>) {
        let Connection { mut events, commands, mut task, departures: _ } = self.connection;
        let spoken = tokio::time::timeout(LAST_WORDS, async {
            for command in waiting {
                if commands.send(command).await.is_err() {
                    break;
                }
            }
            drop(commands);
            // Whatever still comes in is let go, so that nothing that goes out waits for it.
            while events.recv().await.is_some() {}
            (&mut task).await
        });
        match spoken.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the connection's task failed"),
            Err(_) => task.abort(),
        }
    }
}

/// What an event means for the session.
fn heard(event: Event) -> Happening {
    match event {
        Event::Admitted(session) => Happening::Admitted(session),
        Event::Refused(refusal) => Happening::Refused(refusal),
        Event::Unreachable(error) => {
            tracing::error!(%error, "no gateway reached");
            Happening::Unreachable
        }
        Event::Paired(code) => Happening::Paired(code),
        Event::Message(message) => Happening::Message(message),
        Event::PartnerLeft(reason) => Happening::PartnerLeft(reason),
        Event::Breach(what) => Happening::Breach(what),
        Event::Interrupted(Interruption::Ours(why)) => {
            tracing::warn!(%why, "the connection to the gateway is interrupted");
            Happening::Interrupted(Far::Server)
        }
        Event::Interrupted(Interruption::Partner) => Happening::Interrupted(Far::Technician),
        Event::Interrupted(Interruption::Returned) => Happening::Returned,
        Event::Resumed => Happening::Resumed,
        Event::Insecure(how) => Happening::Insecure(how),
        Event::Interference(interference) => Happening::Interference(interference),
        Event::Quiet => Happening::Quiet,
        Event::Path(path) => {
            tracing::info!(kind = ?path.kind, round_trip = ?path.round_trip, "the path in use");
            Happening::Path(path)
        }
        Event::Attempted(attempted) => {
            // Addresses are shown to people, and written to no log.
            tracing::info!(attempt = attempted.attempt, opened = ?attempted.opened, "a direct path was tried");
            Happening::Attempted(attempted)
        }
    }
}

/// Whether the record took it.
fn record(log: Option<&mut HostLog>, whom: &Whom, entry: &Entry) -> bool {
    let Some(log) = log else { return false };
    match log.write(crate::clock::unix(), whom, entry) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, path = %log.path().display(), "cannot write the record");
            false
        }
    }
}
