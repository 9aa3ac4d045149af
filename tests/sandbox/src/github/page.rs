//! Pages of a list, and the `Link` header that leads from one to the next.

use serde_json::Value;

use super::Scene;
use crate::call::Reply;

/// As many items as GitHub puts on a page when nobody says how many.
const USUAL: usize = 30;
/// As many as it puts there at most.
const MOST: usize = 100;

/// The page that a query asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Page {
    /// Items on a page.
    pub(crate) size: usize,
    /// Counted from 1.
    pub(crate) number: usize,
}

impl Page {
    /// Reads `per_page` and `page`.
    pub(crate) fn of(query: &Value) -> Page {
        let number = |key: &str| query[key].as_str().and_then(|text| text.parse::<usize>().ok());
        Page { size: number("per_page").unwrap_or(USUAL).clamp(1, MOST), number: number("page").unwrap_or(1).max(1) }
    }

    /// What of these items is on the page.
    pub(crate) fn cut<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip((self.number - 1) * self.size).take(self.size).collect()
    }

    /// The answer with its `Link`, which is missing where all fits on one page.
    pub(crate) fn link(self, scene: &Scene<'_>, total: usize, reply: Reply) -> Reply {
        let last = total.div_ceil(self.size).max(1);
        let mut links = Vec::new();
        let mut add = |page: usize, rel: &str| links.push(format!("<{}>; rel=\"{rel}\"", url(scene, page)));
        if self.number > 1 {
            add((self.number - 1).min(last), "prev");
        }
        if self.number < last {
            add(self.number + 1, "next");
            add(last, "last");
        }
        if self.number > 1 {
            add(1, "first");
        }
        if links.is_empty() { reply } else { reply.with("link", links.join(", ")) }
    }
}

/// The address of another page of the same list.
fn url(scene: &Scene<'_>, page: usize) -> String {
    let path = scene.request.path.strip_prefix("/github").unwrap_or_default();
    let others = scene.request.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page="));
    let query: Vec<String> = others.map(str::to_owned).chain([format!("page={page}")]).collect();
    format!("{}{path}?{}", scene.api, query.join("&"))
}
