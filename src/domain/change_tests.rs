//! What has changed, which image that means, and under which names it is found again.

use super::*;

const COMMIT: &str = "1111111111111111111111111111111111111111";

fn source(origin: Origin) -> Source {
    Source { commit: COMMIT.into(), tree: Some("22".into()), origin }
}

fn image(tags: &[&str]) -> Image {
    Image { uri: "r".into(), digest: "sha256:new".into(), tags: tags.iter().map(|tag| (*tag).to_owned()).collect() }
}

fn found(how: How, tags: &[&str]) -> FoundImage {
    FoundImage { image: image(tags), how }
}

fn judge(ancestry: Ancestry, commits: u64, files: Option<&[&str]>, globs: &[&str]) -> (bool, String) {
    let files = files.map(|files| files.iter().map(|file| (*file).to_owned()).collect());
    let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
    let judged = Comparison { ancestry, commits, files }.judge(&globs, "3f2c1e9 (v2.15.0)");
    (judged.is_unaffected, judged.words)
}

#[test]
fn every_comparison_has_its_words() {
    use Ancestry::{Ahead, Behind, Diverged, Identical};
    let nine = ["src/a"; 9];
    let cases = [
        (judge(Ahead, 14, Some(&nine), &["src/**"]), false, "14 commits since 3f2c1e9 (v2.15.0), 9 files under src/**"),
        (judge(Ahead, 1, Some(&["a"]), &["**"]), false, "1 commit since 3f2c1e9 (v2.15.0), 1 file"),
        (judge(Ahead, 2, Some(&["a", "b"]), &["src/**", "x"]), true, "2 commits since 3f2c1e9 (v2.15.0), none of 2 files under src/**, x"),
        (judge(Ahead, 1, Some(&[]), &["**"]), true, "1 commit since 3f2c1e9 (v2.15.0), no files"),
        (judge(Ahead, 700, None, &["src/**"]), false, "700 commits since 3f2c1e9 (v2.15.0), 300 files or more"),
        (judge(Identical, 0, Some(&[]), &["**"]), true, "the commit that runs, 3f2c1e9 (v2.15.0)"),
        (judge(Behind, 3, Some(&[]), &["**"]), false, "3 commits behind 3f2c1e9 (v2.15.0)"),
        (judge(Diverged, 3, Some(&[]), &["**"]), false, "diverged from 3f2c1e9 (v2.15.0)"),
    ];
    for ((is_unaffected, words), expected, text) in cases {
        assert_eq!((is_unaffected, words.as_str()), (expected, text));
    }
}

#[test]
fn what_has_not_changed_stays_and_the_rest_is_found_or_built() {
    let (source, judged) = (source(Origin::Tag), |is_unaffected| Judged { is_unaffected, words: "w".into() });
    let (running, tree) = (image(&[]), found(How::Tree, &[]));
    let how = |evidence: Evidence<'_>| choose(&evidence).map(|chosen| chosen.found.map(|found| found.how));
    let of_source = Evidence { source: Some(&source), ..Evidence::default() };
    assert_eq!(how(Evidence { judged: Some(&judged(true)), keepable: Some(&running), ..of_source }), Some(Some(How::Kept)));
    assert_eq!(how(Evidence { judged: Some(&judged(true)), keepable: None, ..of_source }), Some(None), "its image is gone: built");
    assert_eq!(how(Evidence { judged: Some(&judged(false)), keepable: Some(&running), ..of_source }), Some(None));
    assert_eq!(how(Evidence { judged: Some(&judged(false)), found: Some(&tree), ..of_source }), Some(Some(How::Tree)));
    assert_eq!(how(Evidence { found: Some(&tree), ..Evidence::default() }), Some(Some(How::Tree)));
    assert_eq!(how(Evidence::default()), None, "neither an image nor a source");
}

#[test]
fn a_moved_tag_does_not_bring_the_old_image() {
    let tag = source(Origin::Tag);
    let sha = format!("sha-{COMMIT}");
    assert!(is_of_release(&image(&["v1.0.0", &sha]), Some(&tag)));
    assert!(is_of_release(&image(&["v1.0.0", "sha-33", "tree-22"]), Some(&tag)), "the same tree");
    assert!(is_of_release(&image(&["v1.0.0"]), Some(&tag)), "pushed by others, who name no commit");
    assert!(!is_of_release(&image(&["v1.0.0", "sha-33", "tree-44"]), Some(&tag)));
    let branch = source(Origin::Branch("develop".into()));
    assert!(is_of_release(&image(&["v1.0.0", "sha-33"]), Some(&branch)), "a branch has moved on; the release has not");
    assert!(is_of_release(&image(&["v1.0.0", "sha-33"]), None));
}

#[test]
fn an_image_gets_the_names_that_it_lacks() {
    let tag = ReleaseTag::parse("v1.0.0").expect("a tag");
    let names = |how, tags: &[&str], origin, other| {
        missing_tags(&Chosen { found: Some(found(how, tags)), source: Some(source(origin)), words: None, other }, &tag)
    };
    let all = vec!["v1.0.0".to_owned(), format!("sha-{COMMIT}"), "tree-22".to_owned()];
    assert_eq!(names(How::Built, &[], Origin::Tag, None), all);
    assert_eq!(names(How::Kept, &[], Origin::Tag, None), all, "as good as built of the new commit");
    assert_eq!(names(How::Kept, &[], Origin::Tag, Some(How::Release)), Vec::<String>::new(), "the release has an image of it already");
    assert_eq!(names(How::Kept, &[], Origin::Tag, Some(How::Tree)), all[..1], "another image bears commit and tree");
    assert_eq!(names(How::Tree, &["tree-22"], Origin::Tag, None), all[..2], "a moved tag moves here, too");
    assert_eq!(names(How::Release, &["v1.0.0"], Origin::Branch("develop".into()), None), Vec::<String>::new());
}

#[test]
fn a_word_that_github_does_not_know_means_nothing() {
    assert_eq!(Ancestry::parse("behind"), Some(Ancestry::Behind));
    assert_eq!(Ancestry::parse("sideways"), None);
}
