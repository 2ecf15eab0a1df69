//! SPDX 2.3 as JSON (<https://spdx.github.io/spdx-spec/v2.3/>), in the way that Syft and BuildKit write it: the file that tells of a
//! package is a file of the document, its layer stands in the file's comment. The same image gives the same bytes.
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::licence;
use crate::scan::Inventory;

/// The image that a document is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Without a tag: `slipway.local/acme/shop`.
    pub name: &'a str,
    /// `sha256:…` of the manifest.
    pub manifest_digest: &'a str,
    /// When the image was made (RFC 3339); the document's own time too, so that it can be made again.
    pub created: &'a str,
    /// Diff ids of the layers, lowest first.
    pub layers: &'a [String],
    /// Of the agent.
    pub tool_version: &'a str,
}

const NO: &str = "NOASSERTION";
/// Licences that SPDX does not know get a number.
type Unknown = BTreeMap<String, usize>;

pub fn document(inventory: &Inventory, subject: &Subject<'_>) -> Value {
    let hex = subject.manifest_digest.rsplit(':').next().unwrap_or_default();
    let mut unknown = Unknown::new();
    let mut packages = vec![json!({
        "SPDXID": "SPDXRef-Image",
        "name": subject.name,
        "versionInfo": subject.manifest_digest,
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": NO,
        "filesAnalyzed": false,
        "licenseConcluded": NO,
        "licenseDeclared": NO,
        "copyrightText": NO,
        "checksums": [{ "algorithm": "SHA256", "checksumValue": hex }],
    })];
    let mut relationships = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image")];
    let mut files = Vec::new();
    let mut file_ids = BTreeMap::new();
    for (index, (path, evidence)) in inventory.evidence.iter().enumerate() {
        // A file without a checksum is not valid SPDX; its packages still say where they were found.
        let Some(sha1) = &evidence.sha1 else { continue };
        let id = format!("SPDXRef-File-{index}");
        let mut file = json!({
            "SPDXID": id,
            "fileName": format!("/{path}"),
            "checksums": [{ "algorithm": "SHA1", "checksumValue": sha1 }],
            "licenseConcluded": NO,
            "copyrightText": "",
        });
        if let Some(layer) = evidence.layer.and_then(|layer| subject.layers.get(layer)) {
            file["comment"] = json!(format!("layerID: {layer}"));
        }
        files.push(file);
        file_ids.insert(path.as_str(), id);
    }
    let distribution = inventory.distribution.as_ref().map(|(id, version)| (id.as_str(), version.as_str()));
    for (index, package) in inventory.packages.iter().enumerate() {
        let id = format!("SPDXRef-Package-{index}");
        let mut entry = json!({
            "SPDXID": id,
            "name": package.name,
            "downloadLocation": NO,
            "filesAnalyzed": false,
            "licenseConcluded": NO,
            "licenseDeclared": package.licence.as_deref().map_or(NO.into(), |text| declared(text, &mut unknown)),
            "copyrightText": NO,
            "sourceInfo": format!("Found in /{}", package.path),
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package.purl(distribution),
            }],
        });
        if !package.version.is_empty() {
            entry["versionInfo"] = json!(package.version);
        }
        if let Some(supplier) = &package.supplier {
            let kind = if supplier.contains('@') { "Person" } else { "Organization" };
            entry["supplier"] = json!(format!("{kind}: {}", supplier.replace(['<', '>'], "").trim()));
        }
        packages.push(entry);
        relationships.push(relation("SPDXRef-Image", "CONTAINS", &id));
        if let Some(file) = file_ids.get(package.path.as_str()) {
            let mut relation = relation(&id, "OTHER", file);
            relation["comment"] = json!("evident-by: indicates the package's existence is evident by the given file");
            relationships.push(relation);
        }
    }
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": subject.name,
        "documentNamespace": format!("https://slipway.dev/spdx/{hex}"),
        "creationInfo": { "created": seconds(subject.created), "creators": [format!("Tool: slipway-agent-{}", subject.tool_version)] },
        "packages": packages,
        "files": files,
        "relationships": relationships,
    });
    if !unknown.is_empty() {
        let infos: Vec<Value> = unknown.iter().map(|(name, number)| licence_info(name, *number)).collect();
        document["hasExtractedLicensingInfos"] = json!(infos);
    }
    if !inventory.notes.is_empty() {
        document["comment"] = json!(inventory.notes.join("\n"));
    }
    document
}

/// The licence as an expression; one that SPDX does not know by a name of this document's own.
fn declared(text: &str, unknown: &mut Unknown) -> String {
    licence::expression(text).unwrap_or_else(|| {
        let next = unknown.len() + 1;
        format!("LicenseRef-{}", unknown.entry(text.to_owned()).or_insert(next))
    })
}

fn licence_info(name: &str, number: usize) -> Value {
    let mut info = Map::new();
    info.insert("licenseId".into(), json!(format!("LicenseRef-{number}")));
    info.insert("name".into(), json!(name));
    info.insert("extractedText".into(), json!(name));
    Value::Object(info)
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// SPDX takes whole seconds only.
fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, rest)) if rest.ends_with('Z') => format!("{whole}Z"),
        _ => time.to_owned(),
    }
}
