//! The toolkit's platform with one thing changed: carets do not blink.
//!
//! A blinking caret paints its field twice a second for as long as its window has the focus: two pictures a second for whoever watches the
//! screen, and two thirds of all the work that this program does while nothing happens.

use std::fmt::Arguments;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use i_slint_backend_winit::Backend;
use i_slint_core::{InternalToken, SlintContextWeak};
use slint::PlatformError;
use slint::platform::{Clipboard, EventLoopProxy, Platform, SetPlatformError, WindowAdapter};

/// Has the windows of this thread use the steady platform. To be called before the first window; more than once does no harm.
///
/// # Errors
/// When the toolkit cannot reach the display.
pub(super) fn install() -> Result<(), PlatformError> {
    match slint::platform::set_platform(Box::new(Steady(Backend::new()?))) {
        Ok(()) | Err(SetPlatformError::AlreadySet) => Ok(()),
        Err(error) => Err(error.to_string().into()),
    }
}

/// INVARIANT: everything but the caret is the backend's own answer, also where the trait has a default.
struct Steady(Backend);

impl Platform for Steady {
    fn cursor_flash_cycle(&self) -> Duration {
        Duration::ZERO
    }

    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        self.0.create_window_adapter()
    }

    fn run_event_loop(&self) -> Result<(), PlatformError> {
        self.0.run_event_loop()
    }

    fn process_events(
        &self,
        time: Option<Duration>,
        token: InternalToken,
    ) -> Result<ControlFlow<()>, PlatformError> {
        self.0.process_events(time, token)
    }

    fn bind_context(&self, context: SlintContextWeak, token: InternalToken) {
        self.0.bind_context(context, token);
    }

    fn new_event_loop_proxy(&self) -> Option<Box<dyn EventLoopProxy>> {
        self.0.new_event_loop_proxy()
    }

    fn duration_since_start(&self) -> Duration {
        self.0.duration_since_start()
    }

    fn click_interval(&self) -> Duration {
        self.0.click_interval()
    }

    fn set_clipboard_text(&self, text: &str, clipboard: Clipboard) {
        self.0.set_clipboard_text(text, clipboard);
    }

    fn clipboard_text(&self, clipboard: Clipboard) -> Option<String> {
        self.0.clipboard_text(clipboard)
    }

    fn debug_log(&self, arguments: Arguments<'_>) {
        self.0.debug_log(arguments);
    }

    fn open_url(&self, url: &str) -> Result<(), PlatformError> {
        self.0.open_url(url)
    }
}
