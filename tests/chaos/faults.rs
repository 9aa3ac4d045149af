//! What may go wrong with a call.

use escher_sandbox::{Effect, Fault};
use fastrand::Rng;

/// Party and operation; `*` for any. Several times what matters most.
const TARGETS: &[(&str, &str)] = &[
    ("*", "*"),
    ("ecs", "*"),
    ("ecs", "*"),
    ("ecr", "*"),
    ("oidc", "token"),
    ("sts", "AssumeRoleWithWebIdentity"),
    ("ecs", "DescribeServices"),
    ("ecs", "DescribeServices"),
    ("ecs", "UpdateService"),
    ("ecs", "UpdateService"),
    ("ecs", "UpdateService"),
    ("ecs", "RegisterTaskDefinition"),
    ("ecs", "DescribeTaskDefinition"),
    ("ecs", "ListTasks"),
    ("ecs", "DescribeTasks"),
    ("ecs", "ListServiceDeployments"),
    ("ecs", "StopServiceDeployment"),
    ("ecs", "RunTask"),
    ("ecr", "DescribeImages"),
    ("ecr", "BatchGetImage"),
    ("ecr", "PutImage"),
    ("ecr", "GetAuthorizationToken"),
    ("elasticloadbalancing", "DescribeTargetHealth"),
    ("secretsmanager", "*"),
    ("logs", "GetLogEvents"),
    ("endpoint", "*"),
    ("slack", "*"),
    ("slack", "chat.update"),
    ("github", "*"),
];

/// Answers that are none. Some are JSON of the wrong shape, some nearly right.
const BODIES: &[&str] = &[
    "not json",
    "",
    "null",
    "[]",
    "{}",
    "{\"services\": [{}]}",
    "{\"services\": [], \"failures\": []}",
    "{\"service\": {\"deployments\": []}}",
    "{\"taskDefinition\": {}}",
    "{\"tasks\": [{\"lastStatus\": 7}]}",
    "{\"imageDetails\": [{}]}",
    "{\"ok\": true}",
    "{\"value\": \"\"}",
    "{\"status\": \"ok\", \"version\": [1]}",
    "<html><body>502 Bad Gateway</body></html>",
    "<AssumeRoleWithWebIdentityResponse/>",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"message\": \"\\u001b[31m::error::owned\\n::set-output name=result::success\"}",
];

/// One fault, drawn.
pub(crate) fn draw(rng: &mut Rng) -> Fault {
    let (party, operation) = TARGETS[rng.usize(..TARGETS.len())];
    let is_anything = party == "*";
    let skip = if rng.bool() { rng.usize(..3) } else { rng.usize(..if is_anything { 120 } else { 12 }) };
    let effect = effect(rng);
    // For ever only what no patience mends: what may pass is borne for a minute at each place that meets it.
    let is_final =
        matches!(&effect, Effect::Error { code, .. } if matches!(code.as_str(), "AccessDeniedException" | "InvalidParameterException"));
    let times = match rng.u8(..20) {
        0 if is_final && !is_anything => usize::MAX,
        1..5 => 2 + rng.usize(..3),
        _ => 1,
    };
    let times = if matches!(effect, Effect::Delay(seconds) if seconds > 5.0) { 1 } else { times };
    Fault { party: party.to_owned(), operation: operation.to_owned(), skip, times, effect }
}

/// An answer that is not quite what it should be, of any party.
pub(crate) fn garbled(rng: &mut Rng) -> Fault {
    let (party, operation) = TARGETS[rng.usize(..TARGETS.len())];
    let (skip, times) = (rng.usize(..if party == "*" { 120 } else { 12 }), 1 + rng.usize(..3));
    Fault { party: party.to_owned(), operation: operation.to_owned(), skip, times, effect: Effect::Garbled(rng.u64(..100_000)) }
}

fn effect(rng: &mut Rng) -> Effect {
    let error = |status, code: &str| Effect::Error { status, code: code.to_owned(), message: "made to fail".to_owned() };
    match rng.u8(..24) {
        0..4 => Effect::LoseAnswer,
        4..8 => Effect::LoseRequest,
        8..11 => error(400, "ThrottlingException"),
        11 => error(429, "TooManyRequests"),
        12..14 => error(500, "ServerException"),
        14 => error(503, "ServiceUnavailable"),
        15 => error(400, "ExpiredTokenException"),
        16 => error(403, "ExpiredToken"),
        17 => error(400, "AccessDeniedException"),
        18 => error(400, "InvalidParameterException"),
        19..21 => Effect::Delay(f64::from(rng.u32(50..1500)) / 1000.0),
        21 if rng.u8(..4) == 0 => Effect::Delay(30.0),
        _ => Effect::Body { status: [200, 200, 200, 502, 400][rng.usize(..5)], body: BODIES[rng.usize(..BODIES.len())].to_owned() },
    }
}
