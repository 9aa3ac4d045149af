//! Identifiers in the shapes AWS uses. They come from a counter, so the same story gives the same ids and a
//! failing test can be read twice.

/// A source of identifiers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    /// The next number of the sequence (splitmix64).
    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length).map(|_| char::from(alphabet[(self.number() % alphabet.len() as u64) as usize])).collect()
    }

    /// 19 decimal digits, padded with zeros, and now and then beyond `i64`: a deployment's and a revision's number.
    pub(crate) fn revision(&mut self) -> String {
        format!("{:019}", self.number() % 10_000_000_000_000_000_000)
    }

    /// Lower-case hexadecimal digits: a task id has 32 of them.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        self.text(length, b"0123456789abcdef")
    }

    /// The id of a service event.
    pub(crate) fn uuid(&mut self) -> String {
        let h = self.hex(32);
        format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..])
    }

    /// 21 url-safe characters: the tail of a service deployment's ARN.
    pub(crate) fn url_safe(&mut self, length: usize) -> String {
        self.text(length, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    }

    /// Capitals and digits: access keys, Slack ids.
    pub(crate) fn capitals(&mut self, length: usize) -> String {
        self.text(length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    }
}
