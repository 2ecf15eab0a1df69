use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use slipway_store::Reference;

use crate::containers::Filters;
use crate::error::{ApiError, ApiResult};
use crate::state::App;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SearchQuery {
    term: String,
    limit: Option<usize>,
    filters: String,
}

/// `GET /images/search`: among the images of this host, for there is no index of all registries to ask.
pub async fn search(State(app): State<App>, Query(query): Query<SearchQuery>) -> ApiResult<Json<Vec<Value>>> {
    if query.term.is_empty() {
        return Err(ApiError::bad_request("invalid search term: a part of an image's name is needed"));
    }
    let limit = query.limit.filter(|limit| *limit != 0).unwrap_or(25);
    if limit > 100 {
        return Err(ApiError::bad_request(format!("limit {limit} is outside the range of [1, 100]")));
    }
    let filters = Filters::parse(Some(&query.filters).filter(|text| !text.is_empty()).map(String::as_str))?;
    filters.only(&["is-automated", "is-official", "stars"])?;
    // Nothing here has stars or is anybody's official image.
    let none = filters.any("stars", |stars| stars.parse::<u64>().is_ok_and(|stars| stars == 0))
        && filters.flag("is-official")? != Some(true)
        && filters.flag("is-automated")? != Some(true);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for image in app.images.store.images().into_iter().filter(|_| none) {
        let description = image.record.labels.get("org.opencontainers.image.description");
        for name in image.tags.iter().map(Reference::familiar_name).filter(|name| name.contains(&query.term)) {
            found.insert(name, description.cloned().unwrap_or_default());
        }
    }
    let row = |(name, description)| json!({ "name": name, "description": description, "star_count": 0, "is_official": false, "is_automated": false });
    Ok(Json(found.into_iter().take(limit).map(row).collect()))
}
