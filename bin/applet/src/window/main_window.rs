//! What the main window says, and what it hears.

use std::cell::Cell;
use std::rc::Rc;

use belay_permission::EndReason;
use belay_wire::Right;
use slint::{CloseRequestResponse, ComponentHandle, Model, Timer};
use tokio::sync::mpsc;

use super::generated::{ChatLine, MainWindow, Pane, StoryLine, Tone};
use super::{Stage, code_words, shared, tell, withdraw};
use crate::deeds::{Check, Far, Over, Partner, Person, State, Story};
use crate::run::FromWindow;
use crate::texts::{fill, length};

/// Lines kept in each list.
const MAX_LINES: usize = 500;
/// Without a key for so long nobody is typing any more.
const TYPING: std::time::Duration = std::time::Duration::from_secs(3);

/// How often the length of an interruption is said anew.
const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

/// Connects the window's buttons and fields.
pub fn connect(main: &MainWindow, say: &mpsc::Sender<FromWindow>, over: Rc<Cell<bool>>) {
    let leave = {
        let say = say.clone();
        move || tell(&say, if over.get() { FromWindow::Closed } else { FromWindow::Person(Person::Left) })
    };
    let closing = leave.clone();
    main.on_leave(leave);
    main.window().on_close_requested(move || {
        closing();
        CloseRequestResponse::KeepWindowShown
    });
    let speaker = say.clone();
    main.on_stop_view(move || tell(&speaker, withdraw(Right::DesktopView)));
    let speaker = say.clone();
    main.on_stop_control(move || tell(&speaker, withdraw(Right::RemoteControl)));

    let speaker = say.clone();
    main.on_compared(move || tell(&speaker, FromWindow::Person(Person::Compared)));

    let speaker = say.clone();
    main.on_examine(move || tell(&speaker, FromWindow::Person(Person::WantsReport)));

    let typing = Rc::new((Cell::new(false), Timer::default()));
    let (speaker, state) = (say.clone(), typing.clone());
    main.on_typed(move || {
        if !state.0.replace(true) {
            tell(&speaker, FromWindow::Person(Person::Typing(true)));
        }
        let (speaker, weak) = (speaker.clone(), Rc::downgrade(&state));
        state.1.start(slint::TimerMode::SingleShot, TYPING, move || {
            if weak.upgrade().is_some_and(|state| state.0.replace(false)) {
                tell(&speaker, FromWindow::Person(Person::Typing(false)));
            }
        });
    });
    let speaker = say.clone();
    main.on_say(move |text| {
        typing.1.stop();
        if typing.0.replace(false) {
            tell(&speaker, FromWindow::Person(Person::Typing(false)));
        }
        let mut line = [0; 16];
        match aws_lc_rs::rand::fill(&mut line) {
            Ok(()) => tell(&speaker, FromWindow::Person(Person::Said { line, text: text.into() })),
            Err(_) => tracing::error!(
                "the system gives no random numbers, so the chat line has no id and is not sent"
            ),
        }
    });
}

