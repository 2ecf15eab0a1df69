//! `--volumes-from`: the mount points of other containers.
use super::Containers;
use super::model::HostConfig;
use super::record::{MountKind, MountPoint};
use crate::error::{ApiError, ApiResult};

impl Containers {
    /// Binds and volumes of the containers that `VolumesFrom` names, as `name`, `name:ro` or `name:rw`; of two at the same
    /// place the later one.
    pub(super) fn volumes_from(&self, host: &HostConfig) -> ApiResult<Vec<MountPoint>> {
        let mut points: Vec<MountPoint> = Vec::new();
        for entry in &host.volumes_from {
            let (name, mode) = entry.split_once(':').unwrap_or((entry, "rw"));
            if name.is_empty() {
                return Err(ApiError::bad_request("volumes-from specification cannot be an empty string"));
            }
            if let Some(unknown) = mode.split(',').find(|option| !matches!(*option, "rw" | "ro" | "z" | "Z")) {
                return Err(ApiError::bad_request(format!("invalid mode: {unknown}")));
            }
            // Not 404, which at a creation stands for the image.
            let other = self.get(name).map_err(|error| ApiError::bad_request(error.message))?;
            for mut point in other.record().mounts {
                if point.kind == MountKind::Tmpfs {
                    continue;
                }
                point.readonly |= mode.split(',').any(|option| option == "ro");
                // They stay whose they are.
                (point.anonymous, point.populate) = (false, false);
                points.retain(|earlier| earlier.destination != point.destination);
                points.push(point);
            }
        }
        Ok(points)
    }
}
