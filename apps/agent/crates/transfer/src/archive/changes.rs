use serde_json::{Map, Value};
use slipway_store::ContainerConfig;

use crate::{Error, Result};

/// Applies one Dockerfile instruction to a config, as `docker import --change` and `docker commit --change` do.
pub fn apply(config: &mut ContainerConfig, change: &str) -> Result<()> {
    let bad = || Error::Change(change.chars().take(200).collect());
    let (word, rest) = change.trim().split_once(char::is_whitespace).ok_or_else(bad)?;
    let rest = rest.trim();
    let words = || -> Result<Vec<String>> {
        match json_array(rest) {
            Some(list) => Ok(list),
            None => split_words(rest).ok_or_else(bad),
        }
    };
    let command = || json_array(rest).unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into(), rest.to_string()]);
    match word.to_ascii_uppercase().as_str() {
        "CMD" => config.cmd = Some(command()),
        "ENTRYPOINT" => config.entrypoint = Some(command()),
        "ENV" => {
            for (key, value) in pairs(rest).ok_or_else(bad)? {
                let prefix = format!("{key}=");
                config.env.retain(|e| !e.starts_with(&prefix));
                config.env.push(prefix + &value);
            }
        }
        "LABEL" => config.labels.extend(pairs(rest).ok_or_else(bad)?),
        "EXPOSE" => {
            for port in words()? {
                let port = if port.contains('/') { port } else { format!("{port}/tcp") };
                config.exposed_ports.insert(port, Value::Object(Map::new()));
            }
        }
        "VOLUME" => config.volumes.extend(words()?.into_iter().map(|v| (v, Value::Object(Map::new())))),
        "ONBUILD" => config.on_build.push(rest.to_string()),
        "STOPSIGNAL" => config.stop_signal = Some(rest.to_string()),
        "USER" => config.user = rest.to_string(),
        "WORKDIR" if rest.starts_with('/') => config.working_dir = rest.to_string(),
        "WORKDIR" => config.working_dir = format!("{}/{rest}", config.working_dir.trim_end_matches('/')),
        _ => return Err(bad()),
    }
    Ok(())
}

fn json_array(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// `key=value key="two words"`, or the old form `key value`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let words = split_words(text)?;
    if !words.first()?.contains('=') {
        let (key, value) = text.split_once(char::is_whitespace)?;
        return Some(vec![(key.to_string(), value.trim().to_string())]);
    }
    let split = |word: &String| word.split_once('=').map(|(k, v)| (k.to_string(), v.to_string())).filter(|(k, _)| !k.is_empty());
    words.iter().map(split).collect()
}

/// Words with single and double quotes and backslashes; `None` for a quote that does not end.
fn split_words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote, mut in_word) = (Vec::new(), String::new(), None, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.push(chars.next()?),
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                in_word = true;
                continue;
            }
            (c, None) if c.is_whitespace() => {
                if in_word {
                    words.push(std::mem::take(&mut word));
                }
                in_word = false;
                continue;
            }
            (c, None) => word.push(c),
        }
        in_word = true;
    }
    if quote.is_some() {
        return None;
    }
    if in_word {
        words.push(word);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_instructions() {
        let mut config = ContainerConfig::default();
        for change in [
            "CMD [\"/bin/sh\"]",
            "ENTRYPOINT exec top -b",
            "ENV PATH=/usr/bin A=\"b c\"",
            "env PATH=/bin",
            "ENV OLD form here",
            "LABEL a=b 'c d=e f'",
            "EXPOSE 80 53/udp",
            "VOLUME [\"/data\"]",
            "USER app",
            "WORKDIR /srv",
            "WORKDIR app",
            "STOPSIGNAL SIGINT",
        ] {
            apply(&mut config, change).unwrap();
        }
        assert_eq!(config.cmd.unwrap(), ["/bin/sh"]);
        assert_eq!(config.entrypoint.unwrap(), ["/bin/sh", "-c", "exec top -b"]);
        assert_eq!(config.env, ["A=b c", "PATH=/bin", "OLD=form here"]);
        assert_eq!((config.labels["a"].as_str(), config.labels["c d"].as_str()), ("b", "e f"));
        assert_eq!(config.exposed_ports.keys().collect::<Vec<_>>(), ["53/udp", "80/tcp"]);
        assert_eq!((config.working_dir.as_str(), config.user.as_str()), ("/srv/app", "app"));
        for bad in ["RUN rm -rf /", "CMD", "ENV", "ENV A=\"x", "COPY a b"] {
            assert!(apply(&mut ContainerConfig::default(), bad).is_err(), "{bad}");
        }
    }
}
