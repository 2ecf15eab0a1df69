//! Filling a new volume with what the image has at its place.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, StatVfsMountFlags};

use super::root::Root;

/// Depth of directories; the image decides it.
const DEEPEST: usize = 256;

/// Copies the tree at `target` (as the image has it) into `to`, when that is empty. Works on descriptors and never
/// follows a symlink, so that neither tree can lead elsewhere.
pub(super) fn fill(root: &Root, target: &str, to: &OwnedFd, mounted: bool) -> io::Result<()> {
    let from = match root.open(target, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(from) => from,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // A volume may be a file system that nobody writes to.
    let readonly = rustix::fs::fstatvfs(to)?.f_flag.contains(StatVfsMountFlags::RDONLY);
    if readonly || !names(to)?.is_empty() {
        return Ok(());
    }
    // What is mounted there, by a volume's options, has an owner of its own until it gets something to keep.
    if mounted && names(&from)?.is_empty() {
        return Ok(());
    }
    let stat = rustix::fs::fstat(&from)?;
    copy_dir(&from, to, 0)?;
    own(to, &stat)
}

fn names(dir: &OwnedFd) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

fn own(fd: impl AsFd, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(&fd, Some(uid), Some(gid))?;
    // After the owner: changing that clears the setuid bits.
    Ok(rustix::fs::fchmod(&fd, Mode::from_raw_mode(stat.st_mode & 0o7777))?)
}

fn copy_dir(from: &OwnedFd, to: &OwnedFd, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other("its directories are nested too deeply"));
    }
    for name in names(from)? {
        let stat = rustix::fs::statat(from, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                rustix::fs::mkdirat(to, &name, Mode::from_raw_mode(0o700))?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let (below, copy) =
                    (rustix::fs::openat(from, &name, flags, Mode::empty())?, rustix::fs::openat(to, &name, flags, Mode::empty())?);
                copy_dir(&below, &copy, depth + 1)?;
                own(&copy, &stat)?;
            }
            FileType::RegularFile => {
                let source = rustix::fs::openat(from, &name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let copy = rustix::fs::openat(to, &name, flags, Mode::from_raw_mode(0o600))?;
                let mut copy = File::from(copy);
                io::copy(&mut File::from(source), &mut copy)?;
                own(&copy, &stat)?;
            }
            FileType::Symlink => {
                let link = rustix::fs::readlinkat(from, &name, Vec::new())?;
                rustix::fs::symlinkat(&link, to, &name)?;
                let (uid, gid) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
                rustix::fs::chownat(to, &name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            // Sockets, FIFOs and device nodes of an image are not data.
            _ => {}
        }
    }
    Ok(())
}
