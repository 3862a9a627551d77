//! When the program itself fails: the person is told, nothing goes on in silence.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::texts::Texts;
use crate::window::Screenplay;

static TOLD: AtomicBool = AtomicBool::new(false);

/// Has failures of any thread written down and shown.
pub fn watch(texts: &'static Texts) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        if std::thread::current().name() == Some("main") {
            // The windows are about to be gone.
            tell(texts);
        } else {
            Screenplay.trouble();
        }
    }));
}

/// Shows a message without our own windows, by whatever the desktop has; the words are on standard error in any case.
#[allow(clippy::print_stderr)]
pub fn tell(texts: &Texts) {
    if TOLD.swap(true, Ordering::SeqCst) {
        return;
    }
    let words = format!("{}. {}", texts.trouble_heading, texts.trouble_detail);
    eprintln!("{words}");
    let programs: [(&str, &[&str]); 4] = [
        ("zenity", &["--error", "--title=Belay", "--no-markup", "--text"]),
        ("kdialog", &["--title", "Belay", "--error"]),
        ("xmessage", &["-center"]),
        ("notify-send", &["Belay"]),
    ];
    for (program, options) in programs {
        let started = Command::new(program)
            .args(options)
            .arg(&words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if started.is_ok() {
            return;
        }
    }
}
