//! Has cargo build this crate again when the web pages that it embeds have changed, or are there for the first time.
#![allow(clippy::print_stdout)] // how a build script talks to cargo

fn main() {
    for app in ["console", "join"] {
        println!("cargo:rerun-if-changed=../../web/apps/{app}/dist");
    }
}
