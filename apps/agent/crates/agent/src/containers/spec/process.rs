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

/// The image's and the client's variables, after the ones every container has.
pub fn environment(record: &Record) -> Vec<String> {
    let own = &record.config.env;
    let has = |name: &str| own.iter().any(|entry| entry.split_once('=').map_or(entry.as_str(), |(key, _)| key) == name);
    let mut env = Vec::new();
    if !has("PATH") {
        env.push(DEFAULT_PATH.to_owned());
    }
    if !has("HOSTNAME") {
        env.push(format!("HOSTNAME={}", hostname(record)));
    }
    if record.config.tty && !has("TERM") {
        env.push("TERM=xterm".to_owned());
    }
    // `-e NAME` without a value removes a variable.
    env.extend(own.iter().filter(|entry| entry.contains('=')).cloned());
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
