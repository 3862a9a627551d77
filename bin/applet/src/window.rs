//! The windows: main window, question, bar. Lives on the main thread; everybody else talks to it through [`Screenplay`].

#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::restriction,
    clippy::pedantic
)]
mod generated {
    slint::include_modules!();
}

use std::cell::RefCell;
use std::rc::Rc;

use belay_permission::Answer;
use belay_wire::{Right, Rights};
use slint::{CloseRequestResponse, ComponentHandle, SharedString};
use tokio::sync::mpsc;

use crate::args::Appearance;
use crate::clock::Clock;
use crate::deeds::{Check, Over, Partner, Person, Show, State};
use crate::run::FromWindow;
use crate::texts::{self, Texts, fill};
use generated::{BarWindow, Label, MainWindow};

/// Sets words and colours, which the toolkit keeps for each window.
macro_rules! dress {
    ($window:expr, $look:expr) => {{
        let texts = $look.texts;
        let theme = $window.global::<$crate::window::generated::Theme<'_>>();
        if let Some(appearance) = $look.appearance {
            theme.set_chosen(true);
            theme.set_chosen_dark(appearance == $crate::args::Appearance::Dark);
        }
        let words = $window.global::<$crate::window::generated::Words<'_>>();
        words.set_shared_heading(texts.shared_heading.into());
        words.set_nothing_shared(texts.nothing_shared.into());
        words.set_view_label(texts.view_label.into());
        words.set_control_label(texts.control_label.into());
        words.set_stop_view($crate::window::label(texts.stop_view));
        words.set_stop_control($crate::window::label(texts.stop_control));
        words.set_end_session($crate::window::label(texts.end_session));
        words.set_close($crate::window::label(texts.close));
        words.set_panic_hint($look.hint.into());
        words.set_chat_tab(texts.chat_tab.into());
        words.set_story_tab(texts.story_tab.into());
        words.set_way_tab(texts.way_tab.into());
        words.set_way_heading(texts.way_heading.into());
        words.set_path_heading(texts.path_heading.into());
        words.set_interference_heading(texts.interference_heading.into());
        words.set_way_examine($crate::window::label(texts.way_examine));
        words.set_way_examining(texts.way_examining.into());
        words.set_chat_empty(texts.chat_empty.into());
        words.set_chat_placeholder(texts.chat_placeholder.into());
        words.set_chat_not_yet(texts.chat_not_yet.into());
        words.set_send($crate::window::label(texts.send));
        words.set_allow($crate::window::label(texts.allow));
        words.set_refuse($crate::window::label(texts.refuse));
        words.set_prompt_warning(texts.prompt_warning.into());
        words.set_view_paused(texts.view_paused.into());
        words.set_control_paused(texts.control_paused.into());
        words.set_code_heading(texts.code_heading.into());
        words.set_code_verified(texts.code_verified.into());
        words.set_code_verified_meaning(texts.code_verified_meaning.into());
        words.set_code_same($crate::window::label(texts.code_same));
    }};
}

mod connection;
mod main_window;
mod place;
mod platform;
mod prompt;

/// How long a notice stays when nobody closes it.
const NOTICE: std::time::Duration = std::time::Duration::from_secs(20);

thread_local! {
    /// The windows belong to the main thread; the screenplay's calls find them here.
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// How the windows look and speak.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The words.
    pub texts: &'static Texts,
    /// The colours, unless the system decides.
    pub appearance: Option<Appearance>,
    /// How to stop everything at once.
    pub hint: &'static str,
    /// The clock of the prompts.
    pub clock: Clock,
}

/// All windows, with what they show.
struct Stage {
    look: Look,
    main: MainWindow,
    chat: Rc<slint::VecModel<generated::ChatLine>>,
    story: Rc<slint::VecModel<generated::StoryLine>>,
    partner: Partner,
    over: Rc<std::cell::Cell<bool>>,
    prompt: Option<prompt::Prompt>,
    bar: Option<BarWindow>,
    /// What is shared, and with whom.
    shared: (Rights, Partner),
    /// Counts how long an interruption lasts.
    ticker: slint::Timer,
    say: mpsc::Sender<FromWindow>,
}

