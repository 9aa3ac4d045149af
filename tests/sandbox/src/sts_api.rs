//! STS's operations: form in, XML out.

use serde_json::Value;

use crate::call::{Reply, Request};
use crate::refusal::{Refusal, Table, escape, known, text};
use crate::sts::{Session, fits};
use crate::time::iso;
use crate::world::World;

/// Carries out one operation.
pub(crate) fn answer(world: &mut World, operation: &str, form: &Value, request: &Request) -> Reply {
    match perform(world, operation, form, request) {
        Ok(result) => {
            let namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
            let id = world.ids.uuid();
            Reply::xml(
                200,
                format!(
                    "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{result}</{operation}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
                ),
            )
        }
        Err(refusal) => refusal.reply("sts"),
    }
}

/// An operation: what stands in its result.
type Operation = fn(&mut World, &Value, &Request) -> Result<String, Refusal>;

/// What this STS can do. The first takes a token, so nobody signs it.
pub(crate) const OPERATIONS: Table<Operation, 3> = [
    ("AssumeRoleWithWebIdentity", |world, form, _| with_web_identity(world, form)),
    ("AssumeRole", |world, form, request| {
        let caller = caller(world, request)?;
        assume(world, form, &caller)
    }),
    ("GetCallerIdentity", |world, _, request| caller(world, request).map(|caller| identity(world, &caller))),
];

fn perform(world: &mut World, operation: &str, form: &Value, request: &Request) -> Result<String, Refusal> {
    let unknown = || Refusal::bad("InvalidAction", format!("Could not find operation {operation} for version 2011-06-15"));
    known(&OPERATIONS, operation).ok_or_else(unknown)?(world, form, request)
}

fn caller(world: &World, request: &Request) -> Result<String, Refusal> {
    world.sts.caller(request, "sts", &world.account, world.real)
}

fn identity(world: &World, caller: &str) -> String {
    let user = if caller.contains(":assumed-role/") {
        format!("AROASANDBOXDEPLOYROLE:{}", caller.rsplit('/').next().unwrap_or_default())
    } else {
        "AIDASANDBOXUSER".to_owned()
    };
    let (caller, user) = (escape(caller), escape(&user));
    format!("<Arn>{caller}</Arn><UserId>{user}</UserId><Account>{}</Account>", world.account)
}

fn session_name(form: &Value) -> Result<&str, Refusal> {
    let name = text(form, "RoleSessionName").unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&name.len()) && name.chars().all(fits) {
        return Ok(name);
    }
    Err(Refusal::bad(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]* and have length between 2 and 64"
        ),
    ))
}

fn with_web_identity(world: &mut World, form: &Value) -> Result<String, Refusal> {
    let name = session_name(form)?.to_owned();
    let denied = || Refusal::new(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let token = text(form, "WebIdentityToken").unwrap_or_default();
    let issued = world.oidc.issued.iter().find(|issued| issued.jwt == token).cloned().ok_or_else(|| {
        Refusal::bad(
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    })?;
    if world.real >= issued.expires {
        let (now, end) = ((world.epoch + world.real).floor(), (world.epoch + issued.expires).floor());
        let text = format!("Token expired: current date/time {now} must be before the expiration date/time {end}");
        return Err(Refusal::bad("ExpiredTokenException", text));
    }
    let wanted = text(form, "RoleArn").unwrap_or_default();
    let role = world.sts.roles.iter().find(|role| role.arn == wanted).ok_or_else(denied)?;
    let trusted = role.allowed_subs.iter().any(|pattern| fits(pattern, &issued.sub)) && role.audience == issued.aud;
    if !trusted {
        return Err(denied());
    }
    let arn = role.arn.clone();
    let credentials = open_session(world, &arn, &name, Some(issued.sub.clone()));
    Ok(format!(
        "<Audience>{}</Audience>{credentials}<Provider>arn:aws:iam::{}:oidc-provider/token.actions.githubusercontent.com</Provider><SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken>",
        escape(&issued.aud),
        world.account,
        escape(&issued.sub)
    ))
}

fn assume(world: &mut World, form: &Value, caller: &str) -> Result<String, Refusal> {
    let name = session_name(form)?.to_owned();
    let wanted = text(form, "RoleArn").unwrap_or_default().to_owned();
    if !world.sts.roles.iter().any(|role| role.arn == wanted) {
        let text = format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {wanted}");
        return Err(Refusal::new(403, "AccessDenied", text));
    }
    Ok(open_session(world, &wanted, &name, None))
}

/// Makes the session; its credentials and user as XML.
fn open_session(world: &mut World, role: &str, name: &str, subject: Option<String>) -> String {
    let session = Session {
        role: role.to_owned(),
        session_name: name.to_owned(),
        subject,
        access_key: format!("ASIA{}", world.ids.capitals(16)),
        secret_key: world.ids.url_safe(40),
        session_token: format!("IQoJ{}", world.ids.url_safe(120)),
        expires: world.real + world.sts.lifetime,
    };
    let xml = format!(
        "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROASANDBOXDEPLOYROLE:{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>",
        session.access_key,
        session.secret_key,
        session.session_token,
        iso(world.epoch + session.expires),
        escape(name),
        escape(&session.arn())
    );
    world.sts.sessions.push(session);
    xml
}
