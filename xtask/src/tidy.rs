//! `cargo xtask tidy`: the small rules of the house that a compiler does not know (STYLE.md says why).

use crate::source::{self, Source};
use anyhow::{Result, bail};

/// Files above this many lines are refused: two subjects live in them.
const TOO_LONG: usize = 600;

/// What may be long: text that a machine writes or that is one table by nature.
const MAY_BE_LONG: [&str; 2] = ["openapi/", "web/packages/api/src/generated"];

/// Byte strings that a fuzzer found: nobody writes them.
const FOUND_BY_MACHINES: &str = "fuzz/corpus/";

/// What may not be left behind in code. Written in two parts so that this file does not find itself.
const LEFTOVERS: [(&str, &str); 8] = [
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X:"),
    ("dbg", "!("),
    ("todo", "!("),
    ("unimplemented", "!("),
    ("console.", "log("),
    ("debug", "ger;"),
];

/// Folders of one machine, which no committed file may name.
const MACHINE_PATHS: [(&str, &str); 5] =
    [("/wo", "rk/main"), ("/wo", "rk/shared"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")];

/// What a checkout must have.
const REQUIRED: [&str; 15] = [
    "README.md",
    "ARCHITECTURE.md",
    "STYLE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "deny.toml",
    "clippy.toml",
    "core/clippy.toml",
    ".ci/run",
    "docs/glossary.md",
    "docs/threat-model.md",
    "docs/protocol/README.md",
];

const CODE: [&str; 5] = ["rs", "ts", "mjs", "svelte", "slint"];

/// Checks the whole checkout.
pub fn run() -> Result<()> {
    let sources = source::all()?;
    let written = sources.iter().filter(|source| !source.path.starts_with(FOUND_BY_MACHINES));
    let mut complaints: Vec<String> = written.flat_map(complaints).collect();
    for required in REQUIRED {
        if !sources.iter().any(|source| source.path == required) {
            complaints.push(format!("{required} is missing"));
        }
    }
    complaints.extend(broken_links(&sources));
    if complaints.is_empty() {
        eprintln!("tidy: {} files, nothing to mend", sources.len());
        return Ok(());
    }
    bail!("{} things to tidy:\n  {}", complaints.len(), complaints.join("\n  "))
}

fn complaints(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let path = &source.path;
    let generated = MAY_BE_LONG.iter().any(|prefix| path.starts_with(prefix)) || path.ends_with(".lock");
    let code = source.is(&CODE) && !generated;
    if code {
        if !opens_with_a_comment(source) {
            found.push(format!("{path}: must open with a comment that says what the file is for"));
        }
        let lines = source.text.lines().count();
        if lines > TOO_LONG {
            found.push(format!(
                "{path}: {lines} lines, more than {TOO_LONG}; two subjects live here, part them"
            ));
        }
        // Shared parts of integration tests must be mod.rs, or cargo takes them for a test of their own.
        if path.ends_with("/mod.rs") && !path.contains("/tests/") {
            found.push(format!("{path}: use `name.rs` beside `name/` in place of mod.rs"));
        }
    }
    for (number, line) in source.text.lines().enumerate() {
        let number = number + 1;
        if code {
            for (head, tail) in LEFTOVERS {
                if line.contains(&format!("{head}{tail}")) {
                    found.push(format!("{path}:{number}: `{head}{tail}` is left over"));
                }
            }
        }
        if line.ends_with([' ', '\t'])
            && (code || source.is(&["md", "toml", "json", "css", "html"]))
            && !generated
        {
            found.push(format!("{path}:{number}: white space at the end of the line"));
        }
        for (head, tail) in MACHINE_PATHS {
            if line.contains(&format!("{head}{tail}")) && !path.ends_with("package-lock.json") {
                found.push(format!("{path}:{number}: names a folder of one machine ({head}{tail}…)"));
            }
        }
    }
    if path.ends_with("Cargo.toml") && source.text.contains("[package]") {
        for key in ["description", "license.workspace", "[lints]"] {
            if !source.text.contains(key) {
                found.push(format!("{path}: `{key}` is missing"));
            }
        }
    }
    if !generated && !source.text.is_empty() && !source.text.ends_with('\n') {
        found.push(format!("{path}: no line break at the end"));
    }
    found
}

fn opens_with_a_comment(source: &Source) -> bool {
    let text = source.text.trim_start_matches('\u{feff}').trim_start();
    let text = if text.starts_with("#!") && !text.starts_with("#![") {
        text.split_once('\n').map_or("", |(_, rest)| rest)
    } else {
        text
    };
    if source.is(&["rs"]) {
        text.starts_with("//!")
    } else if source.is(&["svelte"]) {
        text.starts_with("<!--")
            || text.lines().take(3).any(|line| line.trim().starts_with("//") || line.trim().starts_with("/*"))
    } else {
        text.starts_with("//") || text.starts_with("/*")
    }
}

/// Links of Markdown files that lead to files that are not there.
fn broken_links(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is(&["md"])) {
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in source.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or("");
            let outside =
                file.is_empty() || file.contains("://") || file.starts_with("mailto:") || file.contains(' ');
            if !outside && !crate::workspace::root().join(folder).join(file).exists() {
                found.push(format!("{}: the link to {target} leads nowhere", source.path));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> Vec<String> {
        complaints(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn this_checkout_is_tidy() {
        run().unwrap();
    }

    #[test]
    fn a_good_file_is_left_alone() {
        assert_eq!(told("core/x/src/lib.rs", "//! What it is for.\n"), Vec::<String>::new());
        assert_eq!(told("web/x.svelte", "<!-- A button. -->\n<p/>\n"), Vec::<String>::new());
        assert_eq!(told("web/e2e/x.mjs", "#!/usr/bin/env node\n// Walks.\n"), Vec::<String>::new());
    }

    #[test]
    fn each_rule_can_fail() {
        let leftover = format!("//! x\n// {}{}: later\n", "TO", "DO");
        assert_eq!(told("a.rs", &leftover).len(), 1);
        assert_eq!(told("a.rs", "fn a() {}\n").len(), 1);
        assert_eq!(told("a.rs", "//! x \n").len(), 1);
        assert_eq!(told("a.rs", "//! x").len(), 1);
        assert_eq!(told("a/mod.rs", "//! x\n").len(), 1);
        assert_eq!(told("a.md", &format!("see {}{}x\n", "/ro", "ot/")).len(), 1);
        assert_eq!(told("a.rs", &format!("//! x\n{}", "\n".repeat(TOO_LONG))).len(), 1);
        assert_eq!(told("a/Cargo.toml", "[package]\nname = \"a\"\n").len(), 3);
    }

    #[test]
    fn a_link_to_nowhere_is_told() {
        let page = Source {
            path: "docs/x.md".into(),
            text: "[a](nothing-here.md) [b](../README.md) [c](https://x)\n".into(),
        };
        let told = broken_links(&[page]);
        assert_eq!(told, ["docs/x.md: the link to nothing-here.md leads nowhere"]);
    }
}
