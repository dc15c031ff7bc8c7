//! `/assets/…`: the stylesheet and the mark, built into the program.
//!
//! The path holds a digest of the content, so a browser may keep it for ever. An old digest (a page of the previous
//! release, open while this one started) is answered with what there is now, to be asked for again.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::web::state::AppState;

/// The stylesheet of all pages.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style.css", "text/css; charset=utf-8", include_bytes!("../assets/style.css")));

/// The mark beside the site's name, and icon of the window.
pub static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("mark.svg", "image/svg+xml", include_bytes!("../assets/mark.svg")));

/// The endpoints of this feature.
pub fn routes() -> Router<AppState> {
    Router::new().route("/assets/{digest}/{name}", get(read))
}

/// A file that pages load.
pub struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    digest: String,
}

impl Asset {
    fn new(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Self {
        let mut digest = URL_SAFE_NO_PAD.encode(digest(&SHA256, content));
        digest.truncate(16);
        Self { name, content_type, content, digest }
    }

    /// Its path below the issuer's.
    pub fn path(&self) -> String {
        format!("/assets/{}/{}", self.digest, self.name)
    }

    fn respond(&self, asked: &str, request: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", self.digest);
        let keep = if asked == self.digest { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, keep),
            (header::ETAG, &etag),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let known = request.get_all(header::IF_NONE_MATCH).iter().any(|known| {
            known
                .to_str()
                .is_ok_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag))
        });
        if known {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.content).into_response()
    }
}

async fn read(Path((digest, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let asset = [&STYLE, &MARK].into_iter().find(|asset| asset.name == name);
    asset.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |asset| asset.respond(&digest, &headers))
}
