//! A merged view of layers without a mount anyone can see.
//!
//! A short-lived thread takes its own mount namespace, mounts the overlay there, opens its root and ends. The namespace
//! goes with the thread, the mount stays for as long as the file descriptor is open and vanishes with it, so even
//! SIGKILL leaves nothing behind. `fsmount` does the same without a thread, but overlayfs speaks it only since Linux 6.5:
//! it serves where the layers' names do not fit into the one page that `mount` takes.
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::executor::OverlayDirs;

/// `mount` takes one page.
const MAX_OPTIONS: usize = 4000;

/// Opens `dirs` merged and writable. Only one writable view of an upper directory may exist at a time.
///
/// # Errors
/// What the kernel says to unshare, mount or open.
pub fn open_writable(dirs: &OverlayDirs) -> io::Result<OwnedFd> {
    open_view(&dirs.lower, Some((&dirs.upper, &dirs.work)))
}

/// Opens layers merged and read-only; topmost first, at least one. A single layer is its own view.
///
/// # Errors
/// As [`open_writable`].
pub fn open_readonly(lower: &[PathBuf]) -> io::Result<OwnedFd> {
    match lower {
        [single] => open_dir(single),
        _ => open_view(lower, None),
    }
}

fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn open_view(lower: &[PathBuf], upper: Option<(&Path, &Path)>) -> io::Result<OwnedFd> {
    // Options are limited to one page, so layers are named relative to the directory they share.
    let base = common_parent(lower);
    let mut options = OsString::from("redirect_dir=off,metacopy=off,index=off");
    options.push(",lowerdir=");
    for (index, dir) in lower.iter().enumerate() {
        if index > 0 {
            options.push(":");
        }
        options.push(escape(base.as_deref().and_then(|base| dir.strip_prefix(base).ok()).unwrap_or(dir)));
    }
    let target = match upper {
        Some((upper, work)) => {
            options.push(",upperdir=");
            options.push(escape(upper));
            options.push(",workdir=");
            options.push(escape(work));
            // Without it, the end of the mount writes back everything the whole disk has in memory. The directory is of no
            // use after a power cut anyway: the layer store checks what may not have reached the disk.
            options.push(",volatile");
            upper.to_path_buf()
        }
        None => lower[0].clone(),
    };
    if options.len() >= MAX_OPTIONS {
        return open_many(lower, upper);
    }
    let flags = if upper.is_some() { MsFlags::empty() } else { MsFlags::MS_RDONLY };
    in_private_namespace(move || {
        if let Some(base) = &base {
            std::env::set_current_dir(base)?;
        }
        // Mounted over one of its own directories: any directory will do, nobody else sees it.
        mount(Some("overlay"), &target, Some("overlay"), flags, Some(options.as_os_str())).map_err(io::Error::from)?;
        open_dir(&target)
    })
}

fn open_many(lower: &[PathBuf], upper: Option<(&Path, &Path)>) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let set = |key: &str, value: &Path| rustix::mount::fsconfig_set_string(&context, key, value);
    for dir in lower {
        set("lowerdir+", dir)?;
    }
    if let Some((upper, work)) = upper {
        set("upperdir", upper)?;
        set("workdir", work)?;
        rustix::mount::fsconfig_set_flag(&context, "volatile")?;
    }
    for key in ["redirect_dir", "metacopy", "index"] {
        set(key, Path::new("off"))?;
    }
    rustix::mount::fsconfig_create(&context)?;
    let attributes = if upper.is_some() { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_RDONLY };
    Ok(rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

fn in_private_namespace<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("overlay-view".into()).stack_size(256 << 10).spawn_scoped(scope, || {
            // CLONE_FS gives the thread its own working directory.
            unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS)?;
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
            work()
        })?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the mount thread panicked")))
    })
}

fn common_parent(paths: &[PathBuf]) -> Option<PathBuf> {
    let (first, rest) = paths.split_first()?;
    let mut base = first.parent()?.to_path_buf();
    for path in rest {
        while !path.starts_with(&base) {
            base = base.parent()?.to_path_buf();
        }
    }
    Some(base)
}

fn escape(path: &Path) -> OsString {
    let mut escaped = Vec::with_capacity(path.as_os_str().len());
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    OsString::from_vec(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_the_longest_parent() {
        let paths = ["/a/b/c/1", "/a/b/d/2"].map(PathBuf::from);
        assert_eq!(common_parent(&paths), Some(PathBuf::from("/a/b")));
        assert_eq!(escape(Path::new("/x:y,z")), OsString::from("/x\\:y\\,z"));
    }

    #[test]
    fn merges_and_writes_as_root() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["one", "two", "upper", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("one/a"), "1").unwrap();
        std::fs::write(dir.path().join("two/b"), "2").unwrap();
        let lower = vec![dir.path().join("two"), dir.path().join("one")];
        let view = open_readonly(&lower).unwrap();
        assert!(openat(&view, "a", OFlags::RDONLY, Mode::empty()).is_ok());
        assert!(openat(&view, "b", OFlags::RDONLY, Mode::empty()).is_ok());
        let dirs = OverlayDirs { lower, upper: dir.path().join("upper"), work: dir.path().join("work") };
        let view = open_writable(&dirs).unwrap();
        let created = openat(&view, "c", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU);
        assert!(created.is_ok());
        drop((view, created));
        assert!(dir.path().join("upper/c").exists());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(dir.path().to_str().unwrap()), "nothing is mounted where others see it");
    }
}
