use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no cgroup hierarchy is mounted; mount cgroup2 at /sys/fs/cgroup")]
    NotMounted,
    #[error("this host's kernel cannot limit {0}: its cgroup controller is not there")]
    NoController(&'static str),
    #[error("cannot confine {} to its devices: {source}; cgroup v2 needs a kernel with CONFIG_CGROUP_BPF", path.display())]
    Devices { path: PathBuf, source: std::io::Error },
    #[error("cannot write {value:?} to {}: {source}", path.display())]
    Write { path: PathBuf, value: String, source: std::io::Error },
    #[error("cannot pause the control group {}: {source}", path.display())]
    Freeze { path: PathBuf, source: std::io::Error },
    #[error("cannot make the control group {}: {source}", path.display())]
    Create { path: PathBuf, source: std::io::Error },
    #[error("cannot remove the control group {}: {source}", path.display())]
    Remove { path: PathBuf, source: std::io::Error },
}

pub type Result<T> = std::result::Result<T, Error>;
