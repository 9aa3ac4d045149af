//! GitHub's token issuer: `ACTIONS_ID_TOKEN_REQUEST_URL`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::call::{Reply, Request};
use crate::world::World;

/// How long a token holds, in real seconds.
const HOLDS_FOR: f64 = 300.0;

/// The issuer.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The `sub` of every token.
    pub sub: String,
    /// What `ACTIONS_ID_TOKEN_REQUEST_TOKEN` holds.
    pub request_token: String,
    /// The `iss` of every token.
    pub issuer: String,
    /// The tokens given out.
    pub issued: Vec<Issued>,
}

/// A token that was given out.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// The token.
    pub jwt: String,
    /// Its subject.
    pub sub: String,
    /// Its audience.
    pub aud: String,
    /// Its end, in real seconds since the sandbox's start.
    pub expires: f64,
}

impl Oidc {
    pub(crate) fn new(environment: &str) -> Oidc {
        Oidc {
            sub: format!("repo:escher-dbai/v3-escher-deployment:environment:{environment}"),
            request_token: "sandbox-oidc-request-token".to_owned(),
            issuer: "https://token.actions.githubusercontent.com".to_owned(),
            issued: Vec::new(),
        }
    }
}

/// `GET /oidc/token`. `query` is the query as an object.
pub(crate) fn answer(world: &mut World, request: &Request, query: &Value) -> Reply {
    if request.bearer() != Some(world.oidc.request_token.as_str()) {
        return Reply::json(401, &json!({"message": "Bad credentials"}));
    }
    let audience = query["audience"].as_str().unwrap_or("https://github.com/escher-dbai");
    let jwt = issue(world, audience);
    Reply::json(200, &json!({"count": 1, "value": jwt}))
}

/// Makes a token with the form of a real one; only its signature is made up.
pub(crate) fn issue(world: &mut World, audience: &str) -> String {
    let now = (world.epoch + world.real) as i64;
    let jti = world.ids.uuid();
    let oidc = &mut world.oidc;
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "38826b17-6a30-5f9b-b169-8beb8202f723"});
    let payload = json!({
        "jti": jti,
        "sub": oidc.sub,
        "aud": audience,
        "iss": oidc.issuer,
        "nbf": now - 300,
        "iat": now,
        "exp": now + HOLDS_FOR as i64,
        "repository": "escher-dbai/v3-escher-deployment",
        "repository_owner": "escher-dbai",
        "environment": world.environment,
        "runner_environment": "github-hosted"
    });
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&payload));
    let jwt = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(Sha256::digest(&signed)));
    oidc.issued.push(Issued { jwt: jwt.clone(), sub: oidc.sub.clone(), aud: audience.to_owned(), expires: world.real + HOLDS_FOR });
    jwt
}