/// Opens the main window. Must be called on the main thread, before [`run`].
///
/// # Errors
/// When the toolkit cannot open a window.
pub fn open(look: Look, operator: &str, say: mpsc::Sender<FromWindow>) -> Result<(), slint::PlatformError> {
    platform::install()?;
    let main = MainWindow::new()?;
    let texts = look.texts;
    dress!(main, look);
    let title = if operator.is_empty() {
        texts.title_plain.to_owned()
    } else {
        fill(texts.title, &[("operator", operator)])
    };
    main.set_window_title(title.into());
    main.set_heading_company(if operator.is_empty() { "Belay".into() } else { operator.into() });
    let over = Rc::new(std::cell::Cell::new(false));
    let stage = Stage {
        look,
        chat: Rc::default(),
        story: Rc::default(),
        partner: Partner::default(),
        over: over.clone(),
        prompt: None,
        bar: None,
        shared: (Rights::NONE, Partner::default()),
        ticker: slint::Timer::default(),
        say: say.clone(),
        main,
    };
    stage.main.set_chat(stage.chat.clone().into());
    stage.main.set_story(stage.story.clone().into());
    main_window::connect(&stage.main, &say, over);
    stage.show_state(&State::Connecting);
    stage.main.show()?;
    STAGE.with_borrow_mut(|place| *place = Some(stage));
    Ok(())
}

/// Shows one sentence until it is closed, or for a while.
///
/// # Errors
/// When the toolkit cannot open a window.
pub fn notice(look: Look, heading: &str, detail: &str) -> Result<(), slint::PlatformError> {
    platform::install()?;
    let main = MainWindow::new()?;
    dress!(main, look);
    main.set_window_title(look.texts.title_plain.into());
    main.set_heading_company("Belay".into());
    main.set_state_heading(heading.into());
    main.set_state_detail(detail.into());
    main.set_state_tone(generated::Tone::Bad);
    main.set_over(true);
    main.set_bare(true);
    let quit = || {
        if let Err(error) = slint::quit_event_loop() {
            tracing::debug!(%error, "the windows are closed already");
        }
    };
    main.on_leave(quit);
    main.show()?;
    slint::Timer::single_shot(NOTICE, quit);
    slint::run_event_loop()
}

/// Runs the windows until [`Screenplay::close`].
///
/// # Errors
/// When the toolkit fails.
pub fn run() -> Result<(), slint::PlatformError> {
    let ran = slint::run_event_loop_until_quit();
    // Dropped here rather than with the thread, while the toolkit still lives.
    STAGE.with_borrow_mut(Option::take);
    ran
}

/// What other threads have of the windows.
#[derive(Clone, Copy, Debug)]
pub struct Screenplay;

impl Screenplay {
    /// Shows something, in the order of the calls.
    pub fn show(self, show: Show) {
        on_stage(move |stage| stage.apply(show));
    }

    /// Says that End, not Pause, stops everything.
    pub fn without_panic_key(self) {
        on_stage(|stage| {
            stage.look.hint = stage.look.texts.no_panic_hint;
            dress!(stage.main, stage.look);
        });
    }

    /// Says that the program failed.
    pub fn trouble(self) {
        on_stage(Stage::trouble);
    }

    /// Closes all windows and ends [`run`].
    pub fn close(self) {
        if let Err(error) = slint::quit_event_loop() {
            tracing::debug!(%error, "the windows are closed already");
        }
    }
}

fn on_stage(act: impl FnOnce(&mut Stage) + Send + 'static) {
    let queued = slint::invoke_from_event_loop(move || {
        STAGE.with_borrow_mut(|stage| {
            if let Some(stage) = stage {
                act(stage);
            }
        });
    });
    if let Err(error) = queued {
        tracing::debug!(%error, "the windows are closed already");
    }
}

/// Sends without waiting: a window never waits for anybody.
fn tell(say: &mpsc::Sender<FromWindow>, said: FromWindow) {
    if let Err(error) = say.try_send(said) {
        tracing::warn!(%error, "the window was not heard");
    }
}

/// A security code as the windows show it: grouped, digit by digit, what to do with it, and whether it is verified.
fn code_words(texts: &Texts, check: Check) -> (SharedString, SharedString, &'static str, bool) {
    let (code, meaning) = match check {
        Check::Nothing => return Default::default(),
        Check::Verified => return (SharedString::default(), SharedString::default(), "", true),
        Check::Compare(code) => (code, texts.code_meaning),
        Check::Unproved(code) => (code, texts.code_unproved),
    };
    (texts::grouped(code).into(), texts::digit_by_digit(code).into(), meaning, false)
}

fn label(text: &str) -> Label {
    let (before, access, after) = texts::access(text);
    Label { before: before.into(), access: access.into(), after: after.into() }
}

