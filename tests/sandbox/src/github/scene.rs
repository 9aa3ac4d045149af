//! When and how a request to GitHub is answered.

use serde_json::Value;

use crate::call::{Reply, Request};
use crate::ecr::digest;
use crate::time::iso;
use crate::world::World;

/// A request with the time at which it is answered.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    /// Sandbox seconds.
    pub(crate) now: f64,
    /// Unix time of the sandbox's start.
    pub(crate) epoch: f64,
    /// Where the client found the API.
    pub(crate) api: String,
    /// The query, and the members of a JSON body, as an object.
    pub(crate) query: &'a Value,
    /// The request itself.
    pub(crate) request: &'a Request,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(world: &World, query: &'a Value, request: &'a Request) -> Scene<'a> {
        let api = request.header("host").map_or_else(|| "https://api.github.com".to_owned(), |host| format!("http://{host}/github"));
        Scene { now: world.now, epoch: world.epoch, api, query, request }
    }

    /// A time in sandbox seconds as GitHub writes it.
    pub(crate) fn stamp(&self, at: f64) -> String {
        iso(self.epoch + at)
    }

    /// The answer with its entity tag, or 304 if the client has it already.
    pub(crate) fn conditional(&self, reply: Reply) -> Reply {
        if self.request.method != "GET" || reply.status != 200 {
            return reply;
        }
        let hash = digest(reply.body.as_bytes());
        let tag = format!("\"{}\"", hash.trim_start_matches("sha256:"));
        let known = self.request.header("if-none-match").unwrap_or_default();
        let has_it = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
        if has_it { Reply::empty(304).with("etag", format!("W/{tag}")) } else { reply.with("etag", format!("W/{tag}")) }
    }
}
