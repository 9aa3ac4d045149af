//! A JUnit report, as test frameworks write it: how many tests, and which of them failed
//! (<https://github.com/testmoapp/junitxml>).

use roxmltree::{Document, Node};

use super::credential::harmless;
use super::e2e::FailedJob;

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// All tests, skipped ones too.
    pub total: u64,
    /// Those that failed, with what they said.
    pub failed: Vec<FailedJob>,
}

impl Tests {
    /// Both reports as one.
    pub fn and(mut self, other: Self) -> Self {
        self.total += other.total;
        self.failed.extend(other.failed);
        self
    }
}

/// Reads a report; none where the text is something else.
pub fn read(xml: &str) -> Option<Tests> {
    let document = Document::parse(xml).ok()?;
    if !matches!(document.root_element().tag_name().name(), "testsuites" | "testsuite") {
        return None;
    }
    let cases = || document.descendants().filter(|node| node.has_tag_name("testcase"));
    Some(Tests { total: cases().count() as u64, failed: cases().filter_map(failed).collect() })
}

fn failed(case: Node<'_, '_>) -> Option<FailedJob> {
    let why = case.children().find(|child| child.has_tag_name("failure") || child.has_tag_name("error"))?;
    let words = why.attribute("message").or(why.text()).unwrap_or_default().trim();
    let class = case.attribute("classname").filter(|class| !class.is_empty()).map(|class| format!("{class}: ")).unwrap_or_default();
    Some(FailedJob {
        name: harmless(&format!("{class}{}", case.attribute("name").unwrap_or("a test without a name"))),
        conclusion: why.tag_name().name().to_owned(),
        steps: harmless(words).lines().next().filter(|line| !line.is_empty()).map(str::to_owned).into_iter().collect(),
        url: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_errors_are_found_at_any_depth() {
        let xml = r#"<?xml version="1.0"?><testsuites><testsuite name="smoke" tests="4">
            <testcase classname="login" name="by password"/>
            <testcase classname="login" name="by token"><failure message="401 is not 200">trace</failure></testcase>
            <testcase name="upload"><error>connection refused
              at line 3</error></testcase>
            <testcase name="later"><skipped/></testcase></testsuite></testsuites>"#;
        let tests = read(xml).expect("a report");
        assert_eq!(tests.total, 4);
        let told: Vec<(&str, &str)> = tests.failed.iter().map(|test| (test.name.as_str(), test.steps[0].as_str())).collect();
        assert_eq!(told, [("login: by token", "401 is not 200"), ("upload", "connection refused")]);
    }

    #[test]
    fn a_credential_is_cut_out_even_where_it_hides_behind_what_cant_be_seen() {
        let token = ["gh\u{200b}p_", &"a".repeat(36)].concat();
        let xml = format!("<testsuite><testcase name=\"x {token}\"><failure message=\"y {token} z\"/></testcase></testsuite>");
        let failed = read(&xml).expect("a report").failed;
        assert_eq!((failed[0].name.as_str(), failed[0].steps[0].as_str()), ("x ***", "y *** z"));
    }

    #[test]
    fn other_documents_are_no_reports() {
        for text in ["", "<html/>", "<testsuite>", "{}", "<!DOCTYPE x [<!ENTITY a \"b\">]><testsuite>&a;</testsuite>"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
