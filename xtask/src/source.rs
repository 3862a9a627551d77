//! The files of the checkout that people write, as git knows them.

use crate::{process, workspace};
use anyhow::{Context, Result};

/// A text file of the checkout.
pub struct Source {
    /// Path from the top folder, with `/`.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// Whether the file's name ends in one of `endings` (without the dot).
    pub fn is(&self, endings: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
    }
}

/// All text files that are in git or could be added to it. Files that are no text are left out.
pub fn all() -> Result<Vec<Source>> {
    let root = workspace::root();
    let mut list = process::command("git");
    list.current_dir(&root).args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let names = process::output(&mut list).context("tidy and layers read the list of files from git")?;
    let mut sources = Vec::new();
    for path in names.split('\0').filter(|name| !name.is_empty()) {
        // A file that git knows and the work tree lacks is being deleted: nothing to check.
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}

/// The lines of a Rust file up to its unit tests, without comments and without what string literals hold.
pub fn production_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut previous_is_test_gate = false;
    for (number, line) in text.lines().enumerate() {
        let bare = bare(line);
        let trimmed = bare.trim();
        if previous_is_test_gate && (trimmed.starts_with("mod ") || trimmed.starts_with("pub mod ")) {
            break;
        }
        previous_is_test_gate = trimmed.starts_with("#[cfg(test)]");
        lines.push((number + 1, bare));
    }
    lines
}

fn bare(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    let mut in_string = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' if in_string => {
                characters.next();
            }
            '"' => {
                in_string = !in_string;
                kept.push('"');
            }
            '/' if !in_string && characters.peek() == Some(&'/') => break,
            other if !in_string => kept.push(other),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let text = "use a; // std::fs\nlet x = \"std::net \\\" std::env\";\n#[cfg(test)]\nmod tests {\n std::fs\n}\n";
        let lines = production_lines(text);
        let joined: String = lines.iter().map(|(_, line)| line.as_str()).collect();
        assert!(joined.contains("use a;"));
        assert!(!joined.contains("std::"), "{joined}");
    }
}
