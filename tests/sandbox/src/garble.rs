//! Answers of which one place is not as it should be.

use serde_json::{Value, json};

use crate::call::Reply;

/// The same answer with one place of its JSON changed; of text that is none, a piece.
pub(crate) fn garbled(mut reply: Reply, number: u64) -> Reply {
    match serde_json::from_str::<Value>(&reply.body) {
        Ok(mut body) => {
            let count = places(&body);
            let (place, way) = (number % count, number / count);
            let mut left = place;
            change(&mut body, &mut left, way);
            reply.body = body.to_string();
        }
        Err(_) => {
            let count = reply.body.chars().count() as u64 + 1;
            reply.body = reply.body.chars().take(usize::try_from(number % count).unwrap_or_default()).collect();
        }
    }
    reply
}

/// Itself, and every value within.
fn places(value: &Value) -> u64 {
    let within: u64 = match value {
        Value::Array(items) => items.iter().map(places).sum(),
        Value::Object(members) => members.values().map(places).sum(),
        _ => 0,
    };
    1 + within
}

/// Changes the value that so many others stand before; true once that is done.
fn change(value: &mut Value, left: &mut u64, way: u64) -> bool {
    if *left == 0 {
        *value = absurd(value, way);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, way)),
        Value::Object(members) => {
            // One way of nine is to leave it out altogether.
            let name = members.keys().nth(usize::try_from(*left).unwrap_or(usize::MAX)).cloned();
            if let Some(name) = name.filter(|_| way % 9 == 8) {
                members.shift_remove(&name);
                return true;
            }
            members.values_mut().any(|member| change(member, left, way))
        }
        _ => false,
    }
}

fn absurd(value: &Value, way: u64) -> Value {
    match way % 8 {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(""),
        4 => json!([]),
        5 => json!({}),
        6 => json!([value, value]),
        _ => json!("\u{1b}[31m\r::error::owned <!channel> ".repeat(300)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_is_changed_and_every_place_has_its_turn() {
        let body = json!({"a": [1, {"b": null}], "c": "d"});
        let reply = || Reply::json(200, &body);
        assert_eq!(places(&body), 6);
        let seen: std::collections::BTreeSet<String> = (0..6 * 9).map(|number| garbled(reply(), number).body).collect();
        assert!(seen.len() > 30, "{seen:?}");
        assert!(seen.contains(r#"{"a":[1,{"b":-1}],"c":"d"}"#), "{seen:?}");
        assert_eq!(garbled(Reply::xml(200, "<a>b</a>".to_owned()), 3).body, "<a>");
    }
}
