//! A thousand characters of many scripts arrive complete, whatever the program that takes them is made with.
#![allow(clippy::unwrap_used)]

mod desktop;

use std::process::Command;
use std::time::Duration;

use belay_desktop::Screen;
use belay_wire::input::{Button, Input as Wire};
use desktop::technician::{CONTROL, Technician, place, terminal};
use desktop::{Scratch, Server, until};

/// A thousand characters: alphabets, ideographs, signs, emoji of one and of several code points.
fn thousand() -> String {
    let lines = "Grüße aus Žďár: \"Ça va?\" – 5 × 3 ≠ 16 {a|b} [c\\d] ~e^f `g` 'h' @i #j $k %l &m\n\
                 Съешь же ещё этих мягких французских булок. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.\n\
                 色は匂へど散りぬるを 我が世誰ぞ常ならむ 天地玄黃宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏\n\
                 다람쥐 헌 쳇바퀴에 타고파 שלום עולם مرحبا بالعالم नमस्ते दुनिया สวัสดีชาวโลก\n\
                 😀🎉🚀👍🏽👩‍💻🇩🇪🇨🇿🏳️‍🌈 ½ € £ ¥ § © ™ → ∑ ∞ √ ♥ ♪ ☎ ✓ “quoted” ‘single’ … ligature ﬁ\n";
    let text: String = lines.chars().cycle().take(999).collect();
    text.trim_end().to_owned() + "."
}

/// Has the thousand typed into a window, and `finish` done, until the file holds it.
fn arrives(
    program: &str,
    arguments: &[&str],
    layout: &str,
    title: &str,
    file: &Scratch,
    finish: impl FnOnce(&mut Technician),
) {
    let server = Server::start("1000x700x24");
    server.done("setxkbmap", &[layout]);
    let _manager = server.run("openbox", &[]);
    let _program = server.run(program, arguments);
    let shown = || {
        let search = Command::new("xdotool")
            .args(["search", "--onlyvisible", "--name", title])
            .env("DISPLAY", &server.display)
            .output()
            .expect("these tests need the program xdotool");
        search.status.success()
    };
    let start = std::time::Instant::now();
    while !shown() {
        assert!(start.elapsed() < Duration::from_secs(40), "no window of {program}");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(700));
    let screen = Screen::open(Some(&server.display)).unwrap();
    let mut technician = Technician::at(&screen, std::process::id());
    let at = place(500, 330, 1000, 700);
    for down in [true, false] {
        technician.does(&Wire::Press { button: Button::Left, down, at: at.into() }).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    let text = thousand();
    assert!((990..=1000).contains(&text.chars().count()));
    technician.does(&Wire::Text(text.clone())).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    finish(&mut technician);
    until("the text in the file", || file.text().trim_end().chars().count() >= text.chars().count());
    assert_eq!(file.text().trim_end(), text, "{program}");
}

#[test]
fn in_a_gtk_program() {
    let file = Scratch::new("gtk");
    let command = format!(
        "exec zenity --text-info --editable --title=belay-gtk --width=900 --height=600 > '{}'",
        file.path().display()
    );
    arrives("sh", &["-c", &command], "de", "belay-gtk", &file, |technician| {
        // The button "OK".
        let at = place(900, 645, 1000, 700);
        for down in [true, false] {
            technician.does(&Wire::Press { button: Button::Left, down, at: at.into() }).unwrap();
        }
    });
}

#[test]
fn in_a_qt_program() {
    let file = Scratch::new("qt");
    std::fs::write(file.path(), "").unwrap();
    let path = file.path().display().to_string();
    let name = file.path().file_name().unwrap().to_str().unwrap().to_owned();
    let home = file.path().with_extension("home");
    std::fs::create_dir_all(&home).unwrap();
    let command =
        format!("HOME='{0}' XDG_CONFIG_HOME='{0}' exec featherpad --standalone '{path}'", home.display());
    arrives("sh", &["-c", &command], "us", &name, &file, |technician| {
        technician.key(true, 0xe0, CONTROL, "");
        technician.tap(0x16, CONTROL, "s");
        technician.key(false, 0xe0, 0, "");
    });
    std::fs::remove_dir_all(&home).unwrap();
}

#[test]
fn in_a_terminal() {
    let server = Server::start("1000x700x24");
    server.done("setxkbmap", &["cz"]);
    let screen = Screen::open(Some(&server.display)).unwrap();
    let file = Scratch::new("terminal");
    let _terminal = terminal(&server, &file);
    let mut technician = Technician::at(&screen, std::process::id());
    technician.does(&Wire::Move(place(200, 200, 1000, 700))).unwrap();
    let text = thousand() + "\n";
    technician.does(&Wire::Text(text.clone())).unwrap();
    until("all of it arrived", || file.text().len() >= text.len());
    assert_eq!(file.text(), text);
}
