//! Base64 (RFC 4648 §4 and §5), for signatures, keys and marks.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes the standard alphabet. `None` unless the text is the one that these
/// bytes have: padded, without other characters, and no bit set that counts
/// for nothing.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let (whole, digits) = (text.len().is_multiple_of(4), text.trim_end_matches('='));
    let padding = text.len().saturating_sub(digits.len());
    (whole && padding == digits.len().wrapping_neg() % 4).then(|| bytes(digits, [b'+', b'/']))?
}

/// Decodes the alphabet for URLs, which has no padding.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    bytes(text, [b'-', b'_'])
}

/// Encodes in the alphabet for URLs, without padding.
pub fn encode_url(bytes: &[u8], to: &mut String) {
    let (mut bits, mut count) = (0_u32, 0_u32);
    let mut put = |six: u32| {
        let digit = STANDARD.get((six & 63) as usize).copied();
        to.push(match digit.unwrap_or_default() {
            b'+' => '-',
            b'/' => '_',
            digit => char::from(digit),
        });
    };
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 6 {
            count -= 6;
            put(bits >> count);
        }
    }
    if count > 0 {
        put(bits << (6 - count));
    }
}

fn bytes(digits: &str, [plus, slash]: [u8; 2]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for digit in digits.bytes() {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            _ if digit == plus => 62,
            _ if digit == slash => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // What is left over fills no byte, and is nothing.
    (count < 6 && bits & ((1 << count) - 1) == 0).then_some(bytes)
}
