//! What a cable does to the frames that go through it, and how people write it: `delay=40ms loss=2% rate=500kbit`.

use std::time::Duration;

/// How much a slow cable holds back before it drops, where nothing else is said: fifty full Ethernet frames.
pub const QUEUE: u64 = 75_000;

/// One direction of one cable. The default is a perfect one.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Added to each frame.
    pub delay: Duration,
    /// Up to this much more, by chance, in the order in which frames came.
    pub jitter: Duration,
    /// The share of frames that get lost, 0 to 1.
    pub loss: f64,
    /// The share of frames that are held back long enough for later ones to overtake them, 0 to 1.
    pub reorder: f64,
    /// The share of frames that arrive twice, 0 to 1.
    pub duplicate: f64,
    /// Bits per second; `None`: without limit.
    pub rate: Option<u64>,
    /// Bytes that may wait for their turn at that rate; what comes on top is dropped.
    pub queue: u64,
    /// Nothing gets through.
    pub cut: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            rate: None,
            queue: QUEUE,
            cut: false,
        }
    }
}

impl Shape {
    /// Reads words such as `delay=40ms`, `loss=2%`, `rate=500kbit`, `cut`. What is not named is perfect.
    ///
    /// # Errors
    /// A sentence that names the word that is not understood.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut shape = Self::default();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let wrong = || {
                format!(
                    "`{word}` is not understood; write for example delay=40ms, loss=2%, rate=500kbit, queue=75000 or cut"
                )
            };
            match key {
                "delay" => shape.delay = duration(value).ok_or_else(wrong)?,
                "jitter" => shape.jitter = duration(value).ok_or_else(wrong)?,
                "loss" => shape.loss = share(value).ok_or_else(wrong)?,
                "reorder" => shape.reorder = share(value).ok_or_else(wrong)?,
                "duplicate" => shape.duplicate = share(value).ok_or_else(wrong)?,
                "rate" => shape.rate = Some(rate(value).ok_or_else(wrong)?),
                "queue" => shape.queue = value.parse().map_err(|_| wrong())?,
                "cut" if value.is_empty() => shape.cut = true,
                _ => return Err(wrong()),
            }
        }
        Ok(shape)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let number = digits.parse().ok()?;
    match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

fn share(text: &str) -> Option<f64> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

fn rate(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let number: u64 = digits.parse().ok()?;
    let bits = match unit {
        "bit" => number,
        "kbit" => number.checked_mul(1_000)?,
        "mbit" => number.checked_mul(1_000_000)?,
        _ => return None,
    };
    (bits > 0).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_shape() {
        let words = "delay=40ms jitter=500us loss=2% reorder=0.5% duplicate=1% rate=500kbit queue=20000 cut";
        let shape = Shape::parse(words.split(' ')).unwrap();
        let expected = Shape {
            delay: Duration::from_millis(40),
            jitter: Duration::from_micros(500),
            loss: 0.02,
            reorder: 0.005,
            duplicate: 0.01,
            rate: Some(500_000),
            queue: 20_000,
            cut: true,
        };
        assert_eq!(shape, expected);
        assert_eq!(Shape::parse([]).unwrap(), Shape::default());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for word in [
            "delay=40",
            "loss=2",
            "loss=101%",
            "rate=0kbit",
            "rate=5",
            "cut=yes",
            "queue=x",
            "colour=red",
            "",
        ] {
            assert!(Shape::parse([word]).unwrap_err().contains(word), "{word}");
        }
    }
}
