//! The question and its clock.

use std::rc::Rc;
use std::time::Duration;

use belay_permission::{Answer, PromptId};
use belay_wire::{Moment, Right, Rights};
use slint::{CloseRequestResponse, ComponentHandle, Timer, TimerMode};
use tokio::sync::mpsc;

use super::generated::PromptWindow;
use super::{Look, code_words, place, shared, tell};
use crate::deeds::{Check, Partner, Person};
use crate::run::FromWindow;
use crate::texts::fill;

/// Added to the safety delay shown, so that the button never opens before the answer counts.
const MARGIN: Duration = Duration::from_millis(30);

/// An open question. Dropping it takes it away.
pub struct Prompt {
    /// Which question.
    pub id: PromptId,
    window: PromptWindow,
    _timer: Timer,
}

impl Prompt {
    /// Asks. `times`: from when on it can be allowed, and when it counts as refused. `check`: what to compare first.
    pub fn open(
        look: Look,
        id: PromptId,
        rights: Rights,
        times: (Moment, Moment),
        partner: &Partner,
        check: Check,
        say: &mpsc::Sender<FromWindow>,
    ) -> Result<Prompt, slint::PlatformError> {
        let window = PromptWindow::new()?;
        dress!(window, look);
        let texts = look.texts;
        let Partner { technician, company, domain } = partner;
        let filled = |text| {
            shared(fill(text, &[("technician", technician), ("company", company), ("domain", domain)]))
        };
        let (question, meaning) = texts.question(rights);
        window.set_window_title(filled(texts.prompt_title));
        window.set_question(filled(question));
        window.set_meaning(filled(meaning));
        window.set_technician(technician.into());
        window.set_company(company.into());
        window.set_domain(filled(texts.prompt_domain));
        let (code, spoken, code_meaning, verified) = code_words(texts, check);
        window.set_code(code);
        window.set_code_spoken(spoken);
        window.set_code_meaning(code_meaning.into());
        window.set_verified(verified);
        window.set_asks_view(rights.contains(Right::DesktopView));
        window.set_asks_control(rights.contains(Right::RemoteControl));

        let answer = |answer| {
            let say = say.clone();
            Rc::new(move || tell(&say, FromWindow::Person(Person::Answered(id, answer))))
        };
        let (allow, refuse) = (answer(Answer::Allow), answer(Answer::Refuse));
        let closed = refuse.clone();
        window.on_allow(move || allow());
        window.on_refuse(move || refuse());
        window.window().on_close_requested(move || {
            closed();
            CloseRequestResponse::HideWindow
        });

        let weak = window.as_weak();
        let tick = move || {
            let Some(window) = weak.upgrade() else { return };
            let now = look.clock.moment();
            let (answerable, expires) = (times.0 + MARGIN, times.1);
            window.set_answerable(now >= answerable);
            let seconds = |until: Moment| until.since(now).as_millis().div_ceil(1000).to_string();
            window.set_countdown(shared(fill(texts.countdown, &[("seconds", &seconds(answerable))])));
            window.set_remaining(shared(fill(texts.remaining, &[("seconds", &seconds(expires))])));
        };
        tick();
        let timer = Timer::default();
        timer.start(TimerMode::Repeated, Duration::from_millis(100), tick);
        window.show()?;
        window.invoke_take_focus();
        place::in_front(&window);
        Ok(Prompt { id, window, _timer: timer })
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        if let Err(error) = self.window.hide() {
            tracing::warn!(%error, "the question does not go away");
        }
    }
}
