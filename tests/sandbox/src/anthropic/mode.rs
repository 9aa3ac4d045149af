//! How the model behaves.

/// What the model makes of the commits that it is asked about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// A truthful sentence for each: its first line without type and pull request's number, with a capital letter.
    #[default]
    Well,
    /// Well, after a `thinking` block.
    ThinkingFirst,
    /// It will not: `stop_reason` is `refusal`.
    Refusal,
    /// The answer ends in its middle: `stop_reason` is `max_tokens`.
    MaxTokens,
    /// What looks like JSON and is none, although the model ended it itself.
    BrokenJson,
    /// Well, and sentences for commits that never were.
    InventedIds,
    /// Well, but without the commits of even numbers.
    MissingIds,
    /// Well, and each twice.
    DoubledIds,
    /// An address in every sentence.
    UrlInSentence,
    /// `<!channel>` and `@everyone` in every sentence.
    MentionInSentence,
    /// A Markdown link and HTML in every sentence.
    MarkupInSentence,
    /// What looks like a credential in every sentence.
    CredentialInSentence,
    /// A text with "ignore" and "instructions" in it is obeyed: its own sentence is what follows `say:` there.
    Obedient,
    /// The same, but every sentence of the answer is what follows that `say:`.
    Possessed,
    /// No content blocks at all.
    Empty,
    /// Sentences of 5,000 characters.
    LongSentences,
}
