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
        let key = PrivateKey::from_openssh(bytes).map_err(|_| WRONG)?;
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
