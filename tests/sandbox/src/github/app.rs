//! A GitHub App: a key pair, one installation, and the tokens it was given.

use std::collections::BTreeSet;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ecr::digest;

/// A GitHub App with one installation.
#[derive(Debug, Clone)]
pub struct App {
    /// The App's id: the `iss` of its JSON web tokens.
    pub id: String,
    /// Its public key, an RSAPublicKey in DER (RFC 8017, A.1.1).
    pub public_key: Vec<u8>,
    /// The id of its installation.
    pub installation: u64,
    /// How long an installation token holds, in real seconds: 3600, unless a test can't wait.
    pub lifetime: f64,
    /// The tokens given out, and the Unix time of each. By real time, also where sandbox time stands still.
    pub issued: Vec<(String, f64)>,
    /// `owner/name` of the repositories it is installed in; `None`: in all that are not [`crate::GitHub::forbidden`].
    pub reaches: Option<BTreeSet<String>>,
}

impl App {
    /// An App with a key of its own, and that key: RSA with 2048 bits, PKCS#8 in PEM.
    ///
    /// # Panics
    /// When the machine gives no random numbers: then there is nothing to test with.
    #[expect(clippy::expect_used, reason = "a helper for tests, and without a key there is no test")]
    pub fn generate(id: &str) -> (App, String) {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("the key in PKCS#8");
        let app = App {
            id: id.to_owned(),
            public_key: pair.public_key().as_ref().to_vec(),
            installation: 48_151_623,
            lifetime: 3600.0,
            issued: Vec::new(),
            reaches: None,
        };
        (app, pem(private.as_ref()))
    }

    /// Whether this is one of its tokens, and not over at this Unix time.
    pub(crate) fn honours(&self, token: &str, now: f64) -> bool {
        self.issued.iter().any(|(known, at)| known == token && now < at + self.lifetime)
    }

    /// Gives out a token at this Unix time.
    pub(crate) fn issue(&mut self, now: f64) -> String {
        let hash = digest(format!("{}:{}:{now}", self.id, self.issued.len()).as_bytes());
        // In two parts, so that no scanner takes the source for a token.
        let token = ["ghs", "_", &hash["sha256:".len()..][..36]].concat();
        self.issued.push((token.clone(), now));
        token
    }
}

/// A private key in the form in which GitHub's users keep it in a secret.
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let label = ["PRIVATE", "KEY"].join(" ");
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
