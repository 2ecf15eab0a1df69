//! The command line, as runc's. Flags may stand before or after the container's id, but in `exec`, where the program's own
//! arguments begin behind it.
use std::ffi::OsString;
use std::path::PathBuf;

use crate::command::create::Create;
use crate::command::exec::Exec;
use crate::error::{Error, Result};
use crate::report::Log;

pub const USAGE: &str = "\
Usage: slipway-agent oci [--root DIR] [--log FILE] [--log-format text|json] COMMAND

  create [--bundle DIR] [--console-socket PATH] [--pid-file FILE] [--no-pivot] [--preserve-fds N] ID
  start ID
  state ID
  kill [--all] ID [SIGNAL]
  delete [--force] ID
  exec [--process FILE] [--tty] [--detach] [--pid-file FILE] [--console-socket PATH] [--env K=V]... [--cwd DIR]
       [--user UID[:GID]] [--additional-gids GID]... [--cap NAME]... [--no-new-privs] [--preserve-fds N] ID PROGRAM [ARG]...
  list [--format table|json] [--quiet]
  features";

#[derive(Debug)]
pub struct Global {
    /// Holds a directory for each container.
    pub root: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    Table,
    Json,
    Quiet,
}

#[derive(Debug)]
pub enum Command {
    Create(Create),
    Start(String),
    State(String),
    Kill { id: String, signal: String, all: bool },
    Delete { id: String, force: bool },
    Exec(Box<Exec>),
    List(ListFormat),
    Features,
    Help,
    Version,
}

/// Flags by name, without their dashes; then everything else.
struct Parsed {
    flags: Vec<(&'static str, String)>,
    rest: Vec<String>,
}

impl Parsed {
    fn last(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.last(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.flags.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.clone()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.last(name).is_some_and(|value| value != "false")
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let parse = |value: &str| value.parse().map_err(|_| told(format!("invalid value {value:?} for flag -{name}")));
        self.last(name).map(parse).transpose()
    }

    /// The container's id, and nothing behind it but `more`.
    fn id(&self, more: usize) -> Result<String> {
        match self.rest.split_first() {
            Some((id, rest)) if rest.len() <= more && !id.is_empty() => Ok(id.clone()),
            Some((id, _)) if id.is_empty() => Err(told("container id cannot be empty")),
            Some(_) => Err(told("too many arguments")),
            None => Err(told("container id cannot be empty")),
        }
    }
}

fn told(message: impl Into<String>) -> Error {
    Error::Told(message.into())
}

/// Names of one flag, the long one first, and whether it takes a value.
type Flag = (&'static [&'static str], bool);

const GLOBAL: [Flag; 8] = [
    (&["root"], true),
    (&["log"], true),
    (&["log-format"], true),
    (&["systemd-cgroup"], false),
    (&["debug"], false),
    (&["criu"], true),
    (&["rootless"], true),
    (&["help", "h"], false),
];

const CREATE: [Flag; 6] = [
    (&["bundle", "b"], true),
    (&["console-socket"], true),
    (&["pid-file"], true),
    (&["no-pivot"], false),
    (&["no-new-keyring"], false),
    (&["preserve-fds"], true),
];

const EXEC: [Flag; 17] = [
    (&["process", "p"], true),
    (&["tty", "t"], false),
    (&["detach", "d"], false),
    (&["pid-file"], true),
    (&["console-socket"], true),
    (&["env", "e"], true),
    (&["cwd"], true),
    (&["user", "u"], true),
    (&["additional-gids", "g"], true),
    (&["cap", "c"], true),
    (&["no-new-privs"], false),
    (&["preserve-fds"], true),
    (&["apparmor"], true),
    (&["process-label"], true),
    (&["no-subreaper"], false),
    (&["ignore-paused"], false),
    (&["cgroup"], true),
];

/// Global settings, where to log, and what to do.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<(Global, Log, Command)> {
    let args = args.map(|arg| arg.into_string().map_err(|arg| told(format!("{} is no UTF-8", arg.display()))));
    let args = args.collect::<Result<Vec<String>>>()?;
    let global = flags(args, &GLOBAL, true)?;
    if global.has("systemd-cgroup") {
        return Err(told("systemd cgroup flag passed, but systemd support for managing cgroups is not available"));
    }
    let log = Log { path: global.path("log"), json: matches!(global.last("log-format"), Some("json")) };
    if let Some(format) = global.last("log-format").filter(|format| !matches!(*format, "" | "text" | "json")) {
        return Err(told(format!("invalid log-format: {format}")));
    }
    let settings = Global { root: global.path("root").unwrap_or_else(|| PathBuf::from("/run/slipway-oci")) };
    let mut rest = global.rest.clone();
    if global.has("help") || rest.is_empty() {
        return Ok((settings, log, Command::Help));
    }
    let name = rest.remove(0);
    Ok((settings, log, command(&name, rest)?))
}