impl Stage {
    /// Puts a state into words.
    pub(super) fn show_state(&self, state: &State) {
        let texts = self.look.texts;
        let (heading, detail, tone) = match state {
            State::Connecting => (texts.connecting_heading, texts.connecting_detail, Tone::Quiet),
            State::Waiting => (texts.waiting_heading, texts.waiting_detail, Tone::Busy),
            State::Left => (texts.waiting_heading, texts.left_detail, Tone::Busy),
            State::Reconnecting(far, _) => (texts.reconnecting_heading, self.broken(*far), Tone::Busy),
            State::Offline(Far::Server, _) => (texts.offline_heading, texts.offline_server, Tone::Bad),
            State::Offline(Far::Technician, _) => {
                (texts.offline_heading, texts.offline_technician, Tone::Bad)
            }
            State::Greeting => (texts.greeting_heading, texts.greeting_detail, Tone::Busy),
            State::Connected(_) => (texts.connected_heading, texts.connected_detail, Tone::Good),
            State::Untrusted(why) => (texts.untrusted_heading, texts.untrusted(*why), Tone::Bad),
            State::Insecure(how) => (texts.insecure_heading, texts.insecure(*how), Tone::Bad),
            State::Over(over) => self.farewell(*over),
        };
        let partner = &self.partner;
        let values = [
            ("technician", partner.technician.as_str()),
            ("company", &partner.company),
            ("domain", &partner.domain),
        ];
        let main = &self.main;
        main.set_state_heading(shared(fill(heading, &values)));
        let advice = if let State::Insecure(_) = state { texts.insecure_do } else { "" };
        main.set_state_detail(shared(fill(&[detail, advice].join(" "), &values).trim_end().to_owned()));
        main.set_state_tone(tone);
        // What is written during an interruption arrives after it.
        let chat_open = match state {
            State::Greeting | State::Connected(_) | State::Untrusted(_) => true,
            State::Reconnecting(..) | State::Offline(..) => main.get_chat_open(),
            State::Connecting | State::Waiting | State::Left | State::Insecure(_) | State::Over(_) => false,
        };
        let opened = chat_open && !main.get_chat_open();
        main.set_chat_open(chat_open);
        if opened {
            main.invoke_to_chat();
        }
        self.show_pause(state);
        main.set_over(matches!(state, State::Over(_)));
        main.set_bare(matches!(state, State::Over(Over::Refused(_))));
        if let State::Connected(partner) = state {
            main.set_window_title(shared(fill(texts.title, &[("operator", &partner.company)])));
            main.set_heading_company(partner.company.as_str().into());
            main.set_heading_domain(shared(fill(texts.prompt_domain, &values)));
        }
        if matches!(state, State::Over(_)) {
            main.set_sees(false);
            main.set_controls(false);
            main.set_typing("".into());
            main.set_pane(Pane::Story);
        }
    }

