//! The OCI mode: what the program of a bundle, and a further one, finds inside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/bundle.rs"]
mod bundle;

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use bundle::{Bundle, eventually};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::json;

#[test]
fn rights_are_as_the_config_says() {
    let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; ulimit -n; umask; id -u; id -G; cat /proc/self/oom_score_adj; \
                  mkdir /x 2>&1; ls /proc/self/fd | wc -l";
    let bundle = Bundle::new(script, |config| {
        let process = &mut config["process"];
        process["user"] = json!({ "uid": 1000, "gid": 100, "additionalGids": [7], "umask": 0o27 });
        process["capabilities"] = json!({
            "bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"],
            "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"],
        });
        process["noNewPrivileges"] = json!(true);
        process["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 77, "hard": 99 }]);
        process["oomScoreAdj"] = json!(123);
        config["root"]["readonly"] = json!(true);
        config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95 },
        ]});
    });
    let out = bundle.run();
    let lines: Vec<&str> = out.lines().map(|line| line.split('\t').next_back().unwrap_or("")).collect();
    let (kill, both) = ("0000000000000020", "0000000000000021");
    assert_eq!(lines[..7], [kill, kill, kill, both, kill, "1", "2"], "{out}");
    assert_eq!(lines[7..12], ["77", "0027", "1000", "100 7", "123"], "{out}");
    // 95 is "not supported".
    assert!(lines[12].contains("supported"), "{out}");
    // The three streams and the directory being read.
    assert_eq!(lines[13], "4", "{out}");
}

#[test]
fn paths_are_masked_and_devices_made() {
    let script = "cat /proc/kcore | wc -c; touch /proc/sys/net/x 2>/dev/null || echo locked; stat -c '%a %u %t' /dev/mine; \
                  ls -l /dev/ptmx | grep -o 'pts/ptmx'; cat /proc/sys/net/ipv4/ip_forward; readlink /dev/fd";
    let bundle = Bundle::new(script, |config| {
        config["linux"]["maskedPaths"] = json!(["/proc/kcore", "/not/there"]);
        config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
        config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        config["linux"]["devices"] = json!([{ "path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 33 }]);
    });
    assert_eq!(bundle.run(), "0\nlocked\n640 33 1\npts/ptmx\n1\n/proc/self/fd\n");
}

#[test]
fn a_user_namespace_maps_ids() {
    let script = "cat /proc/self/uid_map; id -u; touch /tmp/mine; : > /dev/null && echo null; exec sleep 1000";
    let bundle = Bundle::new(script, |config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
        for kind in ["uidMappings", "gidMappings"] {
            config["linux"][kind] = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
        }
    });
    // What the container's root shall change is its own.
    let rootfs = bundle.path().join("rootfs");
    for path in [rootfs.clone(), rootfs.join("tmp"), rootfs.join("dev"), bundle.file(".")] {
        std::os::unix::fs::chown(&path, Some(100_000), Some(100_000)).unwrap();
    }
    bundle.create();
    bundle.start();
    eventually("the program has said all", || bundle.text("out").contains("null"));
    let out = bundle.text("out");
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "1000", "0", "null"], "{}", bundle.text("err"));
    // A further process is in it, too, and no more than it.
    let inside = bundle.call("exec", &["sh", "-c", "cat /proc/self/uid_map; id -u; cat /proc/self/setgroups"]).unwrap();
    assert_eq!(inside.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "1000", "0", "allow"]);
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(rootfs.join("tmp/mine")).unwrap());
    assert_eq!(owner, 100_000);
}

#[test]
fn limits_reach_the_control_group() {
    let bundle = Bundle::new("sleep 1000", |config| {
        config["linux"]["resources"] = json!({ "pids": { "limit": 42 }, "memory": { "limit": 64 << 20 }, "cpu": { "shares": 512 } });
    });
    bundle.create();
    let read = |v1: &str, v2: &str| {
        let files = bundle.groups().into_iter().flat_map(|dir| [dir.join("deep/er").join(v1), dir.join("deep/er").join(v2)]);
        files.filter_map(|file| std::fs::read_to_string(file).ok()).next().unwrap()
    };
    assert_eq!(read("pids.max", "pids.max").trim(), "42");
    assert_eq!(read("memory.limit_in_bytes", "memory.max").trim(), (64 << 20).to_string());
}

