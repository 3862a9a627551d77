//! The web workspace: its packages (`npm ci`) and its build, each skipped when nothing it is made from has changed.

use crate::{process, workspace};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use walkdir::WalkDir;

/// Fetches the npm packages that `web/package-lock.json` names, if they are not there yet.
pub fn packages() -> Result<()> {
    if !process::exists("npm") {
        bail!("npm is missing; please install Node.js 20.19 or newer and try again");
    }
    let web = workspace::root().join("web");
    let inputs = files(&web, |path| path.ends_with("package.json") || path.ends_with("package-lock.json"))?;
    when_changed("npm", &inputs, &[web.join("node_modules")], || {
        eprintln!("fetching the web packages");
        process::run(npm(&["ci", "--no-audit", "--no-fund"]).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))
    })
}

/// Builds the pages that the server carries inside, if their sources changed.
pub fn build() -> Result<()> {
    packages()?;
    let web = workspace::root().join("web");
    let inputs = files(&web, |path| !path.starts_with(web.join("e2e")))?;
    let mut results = Vec::new();
    for app in std::fs::read_dir(web.join("apps")).context("cannot read web/apps")? {
        results.push(app?.path().join("dist"));
    }
    when_changed("web", &inputs, &results, || {
        eprintln!("building the web pages");
        process::run(&mut npm(&["run", "build", "--silent"]))
    })
}

/// An npm command in the web workspace.
pub fn npm(words: &[&str]) -> Command {
    let mut command = process::command("npm");
    command.current_dir(workspace::root().join("web")).args(words).env("NO_UPDATE_NOTIFIER", "1");
    command
}

fn when_changed(
    name: &str,
    inputs: &BTreeMap<PathBuf, u64>,
    results: &[PathBuf],
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    inputs.hash(&mut hasher);
    let now = format!("{:016x}", hasher.finish());
    // Beside what it tells of: whoever removes the packages removes the stamps with them.
    let stamp = workspace::root().join("web/node_modules").join(format!(".made-from-{name}"));
    let before = std::fs::read_to_string(&stamp).unwrap_or_default();
    if before == now && results.iter().all(|path| path.exists()) {
        return Ok(());
    }
    make()?;
    std::fs::write(&stamp, now).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Every file below `folder` that people write, with a hash of its content.
fn files(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<BTreeMap<PathBuf, u64>> {
    let made = ["node_modules", "dist", "screenshots", "test-results", ".svelte-kit"];
    let walk = WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| !entry.file_name().to_str().is_some_and(|name| made.contains(&name)));
    let mut found = BTreeMap::new();
    for entry in walk {
        let entry = entry?;
        if entry.file_type().is_file() && wanted(entry.path()) {
            let bytes = std::fs::read(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            found.insert(entry.path().to_owned(), hasher.finish());
        }
    }
    Ok(found)
}
