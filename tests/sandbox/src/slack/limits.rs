//! What Slack's blocks may hold (facts: 50 blocks, section 3,000, header 150, context 10 elements, total near 10,000).

use serde_json::Value;

/// The error, and what its `response_metadata` says.
type Trouble = (&'static str, Vec<String>);

/// Where the undocumented total lies.
const TOTAL: usize = 10_000;

/// Whether Slack would take a message with this text and these blocks; if not, its word for it and what it says.
///
/// # Errors
/// As Slack would answer: `invalid_blocks: [ERROR] …`.
pub fn slack_limits(text: &str, blocks: &Value) -> Result<(), String> {
    check(text, blocks).map_err(|(error, why)| if why.is_empty() { error.to_owned() } else { format!("{error}: {}", why.join("; ")) })
}

/// Checks the text and the blocks of a message.
pub(crate) fn check(text: &str, blocks: &Value) -> Result<(), Trouble> {
    if text.chars().count() > 40_000 {
        return Err(("msg_too_long", Vec::new()));
    }
    if blocks.is_null() {
        return Ok(());
    }
    let Some(list) = blocks.as_array() else { return Err(("invalid_blocks_format", Vec::new())) };
    let mut wrong: Vec<String> = Vec::new();
    if list.len() > 50 {
        wrong.push("[ERROR] no more than 50 items allowed [json-pointer:/blocks]".to_owned());
    }
    for (at, block) in list.iter().enumerate() {
        wrong.extend(block_trouble(block).into_iter().map(|why| format!("[ERROR] {why} [json-pointer:/blocks/{at}]")));
    }
    if !wrong.is_empty() {
        return Err(("invalid_blocks", wrong));
    }
    if list.iter().map(length).sum::<usize>() > TOTAL {
        return Err(("msg_blocks_too_long", Vec::new()));
    }
    Ok(())
}

/// All characters of all texts in it.
fn length(value: &Value) -> usize {
    match value {
        Value::Object(members) => {
            members.iter().map(|(key, value)| if key == "text" && value.is_string() { chars(value) } else { length(value) }).sum()
        }
        Value::Array(items) => items.iter().map(length).sum(),
        _ => 0,
    }
}

fn chars(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

fn block_trouble(block: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if chars(&block["block_id"]) > 255 {
        wrong.push("block_id must be less than 256 characters".to_owned());
    }
    match block["type"].as_str().unwrap_or_default() {
        "section" => section(block, &mut wrong),
        "header" => {
            if block["text"]["type"] != "plain_text" {
                wrong.push("header text must be plain_text".to_owned());
            }
            text_object(&block["text"], 150, "text", &mut wrong);
        }
        "context" => context(block, &mut wrong),
        "actions" => actions(block, &mut wrong),
        "divider" => {}
        "image" if chars(&block["image_url"]) > 0 && chars(&block["alt_text"]) > 0 => {}
        "rich_text" if block["elements"].is_array() => {}
        "markdown" if chars(&block["text"]) > 0 => {}
        other => wrong.push(format!("unsupported or incomplete block: {other}")),
    }
    wrong
}

fn section(block: &Value, wrong: &mut Vec<String>) {
    let fields = block["fields"].as_array();
    if block.get("text").is_none() && fields.is_none() {
        wrong.push("a section needs text or fields".to_owned());
    }
    if let Some(text) = block.get("text") {
        text_object(text, 3000, "text", wrong);
    }
    if let Some(fields) = fields {
        count(fields.len(), 10, "fields", wrong);
        fields.iter().for_each(|field| text_object(field, 2000, "fields", wrong));
    }
    if block["accessory"]["type"] == "button" {
        button(&block["accessory"], wrong);
    }
}

fn context(block: &Value, wrong: &mut Vec<String>) {
    let elements = block["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    count(elements.len(), 10, "elements", wrong);
    for element in elements.iter().filter(|element| element["type"] != "image") {
        text_object(element, 3000, "elements", wrong);
    }
}

fn actions(block: &Value, wrong: &mut Vec<String>) {
    let elements = block["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    count(elements.len(), 25, "elements", wrong);
    elements.iter().filter(|element| element["type"] == "button").for_each(|element| button(element, wrong));
}

fn button(button: &Value, wrong: &mut Vec<String>) {
    if button["text"]["type"] != "plain_text" {
        wrong.push("button text must be plain_text".to_owned());
    }
    text_object(&button["text"], 75, "text", wrong);
    if chars(&button["url"]) > 3000 {
        wrong.push("must be less than 3001 characters: url".to_owned());
    }
}

fn count(items: usize, most: usize, what: &str, wrong: &mut Vec<String>) {
    if items == 0 || items > most {
        wrong.push(format!("between 1 and {most} items required: {what}"));
    }
}

fn text_object(object: &Value, most: usize, what: &str, wrong: &mut Vec<String>) {
    if !matches!(object["type"].as_str(), Some("mrkdwn" | "plain_text")) {
        wrong.push(format!("must be a text object: {what}"));
    }
    match chars(&object["text"]) {
        0 => wrong.push(format!("must be more than 0 characters: {what}")),
        length if length > most => wrong.push(format!("must be less than {} characters: {what}", most + 1)),
        _ => {}
    }
}