impl Stage {
    fn apply(&mut self, show: Show) {
        match show {
            Show::State(state) => self.enter(state),
            Show::Prompt { prompt, rights, answerable_at, expires_at, partner, check } => {
                let opened = prompt::Prompt::open(
                    self.look,
                    prompt,
                    rights,
                    (answerable_at, expires_at),
                    &partner,
                    check,
                    &self.say,
                );
                match opened {
                    Ok(opened) => self.prompt = Some(opened),
                    Err(error) => {
                        tracing::error!(%error, "the question cannot be shown, so it is refused");
                        tell(&self.say, FromWindow::Person(Person::Answered(prompt, Answer::Refuse)));
                    }
                }
            }
            Show::HidePrompt(prompt) => {
                self.prompt.take_if(|open| open.id == prompt);
            }
            Show::Check(check) => self.show_check(check),
            Show::Shared(rights, partner) => {
                self.shared = (rights, partner);
                self.share();
            }
            Show::Chat { mine, text } => self.add_chat(mine, &text),
            Show::Typing(on) => {
                let texts = self.look.texts;
                let typing = if on {
                    fill(texts.typing, &[("technician", &self.partner.technician)])
                } else {
                    String::new()
                };
                self.main.set_typing(typing.into());
            }
            Show::Story(story) => self.add_story(&story),
            Show::Connection(report) => self.show_connection(&report),
        }
    }

    fn enter(&mut self, state: State) {
        match &state {
            State::Connected(partner) => self.partner = partner.clone(),
            State::Waiting | State::Left | State::Greeting | State::Untrusted(_) | State::Insecure(_) => {
                self.partner = Partner::default()
            }
            State::Connecting | State::Reconnecting(..) | State::Offline(..) => {}
            State::Over(_) => {
                self.over.set(true);
                self.prompt = None;
                self.hide_bar();
            }
        }
        let paused = self.main.get_paused();
        self.show_state(&state);
        if self.bar.is_some() && self.main.get_paused() != paused {
            self.share();
        }
    }

    fn share(&mut self) {
        let (rights, partner) = (self.shared.0, &self.shared.1);
        let (sees, controls) = (rights.contains(Right::DesktopView), rights.contains(Right::RemoteControl));
        self.main.set_sees(sees);
        self.main.set_controls(controls);
        if rights.is_empty() {
            return self.hide_bar();
        }
        let texts = self.look.texts;
        let (who, company, what) = match (self.main.get_paused(), controls) {
            (true, _) => ("", "", texts.bar_paused),
            (false, true) => (&*partner.technician, &*partner.company, texts.uses),
            (false, false) => (&*partner.technician, &*partner.company, texts.sees),
        };
        let (who, company) = (SharedString::from(who), SharedString::from(company));
        let new = self.bar.is_none();
        let bar = match self.bar.take().map_or_else(|| self.new_bar(), Ok) {
            Ok(bar) => bar,
            Err(error) => return self.unseen(rights, &error),
        };
        bar.set_technician(who);
        bar.set_company(company);
        bar.set_sentence(what.into());
        bar.set_sees(sees);
        bar.set_controls(controls);
        place::make_fit(&bar);
        if new && let Err(error) = bar.show() {
            return self.unseen(rights, &error);
        }
        place::at_top(&bar);
        self.bar = Some(bar);
    }

    /// Nobody may look on unseen: without the bar nothing is shared.
    fn unseen(&self, rights: Rights, error: &slint::PlatformError) {
        tracing::error!(%error, "the bar cannot be shown, so nothing is shared");
        tell(&self.say, FromWindow::Person(Person::Withdrew(rights)));
    }

    fn new_bar(&self) -> Result<BarWindow, slint::PlatformError> {
        let bar = BarWindow::new()?;
        dress!(bar, self.look);
        bar.set_window_title(self.look.texts.bar_title.into());
        let say = self.say.clone();
        bar.on_stop_view(move || tell(&say, withdraw(Right::DesktopView)));
        let say = self.say.clone();
        bar.on_stop_control(move || tell(&say, withdraw(Right::RemoteControl)));
        let say = self.say.clone();
        bar.on_leave(move || tell(&say, FromWindow::Person(Person::Left)));
        let say = self.say.clone();
        bar.window().on_close_requested(move || {
            tell(&say, FromWindow::Person(Person::Left));
            CloseRequestResponse::KeepWindowShown
        });
        Ok(bar)
    }

    fn hide_bar(&mut self) {
        if let Some(bar) = self.bar.take()
            && let Err(error) = bar.hide()
        {
            tracing::warn!(%error, "the bar does not go away");
        }
    }

    fn trouble(&mut self) {
        let texts = self.look.texts;
        self.enter(State::Over(Over::Closed));
        self.main.set_state_heading(texts.trouble_heading.into());
        self.main.set_state_detail(texts.trouble_detail.into());
        self.main.set_state_tone(generated::Tone::Bad);
    }
}

fn withdraw(right: Right) -> FromWindow {
    FromWindow::Person(Person::Withdrew(right.into()))
}

fn shared(text: String) -> SharedString {
    text.into()
}
