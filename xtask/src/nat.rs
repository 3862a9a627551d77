//! `cargo xtask nat`: plays sessions through all kinds of networks (`tests/nat`) and keeps the table of what was measured.

use crate::{packages, process, programs, web, workspace};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// Where the table is kept, and between which lines.
const PAGE: &str = "docs/connection.md";
const BEGIN: &str = "<!-- table: written by `cargo xtask nat --write` -->\n";
const END: &str = "<!-- end of table -->\n";

/// What to play.
#[derive(clap::Args)]
pub struct Options {
    /// Write the table into docs/connection.md.
    #[arg(long, conflicts_with = "only")]
    write: bool,
    /// Only the networks whose name contains this word.
    #[arg(long)]
    only: Option<String>,
}

/// Sets up what is missing, plays, and prints or writes the table.
pub fn run(options: &Options) -> Result<()> {
    packages::ensure(packages::Purpose::Test)?;
    web::build()?;
    programs::build()?;
    let folder = workspace::target().join("nat");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let rows = folder.join("rows.json");
    play(options.only.as_deref(), Some(&rows))?;
    let mut table = process::command("node");
    let table = process::output(table.arg(workspace::root().join("tests/nat/table.mjs")).arg(&rows))?;
    println!("{table}");
    if options.write {
        let page = workspace::root().join(PAGE);
        let text = std::fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
        std::fs::write(&page, replaced(&text, &table)?).with_context(|| format!("cannot write {PAGE}"))?;
        eprintln!("{PAGE} has the new table");
    }
    Ok(())
}

/// Plays all networks, or those whose name contains `only`; what was measured goes into the file `rows`.
pub fn play(only: Option<&str>, rows: Option<&Path>) -> Result<()> {
    programs::build_line()?;
    let mut node = process::command("node");
    node.current_dir(workspace::root().join("tests/nat"));
    if let Some(word) = only {
        node.env("BELAY_NAT_ONLY", word);
    }
    if let Some(rows) = rows {
        node.env("BELAY_NAT_ROWS", rows);
    }
    process::run(node.args(["--test", "--test-reporter=spec", "nat.test.mjs"]))
}

fn replaced(page: &str, table: &str) -> Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        bail!("{PAGE} has no place for the table; it needs the lines {BEGIN}{END}");
    };
    Ok(format!("{before}{BEGIN}\n{}\n\n{END}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_two_lines_is_replaced() {
        let page = format!("# Page\n\n{BEGIN}\nold\n\n{END}\nThe end.\n");
        let expected = format!("# Page\n\n{BEGIN}\n| new |\n\n{END}\nThe end.\n");
        assert_eq!(replaced(&page, "| new |\n").unwrap(), expected);
        assert_eq!(replaced(&expected, "| new |\n").unwrap(), expected);
        assert!(replaced("# Page\n", "").is_err());
    }

    #[test]
    fn the_page_has_a_place_for_the_table() {
        let page = std::fs::read_to_string(workspace::root().join(PAGE)).unwrap();
        replaced(&page, "| new |\n").unwrap();
    }
}
