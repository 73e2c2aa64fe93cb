//! Random and mutated texts, from a seed that a failing test prints.

use fastrand::Rng;

/// A source of random texts. `EDGEKEEP_SEED` sets its seed.
pub struct Hostile {
    pub random: Rng,
    seed: u64,
}

impl Default for Hostile {
    fn default() -> Self {
        Self::new()
    }
}

impl Hostile {
    pub fn new() -> Self {
        let set = std::env::var("EDGEKEEP_SEED").ok();
        let seed = set.and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123);
        let random = Rng::with_seed(seed);
        Self { random, seed }
    }

    /// One of the given values.
    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.usize(0..of.len())]
    }

    /// One of the examples, mutated up to three times, or random bytes or
    /// pieces.
    pub fn text(&mut self, examples: &[&str]) -> String {
        match self.random.u8(0..10) {
            0 => self.bytes(),
            1 => self.pieces(),
            _ => {
                let mut text = self.one_of(examples).to_owned();
                for _ in 0..self.random.usize(0..4) {
                    text = self.mutate(&text, examples);
                }
                text
            }
        }
    }

    /// Like [`Self::text`], without characters that a field value cannot have.
    pub fn value(&mut self, examples: &[&str]) -> String {
        self.text(examples)
            .replace(|c: char| c.is_control() && c != '\t', "")
    }

    fn bytes(&mut self) -> String {
        let count = self.random.usize(0..40);
        let bytes: Vec<u8> = (0..count).map(|_| self.random.u8(..)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn piece(&mut self) -> &'static str {
        const PIECES: [&str; 48] = [
            "",
            " ",
            "\t",
            ",",
            ";",
            "=",
            "\"",
            "\\",
            "/",
            "//",
            ":",
            "?",
            "#",
            "&",
            "%",
            "%2",
            "%2f",
            "%41",
            "*",
            ".",
            "..",
            "-",
            "+",
            "|",
            "[",
            "]",
            "{",
            "}",
            "(",
            "<",
            "@",
            "W/",
            "0",
            "1",
            "9",
            "60",
            "18446744073709551616",
            "-1",
            "a",
            "Z",
            "é",
            "\u{1F600}",
            "\0",
            "\r\n",
            "\u{7f}",
            "\u{feff}",
            "q=0",
            "E1",
        ];
        PIECES[self.random.usize(0..PIECES.len())]
    }

    fn pieces(&mut self) -> String {
        (0..self.random.usize(0..12))
            .map(|_| self.piece())
            .collect()
    }

    /// Removes, inserts, doubles or replaces a part.
    pub fn mutate(&mut self, text: &str, examples: &[&str]) -> String {
        let characters: Vec<char> = text.chars().collect();
        let from = self.random.usize(0..=characters.len());
        let to = (from + self.random.usize(0..4)).min(characters.len());
        let string = |part: &[char]| part.iter().collect::<String>();
        let (before, part) = (string(&characters[..from]), string(&characters[from..to]));
        let after = string(&characters[to..]);
        match self.random.u8(0..6) {
            0 => before + &after,
            1 => before,
            2 => format!("{before}{part}{part}{after}"),
            3 => format!("{before}{}{part}{after}", self.piece()),
            4 => format!("{before}{}{after}", self.piece()),
            _ => format!("{before}{}{after}", self.one_of(examples)),
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with: EDGEKEEP_SEED={} cargo test", self.seed);
        }
    }
}
