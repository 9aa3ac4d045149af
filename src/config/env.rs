//! The only place that reads the process's environment.

use std::collections::BTreeMap;

/// Every variable. What is no valid Unicode in a value is replaced, so that it is refused where it counts, and not as if it were absent.
#[expect(clippy::disallowed_methods, reason = "this file is the boundary")]
pub fn variables() -> BTreeMap<String, String> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))).collect()
}
