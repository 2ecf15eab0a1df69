//! Secrets of a build, in memory only. They come as `secrets/<id>` at the head of the request's stream, before `request.json`. So do
//! the names of the SSH agents that the client answers for, as `ssh/<id>`, which have no content: keys stay where they are.
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{BuildError, ErrorCode, Result};

/// As BuildKit.
const MAX_BYTES: u64 = 500 << 10;
const MAX_COUNT: usize = 100;

/// Bytes that no log, error or `{:?}` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({} bytes)", self.0.len())
    }
}

/// By id.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    values: BTreeMap<String, Secret>,
    ssh: BTreeSet<String>,
}

/// An entry of a stream that is a secret, or names an agent, with its id.
#[derive(Debug, Clone, Copy)]
pub enum SecretId<'a> {
    Value(&'a [u8]),
    Ssh(&'a [u8]),
}

impl Secrets {
    pub fn get(&self, id: &str) -> Option<&Secret> {
        self.values.get(id)
    }

    /// Whether the client answers for an SSH agent of this id.
    pub fn has_ssh(&self, id: &str) -> bool {
        self.ssh.contains(id)
    }

    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.values.values()
    }

    /// The id, when the entry of a stream is a secret.
    pub fn id_of(path: &Path) -> Option<SecretId<'_>> {
        let path = path.as_os_str().as_bytes();
        path.strip_prefix(b"secrets/").map(SecretId::Value).or_else(|| path.strip_prefix(b"ssh/").map(SecretId::Ssh))
    }

    /// # Errors
    /// `BAD_PLAN` when it is too large, there twice, one too many, or a key of SSH, which is not taken.
    pub fn take(&mut self, id: SecretId<'_>, content: &mut dyn Read) -> Result<()> {
        let bad = |text: &str| Err(BuildError::new(ErrorCode::BadPlan, text));
        let (SecretId::Value(bytes_of_id) | SecretId::Ssh(bytes_of_id)) = id;
        let kind = id;
        let Some(id) = std::str::from_utf8(bytes_of_id).ok().filter(|id| (1..=4096).contains(&id.len())) else {
            return bad("The name of a secret must be text of 1 to 4096 bytes.");
        };
        let mut bytes = Vec::new();
        content.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| BuildError::io("reading the build's secrets", &error))?;
        if bytes.len() as u64 > MAX_BYTES {
            return bad(&format!("The secret {id} is larger than 500 KiB."));
        }
        if self.values.len() + self.ssh.len() >= MAX_COUNT {
            return bad(&format!("A build takes at most {MAX_COUNT} secrets."));
        }
        let twice = match kind {
            SecretId::Value(_) => self.values.insert(id.to_owned(), Secret::new(bytes)).is_some(),
            SecretId::Ssh(_) if !bytes.is_empty() => {
                return bad(&format!("The SSH agent {id} comes with content; keys are not taken, the client answers for them."));
            }
            SecretId::Ssh(_) => !self.ssh.insert(id.to_owned()),
        };
        if twice { bad(&format!("The secret {id} is given twice.")) } else { Ok(()) }
    }
}

/// Takes the build's secrets out of what its steps print.
#[derive(Debug, Default)]
pub struct Masks {
    pieces: Vec<Secret>,
}

/// Shorter ones would black out ordinary words.
const SHORTEST: usize = 4;
/// Of one line of a secret of several lines.
const SHORTEST_LINE: usize = 8;
/// So that no more than this is ever held back.
const LONGEST_PIECE: usize = 1024;
const MASK: &[u8] = b"***";

impl Masks {
    pub fn new(secrets: &Secrets) -> Self {
        let mut pieces = Vec::new();
        for secret in secrets.values() {
            let lines: Vec<&[u8]> = secret.bytes().split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty()).collect();
            let shortest = if lines.len() > 1 { SHORTEST_LINE } else { SHORTEST };
            for line in lines.into_iter().filter(|line| line.len() >= shortest) {
                // The last piece of a long line is a whole one, too: it overlaps the one before.
                let starts =
                    (0..line.len().saturating_sub(LONGEST_PIECE)).step_by(LONGEST_PIECE).chain([line.len().saturating_sub(LONGEST_PIECE)]);
                pieces.extend(starts.map(|start| Secret::new(&line[start..(start + LONGEST_PIECE).min(line.len())])));
            }
        }
        // Of two that begin alike, the longer one is the one that is meant.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.bytes().len()));
        Self { pieces }
    }

    /// What may be shown, masked, and the rest, which may be the beginning of a secret (none at the `end`).
    pub fn apply<'a>(&self, bytes: &'a [u8], end: bool) -> (Cow<'a, [u8]>, &'a [u8]) {
        if self.pieces.is_empty() {
            return (Cow::Borrowed(bytes), &[]);
        }
        let mut shown = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Some(piece) = self.pieces.iter().find(|piece| rest.starts_with(piece.bytes())) {
                shown.extend_from_slice(MASK);
                at += piece.bytes().len();
            } else if !end && self.pieces.iter().any(|piece| piece.bytes().starts_with(rest)) {
                break;
            } else {
                shown.push(bytes[at]);
                at += 1;
            }
        }
        (Cow::Owned(shown), &bytes[at..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(values: &[&[u8]]) -> Masks {
        let mut secrets = Secrets::default();
        for (index, mut value) in values.iter().copied().enumerate() {
            secrets.take(SecretId::Value(format!("s{index}").as_bytes()), &mut value).unwrap();
        }
        Masks::new(&secrets)
    }

    #[test]
    fn masks_whole_lines_and_halves_that_come_in_two_reads() {
        let masks = masks(&[b"hunter22\n", b"//registry/:_token=abcdefgh\nok\n", b"abc"]);
        let (shown, rest) = masks.apply(b"a hunter22 b abc hunt", false);
        assert_eq!((&*shown, rest), (&b"a *** b abc "[..], &b"hunt"[..]));
        assert_eq!(masks.apply(b"hunter", true).0, &b"hunter"[..], "what never became the secret is shown");
        assert_eq!(masks.apply(b"//registry/:_token=abcdefgh ok", true).0, &b"*** ok"[..]);
    }

    #[test]
    fn masks_all_of_a_very_long_line() {
        let long: Vec<u8> = (0..2500).map(|i| b'a' + u8::try_from(i * i % 23).unwrap()).collect();
        let masks = masks(&[&long]);
        let (shown, _) = masks.apply(&long, true);
        assert!(shown.len() < 600, "{}", shown.len());
        assert!(!long.windows(600).any(|window| shown.windows(600).any(|other| other == window)));
    }

    #[test]
    fn nothing_shows_a_secret() {
        let mut secrets = Secrets::default();
        secrets.take(SecretId::Value(b"a"), &mut &b"hunter22"[..]).unwrap();
        assert!(!format!("{secrets:?}").contains("hunter") && !format!("{secrets:?}").contains("104"));
        assert!(secrets.take(SecretId::Value(b"a"), &mut &b"x"[..]).is_err());
        assert!(secrets.take(SecretId::Value(b"b"), &mut std::io::repeat(1)).is_err());
    }
}
