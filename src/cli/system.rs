//! The clock, random bytes, the environment and files.

use std::io::{BufRead, IsTerminal, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The largest file of selectors, in bytes: half a million URLs of 131 bytes,
/// which are 500 orders.
pub const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the command runs natively, where there is a clock"
)]
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Waits.
pub fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Random bytes of the operating system. The error says why there are none.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::getrandom(&mut bytes)
        .map_err(|error| format!("the system has no random bytes: {error}"))?;
    Ok(bytes)
}

/// A variable of the environment; `None` if it is not set, empty or not UTF-8.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Whether standard input is a terminal, where a user can answer.
pub fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// A line of standard input; empty if there is none.
pub fn read_line() -> String {
    let mut line = String::new();
    // Without an answer, the line is empty.
    let _ = std::io::stdin().read_line(&mut line);
    line
}

/// Reads a text file; `-` is standard input. The error is a text to print.
pub fn read_text(file: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = match file {
        "-" => read_bounded(std::io::stdin().lock(), &mut bytes),
        _ => std::fs::File::open(file).and_then(|file| read_bounded(file, &mut bytes)),
    };
    let length = read.map_err(|error| format!("cannot be read: {error}"))?;
    if length as u64 > INPUT_BYTES_MAX {
        return Err(format!("is longer than {INPUT_BYTES_MAX} bytes; split it"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

/// Opens a file to read it piece by piece; `-` is standard input. The error is a
/// text to print.
pub fn open(file: &str) -> Result<Box<dyn BufRead>, String> {
    match file {
        "-" => Ok(Box::new(std::io::stdin().lock())),
        _ => {
            let file = std::fs::File::open(file);
            let file = file.map_err(|error| format!("cannot be read: {error}"))?;
            Ok(Box::new(std::io::BufReader::new(file)))
        }
    }
}

fn read_bounded(from: impl Read, to: &mut Vec<u8>) -> std::io::Result<usize> {
    from.take(INPUT_BYTES_MAX.saturating_add(1)).read_to_end(to)
}
