//! A service's `paths`: which files of its repository count as a change of it.

use globset::{GlobBuilder, GlobMatcher};

/// The globs in order; the last that fits a file decides, and one that begins with `!` takes files out again, as in a
/// workflow's `on.push.paths`
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#patterns-to-match-file-paths>).
#[derive(Clone, Debug)]
pub struct Paths {
    globs: Vec<(bool, GlobMatcher)>,
}

impl Paths {
    /// Reads the globs.
    ///
    /// # Errors
    /// The glob and what is wrong with it.
    pub fn new(globs: &[String]) -> Result<Self, String> {
        let read = |glob: &String| {
            let (counts, pattern) = glob.strip_prefix('!').map_or((true, glob.as_str()), |rest| (false, rest));
            // A leading `./` or `/` is how people write the repository's root; git names files without it.
            let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
            let glob = GlobBuilder::new(pattern).literal_separator(true).build().map_err(|error| format!("`{glob}`: {}", error.kind()))?;
            Ok((counts, glob.compile_matcher()))
        };
        Ok(Self { globs: globs.iter().map(read).collect::<Result<_, String>>()? })
    }

    /// A change to this file counts.
    pub fn count(&self, file: &str) -> bool {
        self.globs.iter().rev().find(|(_, glob)| glob.is_match(file)).is_some_and(|(counts, _)| *counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted<'a>(globs: &[&str], files: &[&'a str]) -> Vec<&'a str> {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let paths = Paths::new(&globs).expect("globs");
        files.iter().copied().filter(|file| paths.count(file)).collect()
    }

    #[test]
    fn globs_fit_as_in_a_workflow() {
        let files = ["Dockerfile", "src/main.rs", "src/deep/er.rs", "docs/a.md", ".github/x.yml"];
        assert_eq!(counted(&["**"], &files), files);
        assert_eq!(counted(&["src/**", "Dockerfile"], &files), ["Dockerfile", "src/main.rs", "src/deep/er.rs"]);
        assert_eq!(counted(&["src/*"], &files), ["src/main.rs"]);
        assert_eq!(counted(&["**", "!docs/**", "!**/*.yml"], &files), ["Dockerfile", "src/main.rs", "src/deep/er.rs"]);
        assert_eq!(counted(&["./src/*.{rs,go}"], &files), ["src/main.rs"]);
        assert_eq!(counted(&["!docs/**", "docs/**"], &["docs/a.md"]), ["docs/a.md"], "the last decides");
    }

    #[test]
    fn a_glob_that_is_none_is_named() {
        let error = Paths::new(&["src/[".to_owned()]).expect_err("no glob");
        assert!(error.starts_with("`src/[`: "), "{error}");
    }
}
