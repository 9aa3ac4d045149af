//! The JSON web token by which an App says who it is.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::App;

const UNREADABLE: &str = "A JSON web token could not be decoded";
const TOO_FAR: &str = "'Expiration time' claim ('exp') is too far in the future";
const OVER: &str = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires";
const ISSUED_AT: &str = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";

/// The longest time that GitHub lets one hold, in seconds.
const LONGEST: f64 = 600.0;
/// How far its clock may be ahead, in seconds.
const DRIFT: f64 = 60.0;

/// Checks a token at this Unix time; why not, in GitHub's words.
pub(crate) fn check(app: &App, token: &str, now: f64) -> Result<(), &'static str> {
    let claims = signed_claims(app, token).ok_or(UNREADABLE)?;
    let issuer = &claims["iss"];
    if issuer.as_str() != Some(app.id.as_str()) && issuer.as_u64().map(|id| id.to_string()).as_ref() != Some(&app.id) {
        return Err(UNREADABLE);
    }
    let issued = claims["iat"].as_f64().filter(|at| *at <= now + DRIFT).ok_or(ISSUED_AT)?;
    let expires = claims["exp"].as_f64().filter(|at| *at > now).ok_or(OVER)?;
    if expires - issued > LONGEST { Err(TOO_FAR) } else { Ok(()) }
}

/// The claims, if they are signed with RS256 and the App's key.
fn signed_claims(app: &App, token: &str) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
    let genuine = header["alg"] == "RS256" && key.verify(signed.as_bytes(), &decode(signature)?).is_ok();
    genuine.then(|| serde_json::from_slice(&decode(claims)?).ok()).flatten()
}