fn command(name: &str, args: Vec<String>) -> Result<Command> {
    Ok(match name {
        "create" => {
            let parsed = flags(args, &CREATE, false)?;
            Command::Create(Create {
                id: parsed.id(0)?,
                bundle: parsed.path("bundle").unwrap_or_else(|| PathBuf::from(".")),
                console_socket: parsed.path("console-socket"),
                pid_file: parsed.path("pid-file"),
                preserve: preserve(&parsed)?,
            })
        }
        "start" => Command::Start(flags(args, &[], false)?.id(0)?),
        "state" => Command::State(flags(args, &[], false)?.id(0)?),
        "kill" => {
            let parsed = flags(args, &[(&["all", "a"], false)], false)?;
            let signal = parsed.rest.get(1).cloned().unwrap_or_else(|| "SIGTERM".into());
            Command::Kill { id: parsed.id(1)?, signal, all: parsed.has("all") }
        }
        "delete" => {
            let parsed = flags(args, &[(&["force", "f"], false)], false)?;
            Command::Delete { id: parsed.id(0)?, force: parsed.has("force") }
        }
        "exec" => Command::Exec(Box::new(exec(flags(args, &EXEC, true)?)?)),
        "list" => {
            let parsed = flags(args, &[(&["format", "f"], true), (&["quiet", "q"], false)], false)?;
            Command::List(match (parsed.has("quiet"), parsed.last("format")) {
                (true, _) => ListFormat::Quiet,
                (_, None | Some("table")) => ListFormat::Table,
                (_, Some("json")) => ListFormat::Json,
                (_, Some(_)) => return Err(told("invalid format option")),
            })
        }
        "features" => Command::Features,
        "help" => Command::Help,
        "version" => Command::Version,
        other => return Err(told(format!("No help topic for '{other}'"))),
    })
}

fn preserve(parsed: &Parsed) -> Result<i32> {
    let count: i32 = parsed.number("preserve-fds")?.unwrap_or(0);
    if (0..=1_000).contains(&count) { Ok(count) } else { Err(told(format!("invalid value {count} for flag -preserve-fds"))) }
}

fn exec(parsed: Parsed) -> Result<Exec> {
    if parsed.last("apparmor").is_some_and(|name| !name.is_empty()) {
        return Err(told("apparmor is not supported"));
    }
    if parsed.last("process-label").is_some_and(|label| !label.is_empty()) {
        return Err(told("selinux is not supported"));
    }
    if parsed.last("cgroup").is_some_and(|path| !path.is_empty()) {
        return Err(told("exec into another control group is not supported"));
    }
    let gid = |text: String| text.parse().map_err(|_| told(format!("invalid group id {text:?}")));
    let additional_gids = parsed.all("additional-gids").into_iter().map(gid).collect::<Result<Vec<u32>>>()?;
    Ok(Exec {
        id: parsed.id(usize::MAX)?,
        args: parsed.rest[1..].to_vec(),
        process: parsed.path("process"),
        tty: parsed.has("tty"),
        detach: parsed.has("detach"),
        pid_file: parsed.path("pid-file"),
        console_socket: parsed.path("console-socket"),
        env: parsed.all("env"),
        cwd: parsed.last("cwd").map(String::from),
        user: parsed.last("user").map(String::from),
        additional_gids,
        caps: parsed.all("cap"),
        no_new_privileges: parsed.has("no-new-privs"),
        preserve: preserve(&parsed)?,
    })
}

/// `first_ends`: what is no flag ends the flags.
fn flags(args: Vec<String>, known: &[Flag], first_ends: bool) -> Result<Parsed> {
    let mut parsed = Parsed { flags: Vec::new(), rest: Vec::new() };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let bare = arg.trim_start_matches('-');
        if arg == "--" {
            parsed.rest.extend(args);
            break;
        }
        if bare.len() == arg.len() || bare.is_empty() {
            parsed.rest.push(arg);
            if first_ends {
                parsed.rest.extend(args);
                break;
            }
            continue;
        }
        let (name, inline) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value.to_owned())));
        let Some((names, takes)) = known.iter().find(|(names, _)| names.contains(&name)) else {
            return Err(told(format!("flag provided but not defined: -{name}")));
        };
        let value = match (inline, takes) {
            (Some(value), _) => value,
            (None, false) => "true".into(),
            (None, true) => args.next().ok_or_else(|| told(format!("flag needs an argument: -{name}")))?,
        };
        parsed.flags.push((names[0], value));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<(Global, Log, Command)> {
        parse(text.split(' ').filter(|word| !word.is_empty()).map(OsString::from))
    }

    #[test]
    fn as_engines_call_it() {
        let (global, log, command) = line("--root /r --log /l --log-format json create --bundle /b --pid-file /p --no-pivot web").unwrap();
        assert_eq!((global.root, log.path, log.json), ("/r".into(), Some("/l".into()), true));
        let Command::Create(create) = command else { panic!("{command:?}") };
        assert_eq!((create.id.as_str(), create.bundle, create.pid_file), ("web", "/b".into(), Some("/p".into())));
        let (_, _, command) = line("exec -t --env=A=B -e C=D web sh -c -x --env").unwrap();
        let Command::Exec(exec) = command else { panic!("{command:?}") };
        assert_eq!(
            (exec.env, exec.args, exec.tty),
            (vec!["A=B".into(), "C=D".into()], vec!["sh".into(), "-c".into(), "-x".into(), "--env".into()], true)
        );
        assert!(matches!(line("kill web KILL --all").unwrap().2, Command::Kill { all: true, signal, .. } if signal == "KILL"));
    }

    #[test]
    fn nonsense_is_told() {
        for (text, word) in [
            ("create", "empty"),
            ("create a b", "too many"),
            ("start --nope a", "not defined"),
            ("--systemd-cgroup state a", "systemd"),
            ("create --bundle", "needs an argument"),
            ("create --preserve-fds -1 a", "invalid value"),
            ("frobnicate", "No help topic"),
        ] {
            let message = line(text).map(|_| ()).unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
