//! What the driver can be told while it runs, one line each:
//!
//! `shape HOST delay=40ms loss=2%` (both directions), `shape HOST up rate=500kbit`, `shape HOST down cut`, `counts`.

use crate::shape::Shape;
use crate::switch::Direction;

/// One line, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Change a host's cable.
    Shape {
        /// Its number.
        host: usize,
        /// Which directions.
        directions: Vec<Direction>,
        /// To what.
        shape: Shape,
    },
    /// Tell what became of the frames.
    Counts,
}

impl Command {
    /// Reads a line; `hosts` are the names by number.
    ///
    /// # Errors
    /// A sentence that says what is not understood.
    pub fn parse(line: &str, hosts: &[String]) -> Result<Self, String> {
        let mut words = line.split_whitespace().peekable();
        match words.next() {
            Some("shape") => {
                let name = words.next().ok_or("`shape` needs the name of a host")?;
                let known = || format!("nobody is called `{name}`; the hosts are {}", hosts.join(", "));
                let host = hosts.iter().position(|host| host == name).ok_or_else(known)?;
                let directions = match words.peek() {
                    Some(&"up") => vec![Direction::Up],
                    Some(&"down") => vec![Direction::Down],
                    _ => vec![Direction::Up, Direction::Down],
                };
                if directions.len() == 1 {
                    words.next();
                }
                Ok(Self::Shape { host, directions, shape: Shape::parse(words)? })
            }
            Some("counts") if words.peek().is_none() => Ok(Self::Counts),
            _ => Err(format!("`{line}` is not understood; write `shape HOST …` or `counts`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_or_explained() {
        let hosts = ["server".to_owned(), "technician".to_owned()];
        let parse = |line| Command::parse(line, &hosts);
        let cut = Shape { cut: true, ..Shape::default() };
        assert_eq!(parse("counts").unwrap(), Command::Counts);
        assert_eq!(
            parse("shape technician down cut").unwrap(),
            Command::Shape { host: 1, directions: vec![Direction::Down], shape: cut }
        );
        assert_eq!(
            parse("shape server").unwrap(),
            Command::Shape {
                host: 0,
                directions: vec![Direction::Up, Direction::Down],
                shape: Shape::default()
            }
        );
        for line in ["", "shape", "shape nobody cut", "shape server upwards", "counts all", "stop"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("shape nobody cut").unwrap_err().contains("server, technician"));
    }
}
