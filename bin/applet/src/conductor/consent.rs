//! What follows from the end user's word: for the machine, the console, the website, the record and the windows, in this order.

use belay_permission::{
    Admission, Answer, EndReason, Hidden, Input as Consent, Output, PromptId, RevokeCause,
};
use belay_wire::gateway::{Leaving, ReportKind};
use belay_wire::message::{EndedBy, Outcome};
use belay_wire::{Message, Right, Rights};

use super::{ALARM, BAD_NEWS, Conductor, GOOD_BYE, Now};
use crate::deeds::{Deed, Over, ScreenDeed, Show, Story};
use crate::exit::Exit;
use crate::host_log::Entry;

impl Conductor {
    /// Puts something to the permission machine and does what follows.
    pub(super) fn consent(&mut self, input: Consent, now: Now) {
        self.permission.handle(input, now.moment);
        while let Some(output) = self.permission.poll() {
            match output {
                Output::ShowPrompt { prompt, rights, answerable_at, expires_at, .. } => {
                    self.log(Entry::PromptShown(rights));
                    self.tell(rights, Story::Asked);
                    self.prompt = Some((prompt, rights));
                    let partner = self.partner.clone();
                    let check = self.check();
                    let show = Show::Prompt { prompt, rights, answerable_at, expires_at, partner, check };
                    self.deeds.push_back(Deed::Show(show));
                    if rights.contains(Right::DesktopView) && self.wanted.is_some() {
                        self.deeds.push_back(Deed::Screen(ScreenDeed::Ready(self.wanted)));
                    }
                }
                Output::HidePrompt { prompt, why } => self.hide(prompt, why),
                Output::Decide { request, rights, outcome } => self.decided(request, rights, outcome),
                Output::Granted(rights) => self.granted(rights),
                Output::Revoked { rights, cause } => self.revoked(rights, cause, now),
                Output::Ended(why) => self.ended(why, now),
            }
        }
    }

    fn hide(&mut self, prompt: PromptId, why: Hidden) {
        let rights = self.prompt.take_if(|(id, _)| *id == prompt).map_or(Rights::NONE, |(_, rights)| rights);
        self.deeds.push_back(Deed::Show(Show::HidePrompt(prompt)));
        // Whoever takes a question back may ask again at once, and again.
        if rights.contains(Right::DesktopView)
            && !matches!(why, Hidden::Answered(Answer::Allow) | Hidden::Cancelled)
        {
            self.deeds.push_back(Deed::Screen(ScreenDeed::Ready(None)));
        }
        match why {
            Hidden::Cancelled | Hidden::Overtaken | Hidden::PairingLost => {
                self.tell(rights, Story::Cancelled)
            }
            Hidden::Interrupted => self.tell(rights, Story::Cut),
            Hidden::Answered(Answer::Allow | Answer::Refuse) | Hidden::TimedOut | Hidden::Ended => {}
        }
    }

    fn decided(&mut self, request: u32, rights: Rights, outcome: Outcome) {
        self.deeds.push_back(Deed::Send(Message::Decision { request, rights, outcome }));
        match outcome {
            Outcome::Granted | Outcome::NotAllowed | Outcome::Busy | Outcome::OutOfOrder => {}
            Outcome::Refused => {
                self.report(rights, ReportKind::Refused);
                self.log(Entry::Refused(rights));
                self.tell(rights, Story::Refused);
            }
            // Nobody refused anything, so the website hears of no refusal.
            Outcome::TimedOut if self.away.is_some() => self.log(Entry::PromptInterrupted(rights)),
            Outcome::TimedOut => {
                self.report(rights, ReportKind::Refused);
                self.log(Entry::TimedOut(rights));
                self.tell(rights, Story::TimedOut);
            }
        }
    }

    fn granted(&mut self, rights: Rights) {
        self.report(rights, ReportKind::Granted);
        // The capture starts while the record is written.
        let opened = rights.contains(Right::DesktopView) && self.open_wanted();
        self.log(Entry::Granted(rights));
        self.tell(rights, Story::Granted);
        if opened {
            self.view_started();
        }
        if rights.contains(Right::RemoteControl) {
            self.log(Entry::ControlStarted);
        }
        self.show_shared();
    }

    /// Shows what the console said that it wants to see, if it did: it need not ask for that once more, and the picture comes a
    /// round trip sooner.
    fn open_wanted(&mut self) -> bool {
        let Some(view) = self.wanted.take() else { return false };
        let Ok(Admission::With(admitted)) = self.permission.admit(&Message::ScreenOpen(view)) else {
            return false;
        };
        !self.begin(admitted, view)
    }

    fn revoked(&mut self, rights: Rights, cause: RevokeCause, now: Now) {
        // First of all the machine is let go of; only then is anybody told.
        self.stop(rights);
        self.violations.revoked(rights, now.moment);
        self.show_shared();
        if let Some(cause) = cause.wire() {
            self.deeds.push_back(Deed::Send(Message::Withdrawn { rights, cause }));
        }
        self.report(rights, ReportKind::Withdrawn);
        let word = match cause {
            RevokeCause::EndUser => "end_user",
            RevokeCause::Technician => "technician",
            RevokeCause::Dependent => "dependent",
            RevokeCause::Failure => "failure",
            RevokeCause::Offline => "offline",
            RevokeCause::PairingLost => "technician_gone",
            RevokeCause::Ended(_) => "session_ended",
        };
        self.log(Entry::Withdrawn { rights, cause: word });
        match cause {
            RevokeCause::EndUser => self.tell(rights, Story::Withdrawn),
            RevokeCause::Technician => self.tell(rights, Story::Released),
            RevokeCause::Failure => self.tell(rights, Story::Failed),
            RevokeCause::Dependent
            | RevokeCause::Offline
            | RevokeCause::PairingLost
            | RevokeCause::Ended(_) => {}
        }
    }

    fn ended(&mut self, why: EndReason, now: Now) {
        self.close_screen();
        self.log(Entry::Ended(why));
        let (leaving, exit, stay) = match why {
            EndReason::EndUser | EndReason::PanicKey | EndReason::CharterExpired => {
                if self.paired {
                    self.deeds.push_back(Deed::Send(Message::End(EndedBy::EndUser)));
                }
                (Some(Leaving::EndedByEndUser), Exit::Ended, GOOD_BYE)
            }
            EndReason::Technician => (Some(Leaving::EndedByTechnician), Exit::Ended, GOOD_BYE),
            EndReason::LinkLost => (None, Exit::NoGateway, BAD_NEWS),
            EndReason::Tampered => (Some(Leaving::Closed), Exit::Tampered, ALARM),
        };
        if let Some(leaving) = leaving {
            self.deeds.push_back(Deed::Leave(leaving));
        }
        let over = if why == EndReason::LinkLost { Over::Lost } else { Over::Ended(why) };
        self.over(over, exit, stay, now);
    }

    fn show_shared(&mut self) {
        let shared = self.permission.effective();
        self.deeds.push_back(Deed::Show(Show::Shared(shared, self.partner.clone())));
    }

    fn report(&mut self, rights: Rights, kind: ReportKind) {
        self.deeds.extend(rights.iter().map(|right| Deed::Report(kind, right)));
    }

    fn tell(&mut self, rights: Rights, story: fn(Right) -> Story) {
        rights.iter().for_each(|right| self.story(story(right)));
    }
}
