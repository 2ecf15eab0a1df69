//! RUN --mount, as the plan says it. Mirrors `runMount` of `packages/contracts`.
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum RunMount {
    Bind {
        target: String,
        /// `None`: the build context.
        from: Option<String>,
        source: String,
        /// What the step writes is thrown away.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        write: bool,
    },
    Tmpfs {
        target: String,
        /// Bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    Cache(CacheMount),
    Secret(SecretMount),
    Ssh {
        id: String,
        target: String,
        required: bool,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// A file whose content stands in the Dockerfile.
    File {
        target: String,
        data: String,
        mode: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CacheMount {
    pub target: String,
    /// Its name within the cache scope.
    pub id: String,
    pub sharing: Sharing,
    /// What a new cache begins with: `source` of this vertex; `None`: nothing, and `source` is a folder of the cache.
    pub from: Option<String>,
    pub source: String,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub readonly: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    Shared,
    Private,
    Locked,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretMount {
    pub id: String,
    pub target: Option<String>,
    /// Name of the variable that holds it.
    pub env: Option<String>,
    pub required: bool,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl RunMount {
    /// The vertex that it reads.
    pub fn from(&self) -> Option<&str> {
        match self {
            Self::Bind { from, .. } | Self::Cache(CacheMount { from, .. }) => from.as_deref(),
            _ => None,
        }
    }

    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Bind { target, .. } | Self::Tmpfs { target, .. } | Self::Ssh { target, .. } | Self::File { target, .. } => Some(target),
            Self::Cache(cache) => Some(&cache.target),
            Self::Secret(secret) => secret.target.as_deref(),
        }
    }

    /// For the cache key: all that the Dockerfile says, whatever number the vertex it reads has in this plan. What a
    /// cache or a secret holds is never a part of it.
    pub fn definition(&self) -> String {
        let mut plain = self.clone();
        if let Self::Bind { from, .. } | Self::Cache(CacheMount { from, .. }) = &mut plain {
            *from = from.take().map(|_| String::new());
        }
        serde_json::to_string(&plain).unwrap_or_default()
    }
}
