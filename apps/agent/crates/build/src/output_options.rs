//! What a finished image is to look like: compression and media types of its parts, and times. Mirrors
//! `packages/contracts/src/agent/build-output.ts`.
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use slipway_snapshot::Compression;
use slipway_store::rfc3339;

use crate::error::{BuildError, ErrorCode, Result};

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputOptions {
    /// Of new layers; gzip when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<LayerCompression>,
    /// gzip: 1 to 9, zstd: 1 to 22; layers that are not compressed have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// A base's layers, too, get this compression.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// OCI's when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_types: Option<MediaTypes>,
    /// Seconds since 1970: when the image and all its new parts were made, as they tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_date_epoch: Option<u64>,
    /// Files of new layers are told to be no younger than `source_date_epoch`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rewrite_timestamps: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerCompression {
    Gzip,
    Zstd,
    /// Plain tars.
    Uncompressed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaTypes {
    Oci,
    Docker,
}

/// In the year 2242: eleven octal digits, which is what the header of a tar's entry has room for.
const LAST_SECOND: u64 = 0o77_777_777_777;

impl OutputOptions {
    /// # Errors
    /// `BAD_PLAN`, for the user.
    pub fn validate(&self) -> Result<()> {
        let bad = |message: String| Err(BuildError::new(ErrorCode::BadPlan, message));
        let kind = self.compression.unwrap_or(LayerCompression::Gzip);
        let (name, most) = if kind == LayerCompression::Zstd { ("zstd", 22) } else { ("gzip", 9) };
        match self.level {
            Some(_) if kind == LayerCompression::Uncompressed => bad("Layers that are not compressed have no level; leave it out.".into()),
            Some(level) if !(1..=most).contains(&level) => bad(format!("The level of {name} is 1 to {most}, not {level}.")),
            _ if kind == LayerCompression::Zstd && self.docker() => {
                bad("Docker's media types have no name for zstd layers; choose gzip, or OCI media types.".into())
            }
            _ if self.rewrite_timestamps && self.source_date_epoch.is_none() => {
                bad("Rewriting the times of files needs SOURCE_DATE_EPOCH; give it as a build argument.".into())
            }
            _ if self.source_date_epoch.is_some_and(|seconds| seconds > LAST_SECOND) => {
                bad("SOURCE_DATE_EPOCH is seconds since 1970, of a year before 2242.".into())
            }
            _ => Ok(()),
        }
    }

    pub fn docker(&self) -> bool {
        self.media_types == Some(MediaTypes::Docker)
    }

    pub fn compression(&self) -> Compression {
        match (self.compression.unwrap_or(LayerCompression::Gzip), self.level) {
            (LayerCompression::Gzip, None) => Compression::Gzip,
            (LayerCompression::Gzip, Some(level)) => Compression::GzipAt(level),
            (LayerCompression::Zstd, None) => Compression::Zstd,
            (LayerCompression::Uncompressed, _) => Compression::None,
            (LayerCompression::Zstd, Some(level)) => Compression::ZstdAt(i32::try_from(level).unwrap_or(1)),
        }
    }

    /// Names [`OutputOptions::compression`] where layers are remembered; `None` for the usual one.
    pub fn form(&self) -> Option<String> {
        match self.compression() {
            Compression::Gzip => None,
            other => Some(format!("{other:?}")),
        }
    }

    /// RFC 3339.
    pub fn created(&self) -> Option<String> {
        self.source_date_epoch.map(|seconds| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
    }

    /// Seconds since 1970 that no file of a new layer may be younger than.
    pub fn latest(&self) -> Option<i64> {
        self.source_date_epoch.filter(|_| self.rewrite_timestamps).and_then(|seconds| i64::try_from(seconds).ok())
    }
}
