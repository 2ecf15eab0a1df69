//! The steps of building a container from within, one by one, for who starts containers from another description than
//! [`crate::spec::LaunchSpec`]: the OCI mode. They run in a process of one thread that has its own mount namespace.
pub use crate::init::filesystems::{DEVICES, LINKS, attach, make};
pub use crate::init::identity::home;
pub use crate::init::mounts::{clone_mount, outside_of_proc, protect_paths};
pub use crate::init::process::{enter_directory, execute, resource};
pub use crate::init::root::{Root, directory};
pub use crate::init::terminal::{Terminal, open as open_terminal, open_inside as open_terminal_inside};
pub use crate::init::{EXIT_ENGINE, Stage, Step, StepError};
