//! Mounting what a volume's options say, in the host's mount namespace, and taking it away again.
use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, UnmountFlags};
use slipway_runtime::inside::{attach, clone_mount};
use slipway_sys::mount as attr;

use super::options::{Options, Plan, Source};

/// Mounts that may be found on top of each other in one place.
const MOST_STACKED: usize = 16;
/// Bytes of the kernel's own words that are told.
const LONGEST_REASON: usize = 500;

/// Mounts `plan`, whose `source` the policy has seen, at `point`.
pub fn mount(plan: &Plan, source: &Source, point: &Path) -> io::Result<()> {
    let tree = match source {
        Source::Folder(path) => bind(plan, path)?,
        other => filesystem(plan, other)?,
    };
    for (kind, recursive) in &plan.options.propagation {
        attr::set_attributes(tree.as_fd(), c"", 0, 0, *kind, *recursive)?;
    }
    attach(&tree, &plain(point)?).map_err(io::Error::from)
}

/// A path that was resolved before. A link that is there now was put there since, and may lead anywhere.
fn plain(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

fn bind(plan: &Plan, path: &Path) -> io::Result<OwnedFd> {
    let options = &plan.options;
    let tree = clone_mount(&plain(path)?, options.recursive)?;
    attr::set_attributes(tree.as_fd(), c"", options.set, options.clear, 0, options.recursive)?;
    attr::set_attributes(tree.as_fd(), c"", options.set_recursive, options.clear_recursive, 0, true)?;
    // Nothing that is unmounted here may go where it came from: a copy of a shared mount takes the original's inner mounts
    // along. What the host mounts there later does come here.
    attr::set_attributes(tree.as_fd(), c"", 0, 0, attr::SLAVE, true)?;
    Ok(tree)
}

fn filesystem(plan: &Plan, source: &Source) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen(&plan.kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    let configured = plan.data(source)?.iter().try_for_each(|(key, value)| match value.is_empty() {
        true => rustix::mount::fsconfig_set_flag(&context, key.as_str()),
        false => rustix::mount::fsconfig_set_string(&context, key.as_str(), value.as_str()),
    });
    let made = configured.and_then(|()| rustix::mount::fsconfig_create(&context));
    made.map_err(|error| explain(&context, error))?;
    let set = plan.options.set | plan.options.set_recursive;
    let attributes = MountAttrFlags::from_bits_retain(u32::try_from(set).map_err(io::Error::other)?);
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(|error| explain(&context, error))
}

/// The file system's own words, if it has any (`tmpfs: Bad value for 'size'`), with the error.
fn explain(context: &OwnedFd, error: rustix::io::Errno) -> io::Error {
    let mut words = String::new();
    let mut buffer = [0; 512];
    // A message is one read, with its kind and a blank in front; none is an error.
    while let Ok(length @ 1..) = rustix::io::read(context, &mut buffer) {
        let message = String::from_utf8_lossy(&buffer[..length]);
        if let Some(text) = message.strip_prefix("e ") {
            words.push_str(text.trim_end());
            words.push_str(": ");
        }
        if words.len() > LONGEST_REASON {
            break;
        }
    }
    io::Error::new(io::Error::from(error).kind(), format!("{words}{}", io::Error::from(error)))
}

/// The options for whoever is told of a failure; passwords are nobody's to read there.
pub fn describe(options: &Options) -> String {
    let hidden = |word: &str| match word.split_once('=') {
        Some((key @ ("password" | "pass" | "password2"), _)) => format!("{key}=********"),
        _ => word.to_owned(),
    };
    let word = |key: &str| options.get(key).map(String::as_str).unwrap_or_default();
    let data: Vec<String> = word("o").split(',').map(hidden).collect();
    format!("mount {} of type {}, options {:?}", word("device"), word("type"), data.join(","))
}

/// Unmounts everything at `point`. What still uses it keeps it until it ends; the place itself is free at once.
pub fn unmount(point: &Path) -> io::Result<()> {
    let path = CString::new(point.as_os_str().as_bytes())?;
    for _ in 0..MOST_STACKED {
        if !is_mounted(point)? {
            return Ok(());
        }
        // Whatever was asked for with `shared`: what goes here goes nowhere else.
        attr::set_attributes(CWD, &path, 0, 0, attr::PRIVATE, true)?;
        rustix::mount::unmount(path.as_c_str(), UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    }
    Err(io::Error::other(format!("{} is mounted over more than {MOST_STACKED} times", point.display())))
}

pub fn is_mounted(point: &Path) -> io::Result<bool> {
    Ok(beneath(point)?.iter().any(|mounted| mounted == point))
}

/// Where something is mounted, at and below `path`. The kernel's list is asked: looking at the file system of a server that
/// is gone would not return.
pub fn beneath(path: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(points(&fs::read("/proc/self/mountinfo")?).filter(|point| point.starts_with(path)).collect())
}

fn points(mountinfo: &[u8]) -> impl Iterator<Item = PathBuf> {
    mountinfo.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescape)
}

/// Blanks and the like are written as `\040`.
fn unescape(text: &[u8]) -> PathBuf {
    let (mut plain, mut rest) = (Vec::new(), text);
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => (plain.push(byte), rest = &after[3..]).0,
            None => (plain.push(*first), rest = after).0,
        }
    }
    OsString::from_vec(plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_told() {
        let options = [("type", "cifs"), ("device", "//h/s"), ("o", "username=u,password=secret,ro")];
        let told = describe(&options.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(told, "mount //h/s of type cifs, options \"username=u,password=********,ro\"");
    }

    #[test]
    fn the_kernels_list_is_understood() {
        let list = b"22 1 0:20 / /proc rw - proc proc rw\n36 22 8:1 /a\\040b /srv/x\\040y\\134z rw shared:1 - ext4 /dev/sda1 rw\n";
        let found: Vec<PathBuf> = points(list).collect();
        assert_eq!(found, [PathBuf::from("/proc"), PathBuf::from("/srv/x y\\z")]);
        assert!(is_mounted(Path::new("/proc")).unwrap() && !is_mounted(Path::new("/proc/self")).unwrap());
    }
}
