//! The SSH agent that `RUN --mount=type=ssh` finds: it tells the build's key and signs with it, and does nothing else. The step
//! that asks is hostile; it never gets the key, and when it ends nobody is there to ask any more.
//!
//! The protocol is draft-ietf-sshm-ssh-agent: a length, a number that says what is asked, its fields. Keys are Ed25519.
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use ssh_encoding::{Decode, Encode};
use ssh_key::{Algorithm, PrivateKey, Signature, SigningKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// As OpenSSH's agent.
const MAX_MESSAGE: u32 = 256 << 10;
const MAX_CONNECTIONS: usize = 64;

const WRONG: &str = "is no Ed25519 key in OpenSSH's format; ssh-keygen -t ed25519 makes one";

/// A private key that no `{:?}` shows.
#[derive(Clone)]
pub struct SshKey(Arc<PrivateKey>);

impl SshKey {
    /// Of a file as `ssh-keygen -t ed25519` writes it.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).ok().and_then(wrapped).ok_or(WRONG)?;
        let key = PrivateKey::from_openssh(text).map_err(|_| WRONG)?;
        if key.is_encrypted() {
            return Err("has a passphrase, and a build cannot ask for it");
        }
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(WRONG);
        }
        Ok(Self(Arc::new(key)))
    }

    fn identities(&self) -> ssh_key::Result<Vec<u8>> {
        let mut answer = vec![IDENTITIES_ANSWER];
        1u32.encode(&mut answer)?;
        self.0.public_key().key_data().encode_prefixed(&mut answer)?;
        self.0.comment().encode(&mut answer)?;
        Ok(answer)
    }

    fn signature(&self, mut fields: &[u8]) -> ssh_key::Result<Vec<u8>> {
        let asked = Vec::<u8>::decode(&mut fields)?;
        let data = Vec::<u8>::decode(&mut fields)?;
        let _flags = u32::decode(&mut fields)?; // of RSA only
        if asked != self.0.public_key().to_bytes()? {
            return Err(ssh_key::Error::PublicKey);
        }
        let signature = sign(&*self.0, &data)?;
        let mut answer = vec![SIGN_RESPONSE];
        signature.encode_prefixed(&mut answer)?;
        Ok(answer)
    }

    /// Everything that is not one of two questions is refused: adding, removing and locking keys, and extensions.
    fn answer(&self, message: &[u8]) -> Vec<u8> {
        let answer = match message.split_first() {
            Some((&REQUEST_IDENTITIES, _)) => self.identities(),
            Some((&SIGN_REQUEST, fields)) => self.signature(fields),
            _ => return vec![FAILURE],
        };
        answer.unwrap_or_else(|_| vec![FAILURE])
    }
}

/// The same with lines of 70 characters, as OpenSSH writes them and the library wants them; others write other ones.
fn wrapped(text: &str) -> Option<String> {
    let (begin, end) = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----");
    let base64: Vec<u8> = text.trim().strip_prefix(begin)?.strip_suffix(end)?.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut out = format!("{begin}\n");
    for line in base64.chunks(70) {
        out.push_str(std::str::from_utf8(line).ok()?);
        out.push('\n');
    }
    out.push_str(end);
    out.push('\n');
    Some(out)
}

fn sign<K: SigningKey>(key: &K, data: &[u8]) -> ssh_key::Result<Signature> {
    Ok(key.try_sign(data)?)
}

impl fmt::Debug for SshKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SshKey")
    }
}

/// An agent that answers at a socket until this is dropped.
#[derive(Debug)]
pub struct Served(JoinHandle<()>);

