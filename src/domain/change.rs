//! Whether a service has changed since what runs, and which image its release means (CONTRACT 5.2, 5.3).

use super::image::Image;
use super::names::{Digest, Revision};
use super::paths::Paths;
use super::tag::ReleaseTag;

/// GitHub lists no more changed files of a comparison
/// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
pub const MOST_FILES: usize = 300;

/// The commit that a release means for a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The commit.
    pub commit: Revision,
    /// Its tree, where it is known: a merge makes a new commit of the same tree.
    pub tree: Option<String>,
    /// Where the commit was found.
    pub origin: Origin,
}

/// Where a release's commit was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The repository has the release's tag.
    Tag,
    /// It lacks the tag: the head of this branch.
    Branch(String),
}

impl Source {
    /// The tags under which an image of it is found again.
    pub fn image_tags(&self) -> impl Iterator<Item = String> {
        let tree = self.tree.as_ref().map(|tree| format!("tree-{tree}"));
        [format!("sha-{}", self.commit)].into_iter().chain(tree)
    }
}

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

/// What lies between the commit that runs and the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the new one lies to the one that runs.
    pub ancestry: Ancestry,
    /// Commits that are new; where it lies behind, commits that it lacks.
    pub commits: u64,
    /// The files that differ, old names too; none where the list is not whole.
    pub files: Option<Vec<String>>,
}

/// What a comparison means for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Nothing of the service has changed.
    pub is_unaffected: bool,
    /// Why, in words.
    pub words: String,
}

impl Comparison {
    /// Judges by the service's `paths`. `since` names what runs.
    pub fn judge(&self, globs: &[String], since: &str) -> Judged {
        let counted = |count: u64, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
        let commits = counted(self.commits, "commit");
        let changed = |words: String| Judged { is_unaffected: false, words };
        match (self.ancestry, &self.files) {
            (Ancestry::Identical, _) => Judged { is_unaffected: true, words: format!("the commit that runs, {since}") },
            (Ancestry::Behind, _) => changed(format!("{commits} behind {since}")),
            (Ancestry::Diverged, _) => changed(format!("diverged from {since}")),
            (Ancestry::Ahead, None) => changed(format!("{commits} since {since}, {MOST_FILES} files or more")),
            (Ancestry::Ahead, Some(files)) => {
                let affected = Paths::new(globs).map_or(files.len(), |paths| files.iter().filter(|file| paths.count(file)).count());
                let everything = globs == ["**"];
                let place = if everything { String::new() } else { format!(" under {}", globs.join(", ")) };
                let number = match (affected, files.len()) {
                    (0, 0) => "no files".to_owned(),
                    (0, all) => format!("none of {}{place}", counted(all as u64, "file")),
                    (some, _) => format!("{}{place}", counted(some as u64, "file")),
                };
                Judged { is_unaffected: affected == 0, words: format!("{commits} since {since}, {number}") }
            }
        }
    }
}

/// Where a service's image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It bears the release's tag.
    Release,
    /// It was built of this commit.
    Commit,
    /// It was built of another commit of the same tree.
    Tree,
    /// It runs, and nothing of the service has changed since.
    Kept,
    /// This run has built it.
    Built,
}

/// An image, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundImage {
    /// The image.
    pub image: Image,
    /// How.
    pub how: How,
}

/// What is known of a service's image before it is decided.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// The release's commit.
    pub source: Option<&'a Source>,
    /// An image of the release in the registry.
    pub found: Option<&'a FoundImage>,
    /// The digest that runs.
    pub running: Option<&'a Digest>,
    /// The image that runs, where it may be kept: the service is steady, and the registry still holds it.
    pub keepable: Option<&'a Image>,
    /// What the commits' comparison means.
    pub judged: Option<&'a Judged>,
}

/// Which image a service gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The image; none where it must be built.
    pub found: Option<FoundImage>,
    /// The release's commit.
    pub source: Option<Source>,
    /// What has changed, in words.
    pub words: Option<String>,
    /// How another image of the release was found, where the one that runs stays nevertheless.
    pub other: Option<How>,
}

impl Chosen {
    /// An image that is there.
    pub fn image(&self) -> Option<&Image> {
        self.found.as_ref().map(|found| &found.image)
    }
}

/// Decides; none where there is no image and nothing that it could be built of.
pub fn choose(evidence: &Evidence<'_>) -> Option<Chosen> {
    let words = evidence.judged.map(|judged| judged.words.clone());
    let chosen = |found: Option<FoundImage>| Chosen { found, source: evidence.source.cloned(), words: words.clone(), other: None };
    let built = evidence.found.filter(|found| found.how == How::Built || Some(&found.image.digest) == evidence.running);
    if let Some(found) = built {
        return Some(chosen(Some(found.clone())));
    }
    let unaffected = evidence.judged.is_some_and(|judged| judged.is_unaffected);
    if let Some(image) = evidence.keepable.filter(|_| unaffected) {
        let other = evidence.found.map(|found| found.how);
        return Some(Chosen { other, ..chosen(Some(FoundImage { image: image.clone(), how: How::Kept })) });
    }
    match (evidence.found, evidence.source) {
        (Some(found), _) => Some(chosen(Some(found.clone()))),
        (None, Some(_)) => Some(chosen(None)),
        (None, None) => None,
    }
}

/// Whether an image that bears the release's tag is the release's: a git tag may have been moved to another commit since. What
/// came from a branch stays what it was when the release was first made: branches move on.
pub fn is_of_release(image: &Image, source: Option<&Source>) -> bool {
    let Some(source) = source.filter(|source| source.origin == Origin::Tag) else { return true };
    let names_a_commit = image.tags.iter().any(|tag| tag.starts_with("sha-"));
    !names_a_commit || source.image_tags().any(|tag| image.tags.contains(&tag))
}

/// The tags that an image still lacks to be found again: the release's, its commit's and its tree's.
///
/// An image that stays because nothing of its service has changed is as good as built of the new commit, so it gets its names,
/// but takes none away from another image of that commit.
pub fn missing_tags(chosen: &Chosen, release: &ReleaseTag) -> Vec<String> {
    let Some(found) = &chosen.found else { return Vec::new() };
    let release = Some(release.to_string()).filter(|_| chosen.other != Some(How::Release));
    // The release's tag decided, and may have been put on an image of another commit: that isn't renamed.
    let is_sure = found.how != How::Release || chosen.source.as_ref().is_some_and(|source| source.origin == Origin::Tag);
    let named = chosen.source.iter().filter(|_| is_sure && chosen.other.is_none()).flat_map(Source::image_tags);
    let names = release.into_iter().chain(named);
    names.filter(|tag| !found.image.tags.contains(tag)).collect()
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
