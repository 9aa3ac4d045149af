use super::*;

fn repository(coverage: Coverage, listed: u32, left_out: usize) -> Repository {
    let commit = |number| Commit { revision: Revision::new(format!("{number:040x}")), message: format!("fix: {number}"), author: None };
    let (facts, _) = Numbering::default().facts("escher-dbai/gateway", &[], (0..listed).map(commit));
    Repository { name: "escher-dbai/gateway".into(), services: vec![], base: None, head: None, coverage, facts, left_out }
}

#[test]
fn every_completeness_has_its_sentence() {
    let why = || "GitHub answered 403: the token may not read the repository".to_owned();
    let all = [
        repository(Coverage::Complete { total: 251 }, 251, 0),
        repository(Coverage::Complete { total: 251 }, 248, 3),
        repository(Coverage::Complete { total: 1 }, 1, 0),
        repository(Coverage::Complete { total: 251 }, 250, 0),
        repository(Coverage::FirstRelease { is_capped: true }, 100, 0),
        repository(Coverage::FirstRelease { is_capped: false }, 12, 1),
        repository(Coverage::NotInRelease, 0, 0),
        repository(Coverage::Unchanged, 0, 0),
        repository(Coverage::Rollback { taken_back: 4 }, 0, 0),
        repository(Coverage::Diverged { total: 2, lacking: 1 }, 2, 0),
        repository(Coverage::Diverged { total: 3, lacking: 5 }, 2, 0),
        repository(Coverage::Incomplete { why: why(), total: None }, 0, 0),
        repository(Coverage::Incomplete { why: why(), total: Some(40) }, 12, 0),
    ];
    let lines: Vec<String> =
        all.iter().map(|one| format!("{} {}", if one.is_complete() { "whole  " } else { "partial" }, one.completeness())).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    whole   251 of 251 commits
    whole   248 of 251 commits, 3 merges of branches not listed
    whole   1 of 1 commit
    partial incomplete: 250 of 251 commits
    whole   first release: the newest 100 commits
    whole   first release: 12 commits, 1 merge of a branch not listed
    whole   not in this release: it has neither tag
    whole   unchanged: the same commit in both releases
    whole   rollback: 4 commits of the release before taken back
    whole   hotfix: 2 of 2 new commits; 1 commit of the release before not in it
    partial hotfix, incomplete: 2 of 3 new commits; 5 commits of the release before not in it
    partial incomplete: GitHub answered 403: the token may not read the repository; its commits are not known
    partial incomplete: GitHub answered 403: the token may not read the repository; 12 of 40 commits
    ");
}

#[test]
fn facts_are_numbered_over_all_repositories_and_merges_counted() {
    let commit = |message: &str, author: Option<&str>| Commit {
        revision: Revision::new("0123456789abcdef0123456789abcdef01234567"),
        message: message.to_owned(),
        author: author.map(str::to_owned),
    };
    let mut numbering = Numbering::default();
    let services = [ServiceName::new("gateway")];
    let (first, left_out) =
        numbering.facts("o/a", &services, [commit("fix: a", Some("@ali\u{200b}ce\n")), commit("Merge branch 'x'", None)]);
    let (second, _) = numbering.facts("o/b", &[], [commit("fix: b", Some(" "))]);
    assert_eq!(left_out, 1);
    assert_eq!((first[0].id.to_string().as_str(), second[0].id.to_string().as_str()), ("c1", "c2"));
    assert_eq!((first[0].author.as_deref(), second[0].author.as_deref()), (Some("alice"), None));
    assert_eq!(first[0].services, services);
}

#[test]
fn an_id_has_one_form() {
    assert_eq!(FactId::parse("c12").map(|id| id.to_string()).as_deref(), Some("c12"));
    for wrong in ["", "c", "12", "c012", "c+1", "c1 ", "C1", "c-1", "c99999999999"] {
        assert_eq!(FactId::parse(wrong), None, "{wrong}");
    }
}