impl Served {
    /// Makes the socket `name` in a directory of this process alone. Blocks for moments.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(dir: &Path, name: &str, key: SshKey, mode: u32, (uid, gid): (u32, u32)) -> io::Result<Self> {
        // The path of a socket may have 107 bytes; that of a data root may be longer.
        let held = std::fs::File::open(dir)?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/{name}", held.as_raw_fd()))?;
        let path = dir.join(name);
        std::os::unix::fs::chown(&path, Some(uid), Some(gid))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        Ok(Self(tokio::spawn(accept(listener, key))))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: UnixListener, key: SshKey) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped, and so ended, with this task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(place) = room.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let key = key.clone();
                connections.spawn(async move {
                    let _place = place;
                    let _ended = serve(stream, &key).await; // the step may leave at any moment
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the SSH agent of a build step can take no connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: UnixStream, key: &SshKey) -> io::Result<()> {
    loop {
        let length = stream.read_u32().await?;
        if !(1..=MAX_MESSAGE).contains(&length) {
            return Ok(());
        }
        let mut message = vec![0; length as usize];
        stream.read_exact(&mut message).await?;
        let answer = key.answer(&message);
        stream.write_u32(u32::try_from(answer.len()).map_err(io::Error::other)?).await?;
        stream.write_all(&answer).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of no server.
    const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDYEJibGFIHsuYncYk7R/StenTwum1IpFtsa2/FZSmskAAAAIhC1XWgQtV1
oAAAAAtzc2gtZWQyNTUxOQAAACDYEJibGFIHsuYncYk7R/StenTwum1IpFtsa2/FZSmskA
AAAEAJ/50XEFuTgZjHvbDM+b4bDbESEA1mo3gtiSoi0+mYP9gQmJsYUgey5idxiTtH9K16
dPC6bUikW2xrb8VlKayQAAAAAAECAwQF
-----END OPENSSH PRIVATE KEY-----
";

    #[test]
    fn takes_a_key_however_its_lines_are_wrapped() {
        let body: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
        for width in [body.len(), 76, 70, 64, 63] {
            for end in ["\n", "\r\n"] {
                let lines: Vec<&str> = body.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
                let frame = |word: &str| format!("-----{word} OPENSSH PRIVATE KEY-----{end}");
                let text = format!("{}{}{end}{}", frame("BEGIN"), lines.join(end), frame("END"));
                assert!(SshKey::parse(text.as_bytes()).is_ok(), "{width}");
            }
        }
        let key = SshKey::parse(KEY.as_bytes()).unwrap();
        assert_eq!(format!("{key:?}"), "SshKey");
        for bad in ["", "-----BEGIN OPENSSH PRIVATE KEY-----", &KEY[..120], &KEY.replace('b', "c")] {
            assert_eq!(SshKey::parse(bad.as_bytes()).err(), Some(WRONG), "{bad}");
        }
    }

    #[test]
    fn answers_two_questions_and_refuses_the_rest() {
        let key = SshKey::parse(KEY.as_bytes()).unwrap();
        let public = key.0.public_key().to_bytes().unwrap();
        let identities = key.answer(&[REQUEST_IDENTITIES]);
        assert_eq!(identities[..5], [IDENTITIES_ANSWER, 0, 0, 0, 1]);
        assert!(identities.windows(public.len()).any(|part| part == public));
        let ask = |blob: &[u8], data: &[u8]| {
            let mut message = vec![SIGN_REQUEST];
            blob.encode(&mut message).unwrap();
            data.encode(&mut message).unwrap();
            0u32.encode(&mut message).unwrap();
            key.answer(&message)
        };
        assert_eq!(ask(&public, b"data")[0], SIGN_RESPONSE);
        assert_eq!(ask(&public[1..], b"data"), [FAILURE], "another key");
        // Adding, removing, locking, smart cards, extensions; and questions that break off.
        for kind in (0..=255u8).filter(|kind| ![REQUEST_IDENTITIES, SIGN_REQUEST].contains(kind)) {
            assert_eq!(key.answer(&[kind, 0, 0, 0, 0]), [FAILURE], "{kind}");
        }
        for broken in [&[][..], &[SIGN_REQUEST], &[SIGN_REQUEST, 0xff, 0xff, 0xff, 0xff], &[SIGN_REQUEST, 0, 0, 0, 9, 1]] {
            assert_eq!(key.answer(broken), [FAILURE]);
        }
    }
}
