//! The keys that end a session and leave the program running: `ctrl-p,ctrl-q` unless the client says otherwise.
use crate::error::{ApiError, ApiResult};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

/// Longer sequences are nobody's, and would hold back as much input.
const MOST_KEYS: usize = 64;

impl DetachKeys {
    /// `a`, `ctrl-a`, `ctrl-@`, … with commas between. Empty or absent: Docker's default.
    pub fn parse(text: Option<&str>) -> ApiResult<Self> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self(vec![16, 17])) };
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        keys.filter(|keys| keys.len() <= MOST_KEYS)
            .map(Self)
            .ok_or_else(|| ApiError::bad_request(format!("Invalid detach keys ({text}) provided")))
    }

    pub fn scanner(&self) -> Scanner<'_> {
        Scanner { keys: &self.0, held: Vec::new() }
    }
}

fn key(text: &str) -> Option<u8> {
    match text.strip_prefix("ctrl-").map(str::as_bytes) {
        Some([letter @ b'a'..=b'z']) => Some(letter - b'a' + 1),
        Some([letter @ b'A'..=b'Z']) => Some(letter - b'A' + 1),
        Some(b"@") => Some(0),
        Some(b"[") => Some(27),
        Some(b"\\") => Some(28),
        Some(b"]") => Some(29),
        Some(b"^") => Some(30),
        Some(b"_") => Some(31),
        Some(_) => None,
        None => text.as_bytes().first().copied().filter(|byte| text.len() == 1 && byte.is_ascii()),
    }
}

/// Looks for the keys in what is typed, however it is cut into pieces.
pub struct Scanner<'a> {
    keys: &'a [u8],
    /// Typed, and perhaps the beginning of the keys.
    held: Vec<u8>,
}

impl Scanner<'_> {
    /// Appends to `out` what goes to the program. True when the keys are complete; what follows them goes nowhere.
    pub fn feed(&mut self, typed: &[u8], out: &mut Vec<u8>) -> bool {
        for byte in typed {
            self.held.push(*byte);
            while !self.keys.starts_with(&self.held) {
                out.push(self.held.remove(0));
            }
            if self.held.len() == self.keys.len() {
                return true;
            }
        }
        false
    }

    /// At the end of input nothing is held back any more.
    pub fn rest(self) -> Vec<u8> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_docker_writes_them() {
        assert_eq!(DetachKeys::parse(None).unwrap().0, [16, 17]);
        assert_eq!(DetachKeys::parse(Some("ctrl-a,d,ctrl-[,ctrl-@")).unwrap().0, [1, b'd', 27, 0]);
        for bad in ["ctrl-", "ctrl-1", "ab", "a,", "é", &"a,".repeat(100)] {
            assert!(DetachKeys::parse(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn found_across_pieces_and_held_back_only_while_possible() {
        let keys = DetachKeys::parse(Some("ctrl-p,ctrl-p,q")).unwrap();
        let (mut scanner, mut out) = (keys.scanner(), Vec::new());
        assert!(!scanner.feed(b"ab\x10", &mut out) && out == b"ab");
        assert!(!scanner.feed(b"\x10\x10", &mut out) && out == b"ab\x10");
        assert!(scanner.feed(b"qrest", &mut out) && out == b"ab\x10");
        let (mut scanner, mut out) = (keys.scanner(), Vec::new());
        assert!(!scanner.feed(b"\x10x\x10", &mut out) && out == b"\x10x" && scanner.rest() == b"\x10");
    }
}
