//! The kernel's own word that a group ran out of memory.
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::event::EventfdFlags;

/// How a descriptor tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// v1: an event descriptor becomes readable.
    Readable,
    /// v2: a control file that has been read says `POLLPRI` when it is another.
    Changed,
}

/// A descriptor to wait for with poll or epoll. It may become ready without a kill (v1 tells of the lack of memory, not of the kill that
/// follows, and of the group's end too), so whoever waits reads the count.
#[derive(Debug)]
pub struct OomNotice {
    pub fd: OwnedFd,
    pub told: Told,
}

impl OomNotice {
    pub(crate) fn open(dir: &Path, v2: bool) -> io::Result<Self> {
        if v2 { Self::of_file(&dir.join("memory.events")) } else { Self::of_counter(dir) }
    }

    fn of_file(path: &Path) -> io::Result<Self> {
        let fd = File::open(path)?.into();
        Told::Changed.rearm(&fd)?;
        Ok(Self { fd, told: Told::Changed })
    }

    /// The kernel's cgroup-v1/memory.rst, 10. OOM Control.
    fn of_counter(dir: &Path) -> io::Result<Self> {
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let control = File::open(dir.join("memory.oom_control"))?;
        let words = format!("{} {}", fd.as_raw_fd(), control.as_raw_fd());
        std::fs::write(dir.join("cgroup.event_control"), words)?;
        Ok(Self { fd, told: Told::Readable })
    }
}

impl Told {
    /// Takes what was told, so that the descriptor becomes ready at the next time only.
    pub fn rearm(self, fd: &OwnedFd) -> io::Result<()> {
        let mut told = [0; 512];
        let read = match self {
            Self::Readable => rustix::io::read(fd, &mut told),
            Self::Changed => rustix::io::pread(fd, &mut told, 0),
        };
        match read {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    struct Group(PathBuf);

    impl Group {
        fn below(mount: &str) -> Self {
            let dir = Path::new(mount).join(format!("slipway-oom-test-{}", std::process::id()));
            fs::create_dir(&dir).unwrap();
            Self(dir)
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            let end = Instant::now() + Duration::from_secs(5);
            while fs::remove_dir(&self.0).is_err() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn mounted(wanted: impl Fn(&str, &str) -> bool) -> Option<String> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        lines.filter(|words| wanted(words[2], words[3])).map(|words| words[1].to_owned()).next()
    }

    fn ready(notice: &OomNotice, flags: PollFlags, wait: Duration) -> bool {
        let mut fds = [PollFd::new(&notice.fd, flags)];
        poll(&mut fds, Some(&Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() })).unwrap();
        fds[0].revents().intersects(flags)
    }

    /// Only the count of kills differs from other files of v2: how a change is told is the same for all.
    #[test]
    fn a_changed_file_of_v2_is_told_once_each() {
        let mount = mounted(|kind, _| kind == "cgroup2").expect("cgroup2 is mounted nowhere");
        let group = Group::below(&mount);
        let notice = OomNotice::of_file(&group.0.join("cgroup.events")).unwrap();
        assert!(!ready(&notice, PollFlags::PRI, Duration::ZERO));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(group.0.join("cgroup.procs"), child.id().to_string()).unwrap();
        assert!(ready(&notice, PollFlags::PRI, Duration::from_secs(5)));
        notice.told.rearm(&notice.fd).unwrap();
        assert!(!ready(&notice, PollFlags::PRI, Duration::ZERO));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ready(&notice, PollFlags::PRI, Duration::from_secs(5)));
    }

    #[test]
    fn a_group_of_v1_that_runs_out_of_memory_is_told() {
        // A host of v2 alone has nothing of this to test.
        let Some(mount) = mounted(|kind, options| kind == "cgroup" && options.split(',').any(|o| o == "memory")) else { return };
        let group = Group::below(&mount);
        let notice = OomNotice::open(&group.0, false).unwrap();
        fs::write(group.0.join("memory.limit_in_bytes"), "4194304").unwrap();
        let _ = fs::write(group.0.join("memory.memsw.limit_in_bytes"), "4194304"); // not every kernel counts swap
        assert!(!ready(&notice, PollFlags::IN, Duration::ZERO));
        let procs = group.0.join("cgroup.procs");
        let script = "echo $$ > \"$0\"; exec awk 'BEGIN { s = \"xxxxxxxx\"; while (1) s = s s }'";
        let status = std::process::Command::new("sh").args(["-c", script]).arg(procs).status().unwrap();
        assert!(!status.success());
        assert!(ready(&notice, PollFlags::IN, Duration::from_secs(5)));
        notice.told.rearm(&notice.fd).unwrap();
        assert!(!ready(&notice, PollFlags::IN, Duration::ZERO));
        assert!(crate::memory::oom_kills(&group.0, false) > 0);
    }
}
