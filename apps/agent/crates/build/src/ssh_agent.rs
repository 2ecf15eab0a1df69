//! The SSH agent that `RUN --mount=type=ssh` finds. It has no keys: two questions of a step, which keys there are and a signature, go
//! to the build's client as events, and its answers come back (`POST /slipway/v1/builds/{id}/ssh/{ask}`). The step that asks is
//! hostile: everything else is refused here, and when it ends nobody is there to ask any more.
//!
//! The protocol is draft-ietf-sshm-ssh-agent: a length, a number that says what is asked, its fields.
use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use crate::event::{BuildEvent, Events, now_ms};

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// As OpenSSH's agent.
pub const MAX_MESSAGE: usize = 256 << 10;
const MAX_CONNECTIONS: usize = 64;
/// The client gives up before. Somebody may have to touch a key.
const ANSWER_DEADLINE: Duration = Duration::from_secs(120);

/// What a build's steps have asked and its client has not answered yet.
#[derive(Debug, Default)]
pub struct Questions {
    next: AtomicU64,
    open: Mutex<HashMap<u64, oneshot::Sender<Vec<u8>>>>,
}

impl Questions {
    /// False when nobody asks that, or not any more.
    pub fn answer(&self, ask: u64, message: Vec<u8>) -> bool {
        self.open().remove(&ask).is_some_and(|waiting| waiting.send(message).is_ok())
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Vec<u8>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the agent of one id that the build's client speaks for.
#[derive(Clone)]
pub struct Relay {
    pub id: Arc<str>,
    pub events: Events,
    pub questions: Arc<Questions>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Relay({})", self.id)
    }
}

/// Takes a question back that is not waited for any more.
struct Asked<'a> {
    questions: &'a Questions,
    ask: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.questions.open().remove(&self.ask);
    }
}

impl Relay {
    /// Everything that is not one of two questions is refused: adding, removing and locking keys, and extensions.
    async fn answer(&self, message: &[u8]) -> Vec<u8> {
        let wanted = match message.first() {
            Some(&REQUEST_IDENTITIES) if message.len() == 1 => IDENTITIES_ANSWER,
            Some(&SIGN_REQUEST) => SIGN_RESPONSE,
            _ => return vec![FAILURE],
        };
        match tokio::time::timeout(ANSWER_DEADLINE, self.ask(message)).await {
            Ok(Some(answer)) if answer.first() == Some(&wanted) && answer.len() <= MAX_MESSAGE => answer,
            _ => vec![FAILURE],
        }
    }

    async fn ask(&self, message: &[u8]) -> Option<Vec<u8>> {
        let ask = self.questions.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.questions.open().insert(ask, sender);
        let _asked = Asked { questions: &self.questions, ask };
        self.events.send(BuildEvent::Ssh { at: now_ms(), id: self.id.to_string(), ask, message: hex::encode(message) }).await;
        answer.await.ok()
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
    pub fn start(dir: &Path, name: &str, relay: Relay, mode: u32, (uid, gid): (u32, u32)) -> io::Result<Self> {
        // The path of a socket may have 107 bytes; that of a data root may be longer.
        let held = std::fs::File::open(dir)?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/{name}", held.as_raw_fd()))?;
        let path = dir.join(name);
        std::os::unix::fs::chown(&path, Some(uid), Some(gid))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        Ok(Self(tokio::spawn(accept(listener, relay))))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: UnixListener, relay: Relay) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Dropped, and so ended, with this task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(place) = room.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let relay = relay.clone();
                connections.spawn(async move {
                    let _place = place;
                    let _ended = serve(stream, &relay).await; // the step may leave at any moment
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the SSH agent of a build step can take no connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: UnixStream, relay: &Relay) -> io::Result<()> {
    loop {
        let length = stream.read_u32().await? as usize;
        if !(1..=MAX_MESSAGE).contains(&length) {
            return Ok(());
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await?;
        let answer = relay.answer(&message).await;
        stream.write_u32(u32::try_from(answer.len()).map_err(io::Error::other)?).await?;
        stream.write_all(&answer).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay() -> (Relay, tokio::sync::mpsc::Receiver<BuildEvent>) {
        let (events, receiver) = Events::channel();
        (Relay { id: "default".into(), events, questions: Arc::default() }, receiver)
    }

    #[tokio::test]
    async fn passes_two_questions_on_and_refuses_the_rest() {
        let (relay, mut events) = relay();
        // Adding, removing, locking, smart cards, extensions; and what is no question.
        for kind in (0..=255u8).filter(|kind| ![REQUEST_IDENTITIES, SIGN_REQUEST].contains(kind)) {
            assert_eq!(relay.answer(&[kind, 0, 0, 0, 0]).await, [FAILURE], "{kind}");
        }
        for broken in [&[][..], &[REQUEST_IDENTITIES, 0]] {
            assert_eq!(relay.answer(broken).await, [FAILURE]);
        }
        assert!(events.try_recv().is_err(), "nothing of that went to the client");
        for (question, answer, told) in [
            (&[REQUEST_IDENTITIES][..], &[IDENTITIES_ANSWER, 0, 0, 0, 0][..], &[IDENTITIES_ANSWER, 0, 0, 0, 0][..]),
            (&[SIGN_REQUEST, 1, 2], &[SIGN_RESPONSE, 3], &[SIGN_RESPONSE, 3]),
            (&[SIGN_REQUEST, 1, 2], &[FAILURE], &[FAILURE]),
            (&[SIGN_REQUEST, 1, 2], &[IDENTITIES_ANSWER, 0, 0, 0, 0], &[FAILURE]),
            (&[SIGN_REQUEST], &[], &[FAILURE]),
            (&[SIGN_REQUEST], &[SIGN_RESPONSE; MAX_MESSAGE + 1], &[FAILURE]),
        ] {
            let client = async {
                let Some(BuildEvent::Ssh { id, ask, message, .. }) = events.recv().await else { panic!("no question") };
                assert_eq!((id.as_str(), message), ("default", hex::encode(question)));
                assert!(relay.questions.answer(ask, answer.to_vec()));
                assert!(!relay.questions.answer(ask, answer.to_vec()), "one answer to a question");
            };
            assert_eq!(tokio::join!(relay.answer(question), client).0, told);
        }
    }

    #[tokio::test]
    async fn a_question_of_a_step_that_has_gone_is_forgotten() {
        let (relay, mut events) = relay();
        let asking = tokio::time::timeout(Duration::from_millis(20), relay.answer(&[SIGN_REQUEST]));
        assert!(asking.await.is_err() && relay.questions.open().is_empty());
        let Some(BuildEvent::Ssh { ask, .. }) = events.recv().await else { panic!("no question") };
        assert!(!relay.questions.answer(ask, vec![SIGN_RESPONSE]));
    }
}