    fn broken(&self, far: Far) -> &'static str {
        let texts = self.look.texts;
        match far {
            Far::Technician => texts.reconnecting_technician,
            // Nothing can have been allowed where nobody has come yet.
            Far::Server if self.partner == Partner::default() => texts.reconnecting_waiting,
            Far::Server => texts.reconnecting_server,
        }
    }

    /// Says for how long the way has been interrupted, if it is, and that what is shared pauses.
    fn show_pause(&self, state: &State) {
        let since = match state {
            State::Reconnecting(_, since) | State::Offline(_, since) => Some(*since),
            State::Connecting
            | State::Waiting
            | State::Left
            | State::Greeting
            | State::Connected(_)
            | State::Untrusted(_)
            | State::Insecure(_)
            | State::Over(_) => None,
        };
        self.main.set_paused(since.is_some());
        let Some(since) = since else {
            self.ticker.stop();
            return self.main.set_state_since("".into());
        };
        let (look, weak) = (self.look, self.main.as_weak());
        let tick = move || {
            let Some(main) = weak.upgrade() else { return };
            let time = length(look.clock.moment().since(since));
            main.set_state_since(shared(fill(look.texts.interrupted_for, &[("time", &time)])));
        };
        tick();
        self.ticker.start(slint::TimerMode::Repeated, SECOND, tick);
    }

    /// Shows the security code to compare, that nobody needs to, or nothing.
    pub(super) fn show_check(&self, check: Check) {
        let (code, spoken, meaning, verified) = code_words(self.look.texts, check);
        self.main.set_code(code);
        self.main.set_code_spoken(spoken);
        self.main.set_code_meaning(meaning.into());
        self.main.set_verified(verified);
    }

    fn farewell(&self, over: Over) -> (&'static str, &'static str, Tone) {
        let texts = self.look.texts;
        match over {
            Over::Ended(EndReason::LinkLost) | Over::Lost => {
                (texts.lost_heading, texts.lost_detail, Tone::Bad)
            }
            Over::Ended(EndReason::Tampered) => (texts.tampered_heading, texts.tampered_detail, Tone::Bad),
            Over::Ended(why) => (texts.ended_heading, texts.ended(why), Tone::Good),
            Over::Closed => (texts.ended_heading, texts.ended_by_server, Tone::Good),
            Over::Refused(why) => (texts.refused_heading, texts.refused(why), Tone::Bad),
            Over::Unreachable => (texts.unreachable_heading, texts.unreachable_detail, Tone::Bad),
        }
    }

    /// Adds a line to the chat.
    pub(super) fn add_chat(&self, mine: bool, text: &str) {
        let who = if mine { self.look.texts.you } else { &self.partner.technician };
        push(&self.chat, ChatLine { mine, who: who.into(), text: text.into(), at: clock_time() });
        if self.main.get_pane() != Pane::Chat && !mine {
            self.main.set_chat_news(true);
        }
    }

    /// Adds a line to what happened.
    pub(super) fn add_story(&self, story: &Story) {
        let texts = self.look.texts;
        if let Story::Way(check) = story {
            let (text, alarming) = (shared(texts.way(check)), check.is_fatal());
            return push(&self.story, StoryLine { text, at: clock_time(), alarming });
        }
        let (text, right, alarming) = match story {
            Story::Connected => (texts.story_connected, None, false),
            Story::Technician(_) => (texts.story_technician, None, false),
            Story::Left => (texts.story_left, None, true),
            Story::Interrupted(Far::Server) => (texts.story_interrupted_server, None, true),
            Story::Interrupted(Far::Technician) => (texts.story_interrupted_technician, None, true),
            Story::Resumed => (texts.story_resumed, None, false),
            Story::Offline => (texts.story_offline, None, true),
            Story::Compared => (texts.story_compared, None, false),
            Story::Verified => (texts.story_verified, None, false),
            Story::Cut(right) => (texts.story_cut, Some(*right), false),
            // Said above.
            Story::Way(_) => return,
            Story::Breach => (texts.story_breach, None, true),
            Story::Insecure(how) => (texts.insecure(*how), None, true),
            Story::Interference => (texts.story_interference, None, true),
            Story::Untrusted => (texts.story_untrusted, None, true),
            Story::Asked(right) => (texts.story_asked, Some(*right), false),
            Story::Granted(right) => (texts.story_granted, Some(*right), false),
            Story::Refused(right) => (texts.story_refused, Some(*right), false),
            Story::TimedOut(right) => (texts.story_timed_out, Some(*right), false),
            Story::Cancelled(right) => (texts.story_cancelled, Some(*right), false),
            Story::ViewStarted => (texts.story_view_started, None, false),
            Story::ViewEnded => (texts.story_view_ended, None, false),
            Story::ControlEnded => (texts.story_control_ended, None, false),
            Story::Withdrawn(right) => (texts.story_withdrawn, Some(*right), false),
            Story::Released(right) => (texts.story_released, Some(*right), false),
            Story::Failed(right) => (texts.story_failed, Some(*right), true),
            Story::Violation(right) => (texts.story_violation, Some(*right), true),
            Story::Over(over) => (self.farewell(*over).0, None, *over == Over::Ended(EndReason::Tampered)),
            Story::LogFailed => (texts.story_log_failed, None, true),
        };
        let partner = if let Story::Technician(partner) = story { partner } else { &self.partner };
        let text = fill(
            text,
            &[
                ("technician", &partner.technician),
                ("company", &partner.company),
                ("domain", &partner.domain),
                ("right", right.map_or("", |right| texts.right(right))),
            ],
        );
        push(&self.story, StoryLine { text: text.into(), at: clock_time(), alarming });
    }
}

fn push<T: Clone + 'static>(lines: &slint::VecModel<T>, line: T) {
    if lines.row_count() >= MAX_LINES {
        lines.remove(0);
    }
    lines.push(line);
}

fn clock_time() -> slint::SharedString {
    let (hour, minute) = crate::clock::wall_time();
    shared(format!("{hour:02}:{minute:02}"))
}
