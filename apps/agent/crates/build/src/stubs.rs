//! Mount points that a step's container needs and its image does not have: the runtime makes them, and they are no part
//! of the layer. After the step everything about them is hostile: it may have put links where they were (CVE-2024-23652),
//! so they are removed through descriptors that no link leads to.
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat2, statat, unlinkat};
use rustix::io::Errno;

use crate::tree::{Tree, is_absent, times};

/// What is not there before a step, deepest first.
#[derive(Debug, Default)]
pub struct Stubs {
    missing: Vec<PathBuf>,
    /// Directories that get an entry, and their times before.
    parents: Vec<(PathBuf, (i64, i64))>,
}

impl Stubs {
    /// Of `targets`, what is missing in the files that a step begins with.
    ///
    /// # Errors
    /// What the file system says.
    pub fn find<'a>(view: &Tree, targets: impl IntoIterator<Item = &'a str>) -> io::Result<Self> {
        let mut stubs = Self::default();
        for target in targets {
            // A target that leads round in circles, or through a file, is the runtime's to refuse.
            let Ok(real) = view.real_path(Path::new(target)) else { continue };
            for path in real.ancestors().filter(|path| path.parent().is_some()) {
                match view.stat(path) {
                    Ok(None) => {}
                    Ok(Some(stat)) => {
                        let time = (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0));
                        if path != real && !stubs.parents.iter().any(|(known, _)| known == path) {
                            stubs.parents.push((path.to_path_buf(), time));
                        }
                        break;
                    }
                    Err(error) if is_absent(&error) => {}
                    Err(error) => return Err(error),
                }
                if !stubs.missing.iter().any(|known| known == path) {
                    stubs.missing.push(path.to_path_buf());
                }
            }
        }
        stubs.missing.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        Ok(stubs)
    }

    /// Removes what of it is still there and empty from a step's upper directory. A directory that got nothing else keeps
    /// its time.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove(&self, upper: &Path) -> io::Result<()> {
        let tree = Tree::open(upper)?;
        for path in &self.missing {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
            if let Some(parent) = open_plain(&tree, parent)? {
                remove_empty(&parent, name)?;
            }
        }
        for (path, (seconds, nanos)) in &self.parents {
            let Some(dir) = open_plain(&tree, path)? else { continue };
            if crate::tree::list(&dir)?.is_empty() {
                rustix::fs::futimens(&dir, &times(*seconds, *nanos))?;
            }
        }
        Ok(())
    }
}

/// A directory of the upper layer itself; `None` when it is not there, or no path without links leads to it.
fn open_plain(tree: &Tree, path: &Path) -> io::Result<Option<OwnedFd>> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(tree.root(), relative, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remove_empty(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let gone = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => unlinkat(parent, name, AtFlags::REMOVEDIR),
        FileType::RegularFile if stat.st_size == 0 => unlinkat(parent, name, AtFlags::empty()),
        _ => Ok(()),
    };
    match gone {
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn made(image: &Path, upper: &Path, target: &str) -> Stubs {
        let stubs = Stubs::find(&Tree::open(image).unwrap(), [target]).unwrap();
        std::fs::create_dir_all(upper.join(target.trim_start_matches('/'))).unwrap();
        stubs
    }

    #[test]
    fn leaves_nothing_but_what_was_there() {
        let (image, upper) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(image.path().join("srv")).unwrap();
        let stubs = made(image.path(), upper.path(), "/srv/a/b/c");
        std::fs::write(upper.path().join("srv/a/kept"), "x").unwrap();
        stubs.remove(upper.path()).unwrap();
        assert!(upper.path().join("srv/a/kept").exists() && !upper.path().join("srv/a/b").exists());
        std::fs::remove_file(upper.path().join("srv/a/kept")).unwrap();
        stubs.remove(upper.path()).unwrap();
        assert_eq!(std::fs::read_dir(upper.path().join("srv")).unwrap().count(), 0);
        let time = |dir: &Path| std::fs::metadata(dir.join("srv")).unwrap().modified().unwrap();
        assert_eq!(time(image.path()), time(upper.path()), "a directory that only had a mount point is as it was");
    }

    /// A step puts a link to a directory of the host in place of a mount point's parent; the clean-up must not follow it.
    #[test]
    fn cve_2024_23652_stubs_are_not_removed_through_links() {
        let (image, upper, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (target, linked) in [("/a/b/stub", "a"), ("/c/d/stub", "c/d")] {
            let stubs = made(image.path(), upper.path(), target);
            std::fs::remove_dir_all(upper.path().join(linked)).unwrap();
            let victim = host.path().join(linked);
            std::fs::create_dir_all(victim.join("b/stub")).unwrap();
            std::fs::create_dir_all(victim.join("stub")).unwrap();
            symlink(&victim, upper.path().join(linked)).unwrap();
            stubs.remove(upper.path()).unwrap();
            assert!(victim.join("b/stub").exists() && victim.join("stub").exists(), "{target}");
        }
        let stubs = made(image.path(), upper.path(), "/e/stub");
        std::fs::remove_dir(upper.path().join("e/stub")).unwrap();
        symlink(host.path().join("a"), upper.path().join("e/stub")).unwrap();
        stubs.remove(upper.path()).unwrap();
        assert!(host.path().join("a/stub").exists() && upper.path().join("e/stub").is_symlink(), "a link is no mount point");
    }
}
