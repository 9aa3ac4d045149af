//! Which commits are to be compared, and whether a release is older than what runs (CONTRACT 5.5).

use std::collections::BTreeMap;

use super::change::{Ancestry, Comparison, Evidence, How};
use super::names::{Revision, ServiceName};
use super::plan::{Action, Plan, PlannedService, Side, Start};
use super::smoke::Accepted;

/// Two commits of one repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// `owner/name`.
    pub repository: String,
    /// The commit that runs.
    pub base: Revision,
    /// The release's commit.
    pub head: Revision,
}

/// Two commits, and what GitHub says of them, or why it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which.
    pub pair: Pair,
    /// The answer.
    pub answer: Result<Comparison, String>,
}

/// The comparison that a service needs: both commits are known, and its image is not the one that runs already.
pub fn pair(repository: String, from: &Side, evidence: &Evidence<'_>) -> Option<Pair> {
    let base = from.revision.clone().filter(is_commit)?;
    let source = evidence.source.map(|source| source.commit.clone());
    let head = match evidence.found {
        Some(found) => {
            let accepted = Accepted::from_tags(found.image.tags.iter().map(String::as_str));
            // An image may have been found again for another commit of the same tree, and bears both: the same is never older.
            if Some(&found.image.digest) == from.digest.as_ref() || accepted.commits.contains(&base) {
                return None;
            }
            let is_of_source = |source: &Revision| found.how != How::Release || accepted.commits.contains(source);
            source.filter(is_of_source).or_else(|| accepted.commits.first().cloned())
        }
        None => source,
    }?;
    is_commit(&head).then_some(Pair { repository, base, head })
}

/// A whole commit id: labels and tags come from outside, and this becomes part of an address.
pub fn is_commit(revision: &Revision) -> bool {
    revision.as_str().len() == 40 && revision.as_str().bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What runs or is to run, in words: `3f2c1e9 (v2.15.0)`.
pub fn since(side: &Side) -> String {
    let revision = side.revision.as_ref().map(Revision::short).unwrap_or_default();
    side.version.as_ref().map_or_else(|| revision.to_owned(), |version| format!("{revision} (v{version})"))
}

/// What a plan's order in time gives cause for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// Services whose new commit lies behind the one that runs, with the reason.
    pub behind: Vec<(ServiceName, String)>,
    /// What was not compared, or has diverged.
    pub warnings: Vec<String>,
}

/// Reviews the services whose image changes. `unread` tells why nothing is known of a service's repository.
pub fn review(plan: &Plan, compared: &BTreeMap<ServiceName, Compared>, unread: &BTreeMap<ServiceName, String>) -> Review {
    let mut review = Review::default();
    let (mut unknown, mut failed) = (Vec::new(), BTreeMap::<&str, Vec<&str>>::new());
    for planned in plan.services.iter().filter(|planned| changes_image(planned)) {
        let name = planned.name.as_str();
        match (compared.get(&planned.name), unread.get(&planned.name)) {
            (Some(Compared { pair, answer: Ok(comparison) }), _) => one(planned, pair, comparison, &mut review),
            (Some(Compared { answer: Err(why), .. }), _) | (None, Some(why)) => failed.entry(why).or_default().push(name),
            (None, None) if !is_known(&planned.from) || !is_known(&planned.to) => unknown.push(name),
            (None, None) => {}
        }
    }
    if !unknown.is_empty() {
        review.warnings.push(format!(
            "not checked whether the release is older for {}: a commit is unknown, of what runs or of the new image",
            unknown.join(", ")
        ));
    }
    // One warning a cause: a token that reaches no other repository would otherwise bring seven.
    let unchecked = |(why, names): (&&str, &Vec<&str>)| {
        format!("not checked whether this release is older than what runs ({}): {why}", names.join(", "))
    };
    review.warnings.extend(failed.iter().map(unchecked));
    review
}

fn one(planned: &PlannedService, pair: &Pair, comparison: &Comparison, review: &mut Review) {
    let (new, runs) = (words(&planned.to, &pair.head), words(&planned.from, &pair.base));
    match comparison.ancestry {
        Ancestry::Ahead | Ancestry::Identical => {}
        Ancestry::Behind => {
            let Pair { repository, base, head } = pair;
            let what = format!("{new} is older than {runs}, which runs: GitHub calls {head} `behind` {base} in {repository}");
            review.behind.push((planned.name.clone(), what));
        }
        Ancestry::Diverged => {
            let name = &planned.name;
            review.warnings.push(format!("hotfix: diverged: {name}: {new} lacks commits of {runs}, which runs, and the other way round"));
        }
    }
}

fn changes_image(planned: &PlannedService) -> bool {
    planned.start != Start::Nothing && planned.action != Action::Skip && planned.from.digest != planned.to.digest
}

fn is_known(side: &Side) -> bool {
    side.revision.as_ref().is_some_and(is_commit)
}

fn words(side: &Side, revision: &Revision) -> String {
    match &side.version {
        Some(version) => format!("{version} ({})", revision.short()),
        None => revision.short().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_commit_ids_are_compared() {
        assert!(is_commit(&Revision::new("0123456789abcdef0123456789abcdef01234567")));
        for odd in ["", "main", "0123456", "../../../../repos/mallory/x/compare/aaaaa", "0123456789abcdef0123456789abcdef0123456z"] {
            assert!(!is_commit(&Revision::new(odd)), "{odd}");
        }
    }
}
