//! What the first process is given: its host's name and its variables.
use super::bad;
use crate::containers::model::Config;
use crate::containers::record::Record;
use crate::error::ApiResult;

/// The kernel's limit.
const LONGEST_HOSTNAME: usize = 64;

const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub fn hostname(record: &Record) -> String {
    match record.config.hostname.as_str() {
        "" => record.id.chars().take(12).collect(),
        name => name.to_owned(),
    }
}

/// With the domain, if it has one: the line of `/etc/hosts`.
pub fn full_hostname(record: &Record) -> String {
    match (hostname(record), record.config.domainname.as_str()) {
        (name, "") => name,
        (name, domain) => format!("{name}.{domain} {name}"),
    }
}

/// The image's and the client's variables, after the ones every container has.
pub fn environment(record: &Record) -> Vec<String> {
    let key = |entry: &str| entry.split_once('=').map_or(entry.to_owned(), |(key, _)| key.to_owned());
    let mut env = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={}", hostname(record))];
    if record.config.tty {
        env.push("TERM=xterm".to_owned());
    }
    // In the place of the one they replace; `-e NAME` without a value removes a variable.
    for own in &record.config.env {
        match env.iter().position(|entry| key(entry) == key(own)) {
            Some(place) if own.contains('=') => own.clone_into(&mut env[place]),
            Some(place) => drop(env.remove(place)),
            None if own.contains('=') => env.push(own.clone()),
            None => {}
        }
    }
    env
}

/// What no kernel takes.
pub(super) fn check(config: &Config, args: &[String]) -> ApiResult<()> {
    let texts = args.iter().chain(&config.env).chain([&config.working_dir, &config.user, &config.hostname, &config.domainname]);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(bad("the command, its variables, folder, user and host name must not hold a zero byte"));
    }
    if config.hostname.len() > LONGEST_HOSTNAME || config.hostname.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(bad(format!("invalid host name {:?}: it has at most {LONGEST_HOSTNAME} characters, and no spaces", config.hostname)));
    }
    if config.domainname.len() > LONGEST_HOSTNAME || config.domainname.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(bad(format!(
            "invalid domain name {:?}: it has at most {LONGEST_HOSTNAME} characters, and no spaces",
            config.domainname
        )));
    }
    Ok(())
}
