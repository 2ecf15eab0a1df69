use axum::Json;
use serde_json::{Value, json};
use slipway_store::{Reference, from_unix, rfc3339};

use super::list::created;
use crate::error::ApiResult;
use crate::images::blocking;
use crate::state::App;

/// `GET /images/{name}/json`
pub async fn inspect(app: &App, name: &str) -> ApiResult<Json<Value>> {
    let image = app.images.resolve(name)?;
    let (store, record) = (app.images.store.clone(), image.record.clone());
    let config = blocking(move || Ok(store.image_config(&record)?)).await?;
    let names = |list: &[Reference]| list.iter().map(Reference::familiar).collect::<Vec<_>>();
    // Topmost first, as overlayfs names them. A layer that is not unpacked right now has no directory to name.
    let lower: Vec<String> = app
        .images
        .layers
        .lower(&image.record.diff_ids)
        .map(|(dirs, _)| dirs)
        .unwrap_or_default()
        .iter()
        .map(|d| d.display().to_string())
        .collect();
    let comment = config.history.last().and_then(|h| h.comment.clone()).unwrap_or_default();
    let settings = config.config.clone().unwrap_or_default();
    let mut body = json!({
        "Id": image.record.id,
        "RepoTags": names(&image.tags),
        "RepoDigests": names(&image.digests),
        "Parent": "",
        "Comment": comment,
        "Created": image.record.created,
        "DockerVersion": "",
        "Author": config.author.unwrap_or_default(),
        "Config": settings,
        // Gone from newer versions of the API, but docker-compose 1 reads its volumes when it makes a container anew.
        "ContainerConfig": settings,
        "Architecture": config.architecture,
        "Os": config.os,
        "Size": image.record.size,
        "GraphDriver": { "Name": "overlay2", "Data": { "LowerDir": lower.join(":") } },
        "RootFS": { "Type": "layers", "Layers": image.record.diff_ids },
        "Metadata": { "LastTagTime": image.record.last_tagged.map_or_else(|| "0001-01-01T00:00:00Z".to_string(), |t| rfc3339(from_unix(t))) },
        "Descriptor": image.record.manifest,
    });
    if let Some(variant) = config.variant {
        body["Variant"] = json!(variant);
    }
    Ok(Json(body))
}

/// `GET /images/{name}/history`, newest first.
pub async fn history(app: &App, name: &str) -> ApiResult<Json<Vec<Value>>> {
    let image = app.images.resolve(name)?;
    let (store, record) = (app.images.store.clone(), image.record.clone());
    let config = blocking(move || Ok(store.image_config(&record)?)).await?;
    let mut diff_ids = image.record.diff_ids.iter();
    let mut entries = Vec::new();
    for entry in &config.history {
        let layer = if entry.empty_layer { None } else { diff_ids.next() };
        let size = layer.and_then(|id| app.images.layers.get(id)).map_or(0, |l| l.size);
        let at = entry.created.as_deref().and_then(slipway_store::parse_rfc3339).map_or_else(|| created(&image), |n| n / 1_000_000_000);
        entries.push(json!({
            "Id": "<missing>",
            "Created": at,
            "CreatedBy": entry.created_by.clone().unwrap_or_default(),
            "Tags": null,
            "Size": size,
            "Comment": entry.comment.clone().unwrap_or_default(),
        }));
    }
    entries.reverse();
    if let Some(newest) = entries.first_mut() {
        newest["Id"] = json!(image.record.id);
        newest["Tags"] = json!(image.tags.iter().map(Reference::familiar).collect::<Vec<_>>());
    }
    Ok(Json(entries))
}