#[test]
fn exec_runs_beside_the_first_process() {
    let bundle = Bundle::new("sleep 1000", |_| {});
    bundle.create();
    bundle.start();
    let exec = |args: &[&str], program: &[&str]| {
        let mut all = vec!["exec"];
        all.extend(args);
        all.push(&bundle.id);
        all.extend(program);
        let output = bundle.command(&all).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, out, _) = exec(&[], &["sh", "-c", "hostname; cat /proc/1/comm; exit 7"]);
    assert_eq!((code, out.as_str()), (7, "bundle\nsleep\n"));
    let (code, out, err) = exec(&["--env", "A=B", "--cwd", "/tmp", "--user", "5:6"], &["sh", "-c", "echo $A $(pwd) $(id -u) $(id -g)"]);
    assert_eq!((code, out.as_str()), (0, "B /tmp 5 6\n"), "{err}");
    assert_eq!(exec(&[], &["sh", "-c", "kill -TERM $$"]).0, 128 + 15);
    let (code, _, err) = exec(&[], &["no-such-program"]);
    assert!(code == 255 && err.contains("executable file not found in $PATH"), "{code} {err}");
    // A terminal without one of ours.
    let (code, out, err) = exec(&["--tty"], &["tty"]);
    assert_eq!((code, out.as_str()), (0, "/dev/pts/0\r\n"), "{err}");
    // Its process is a member of the container's group, and ends with it.
    let (pid_file, spec) = (bundle.file("exec.pid"), bundle.file("process.json"));
    std::fs::write(&spec, json!({ "args": ["sleep", "1000"], "cwd": "/", "env": ["PATH=/bin"] }).to_string()).unwrap();
    let mut detached = bundle.command(&["exec", "--detach", "--process", spec.to_str().unwrap(), "--pid-file", pid_file.to_str().unwrap()]);
    assert!(detached.arg(&bundle.id).stdout(std::process::Stdio::null()).status().unwrap().success());
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    let group = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(group.contains(&format!("/{}/deep/er", bundle.id)), "{group}");
    bundle.call("kill", &["KILL"]).unwrap();
    eventually("it ends with the first process", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z ") || !stat.contains("(sleep)"))
    });
    bundle.wait_stopped();
    assert_eq!(exec(&[], &["true"]).0, 255);
}

#[test]
fn only_the_descriptors_asked_for_are_handed_on() {
    let bundle = Bundle::new("cat <&3; ls /proc/self/fd | wc -l", |_| {});
    let given = bundle.file("given");
    std::fs::write(&given, "from outside\n").unwrap();
    // The shell opens two for its child: 3, which is asked for, and 4.
    let script = "exec 3< \"$1\" 4< \"$1\"; shift; exec \"$@\"";
    let call = bundle.command(&["create", "--preserve-fds", "1", "--bundle"]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh"]).arg(&given).arg(call.get_program()).args(call.get_args()).arg(bundle.path()).arg(&bundle.id);
    let file = |name: &str| std::fs::File::create(bundle.file(name)).unwrap();
    assert!(command.stdout(file("out")).stderr(file("err")).status().unwrap().success(), "{}", bundle.text("err"));
    bundle.start();
    bundle.wait_stopped();
    // The streams, the one asked for, and the directory being read.
    assert_eq!(bundle.text("out"), "from outside\n5\n");
}

fn receive_terminal(listener: &UnixListener) -> OwnedFd {
    let (socket, _) = listener.accept().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 64];
    rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut name)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    fd.unwrap()
}

#[test]
fn a_terminal_goes_to_the_console_socket() {
    let bundle = Bundle::new("stty size 2>/dev/null; tty; cat", |config| {
        config["process"]["terminal"] = json!(true);
        config["process"]["consoleSize"] = json!({ "height": 33, "width": 99 });
    });
    std::os::unix::fs::symlink("busybox", bundle.path().join("rootfs/bin/stty")).unwrap();
    let path = bundle.file("console");
    let listener = UnixListener::bind(&path).unwrap();
    bundle.create_with(&["--console-socket", path.to_str().unwrap()]).unwrap();
    let mut terminal = std::fs::File::from(receive_terminal(&listener));
    bundle.start();
    let mut seen = String::new();
    let mut buffer = [0; 256];
    let mut read_until = |terminal: &mut std::fs::File, words: &str| {
        while !seen.contains(words) {
            let length = terminal.read(&mut buffer).unwrap();
            seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    read_until(&mut terminal, "33 99\r\n/dev/pts/0\r\n");
    terminal.write_all(b"hello\n").unwrap();
    // Once as its echo, once from the program.
    read_until(&mut terminal, "hello\r\nhello\r\n");
    terminal.write_all(&[4]).unwrap();
    bundle.wait_stopped();
}
