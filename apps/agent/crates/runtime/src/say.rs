//! What spawner and shims have to tell. Their standard error is the daemon's, which may be a pipe that nobody reads any
//! more; `eprintln!` would panic then, and take the container along.
use std::fmt::Arguments;
use std::io::Write;

macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}
pub(crate) use say;

pub(crate) fn line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{text}"); // there is nobody else to tell
}
