//! Whether a release is older than what runs: which commits are to be compared, and what GitHub's answer means (CONTRACT 5.5).

use std::collections::BTreeMap;

use super::environment::Environment;
use super::names::{Revision, ServiceName};
use super::plan::{Action, Plan, PlannedService, Side, Start};
use super::service::Service;

/// How the new commit lies to the one that runs
/// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// It holds everything that runs, and more.
    Ahead,
    /// It is the same commit.
    Identical,
    /// What runs holds everything of it, and more.
    Behind,
    /// Each holds something that the other lacks.
    Diverged,
}

impl Ancestry {
    /// Reads GitHub's word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "ahead" => Some(Self::Ahead),
            "identical" => Some(Self::Identical),
            "behind" => Some(Self::Behind),
            "diverged" => Some(Self::Diverged),
            _ => None,
        }
    }
}

/// Two commits of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Whose.
    pub service: ServiceName,
    /// `owner/name` of its repository.
    pub repository: String,
    /// The commit that runs.
    pub base: Revision,
    /// The commit of the new image.
    pub head: Revision,
    /// What runs, in words.
    pub runs: String,
    /// What is new, in words.
    pub new: String,
}

/// The comparisons that a plan asks for: a service whose image changes, and both of whose commits are known.
pub fn comparisons(plan: &Plan, services: &BTreeMap<ServiceName, Service>, environment: &Environment) -> Vec<Comparison> {
    plan.services.iter().filter_map(|planned| comparison(planned, services.get(&planned.name)?, environment)).collect()
}

/// Services whose image changes and whose commits aren't both known, so that nobody can say which is older.
pub fn incomparable(plan: &Plan) -> Vec<&ServiceName> {
    let is_known = |revision: &Option<Revision>| revision.as_ref().is_some_and(is_commit);
    let unknown = plan.services.iter().filter(|planned| changes_image(planned));
    unknown.filter(|planned| !is_known(&planned.from.revision) || !is_known(&planned.to.revision)).map(|planned| &planned.name).collect()
}

fn changes_image(planned: &PlannedService) -> bool {
    planned.start != Start::Nothing && planned.action != Action::Skip && planned.from.digest != planned.to.digest
}

fn comparison(planned: &PlannedService, service: &Service, environment: &Environment) -> Option<Comparison> {
    let (base, head) = (planned.from.revision.clone()?, planned.to.revision.clone()?);
    // An image may have been found again for another commit of the same tree, and bears both: the same is never older.
    let is_known = planned.accepted.commits.contains(&base);
    (changes_image(planned) && !is_known && is_commit(&base) && is_commit(&head)).then(|| Comparison {
        service: planned.name.clone(),
        repository: environment.repository(&service.repo),
        runs: words(&planned.from, &base),
        new: words(&planned.to, &head),
        base,
        head,
    })
}

/// A whole commit id: labels and tags come from outside, and this becomes part of an address.
fn is_commit(revision: &Revision) -> bool {
    revision.as_str().len() == 40 && revision.as_str().bytes().all(|byte| byte.is_ascii_hexdigit())
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

    #[test]
    fn a_word_that_github_does_not_know_means_nothing() {
        assert_eq!(Ancestry::parse("behind"), Some(Ancestry::Behind));
        assert_eq!(Ancestry::parse("sideways"), None);
    }
}
