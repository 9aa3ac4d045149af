//! The only place that reads the process's environment.

use std::collections::BTreeMap;

/// Every variable that is valid Unicode.
#[expect(clippy::disallowed_methods, reason = "this file is the boundary")]
pub fn variables() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}
