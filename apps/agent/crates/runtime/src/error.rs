#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot start the spawner: {0}")]
    Spawner(std::io::Error),
    #[error("the container could not be launched: {0}")]
    Launch(std::io::Error),
    /// The user's program never ran; the sentence says at which step and why.
    #[error("{message}")]
    NotStarted { stage: String, message: String, exit_code: i32 },
    #[error("the shim of this container is gone")]
    ShimGone,
    #[error("the shim refused: {0}")]
    Refused(String),
    #[error("the default seccomp filter does not compile: {0}")]
    Seccomp(String),
    #[error("the answer of the shim makes no sense: {0}")]
    Protocol(#[from] serde_json::Error),
    #[error("no answer from the shim within {0} s")]
    Timeout(u64),
}

pub type Result<T> = std::result::Result<T, Error>;
