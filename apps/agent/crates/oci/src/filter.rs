//! The seccomp filter of a config.
use serde_json::{Value, json};
use slipway_runtime::seccomp::{OPERATORS, custom};

use crate::config::Config;
use crate::error::{Error, Result};

/// None when the config asks for none.
pub fn compile(config: &Config) -> Result<Option<custom::Compiled>> {
    let Some(wanted) = &config.linux.seccomp else { return Ok(None) };
    let refused = |error: String| Error::Told(format!("unable to init seccomp: {error}"));
    let filter: custom::Filter = serde_json::from_value(wanted.clone()).map_err(|error| refused(error.to_string()))?;
    custom::compile(&filter).map(Some).map_err(refused)
}

/// For `features`.
pub fn features() -> Value {
    let flags: Vec<&str> = custom::FLAGS.iter().map(|(name, _)| *name).collect();
    json!({
        "enabled": true,
        "actions": custom::ACTIONS,
        "operators": OPERATORS,
        "archs": [custom::ARCHITECTURE],
        "knownFlags": flags,
        "supportedFlags": flags,
    })
}
