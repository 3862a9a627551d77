//! The pages are embedded at build time: build again when a web build has changed them.

fn main() {
    for app in ["console", "join"] {
        println!("cargo:rerun-if-changed=../../web/apps/{app}/dist");
    }
}
