//! From ECS's words to what a person can do about it. The words are those of facts seen in production.

/// A text that ECS is known to use, and what to do.
const KNOWN: &[(&str, &str)] = &[
    (
        "descriptor matching platform",
        "the image was built for another CPU than the task definition's runtimePlatform: release a new commit, or take the image's tags sha-… and tree-… away in ECR, so that it is built again",
    ),
    ("pull rate limit", "Docker Hub limits pulls: copy the image to ECR"),
    ("toomanyrequests", "Docker Hub limits pulls: copy the image to ECR"),
    ("insufficient_scope", "the image name lacks the ECR host, or names a private repository: correct the task definition's image"),
    ("failed to resolve ref", "the image is not in the repository: check that its push succeeded, and its account and region"),
    (
        "CannotPullContainerError",
        "the image can't be pulled: check that it exists, and the network path to ECR (NAT, or endpoints ecr.api, ecr.dkr and s3)",
    ),
    ("staging label: AWSCURRENT", "the secret has no current value: put one with `aws secretsmanager put-secret-value`"),
    ("invalid character", "a JSON key of a secret was asked for, but the secret's value is not JSON"),
    (
        "unable to pull secrets or registry auth",
        "the execution role may not read a secret, or has no route to Secrets Manager: check its policy and the subnets",
    ),
    ("failed to initialize logging driver", "the log group is missing, or there is no route to CloudWatch Logs"),
    ("OutOfMemory", "it ran out of memory: raise the container's or the task's memory"),
    ("address already in use", "its port is taken in the container: two programs of the task listen on the same one"),
    (
        "(the command was not found)",
        "the image has no such command: correct `command` and `entryPoint` of the task definition, or the image",
    ),
    ("(the command can't be executed)", "the command is not executable, or is built for another CPU: check the image"),
    (
        "ELB health checks",
        "the load balancer got no good answer: check path, port and success codes of the target group, and the grace period",
    ),
    (
        "is unhealthy in (target-group",
        "the load balancer got no good answer: check path, port and success codes of the target group, and the grace period",
    ),
    ("container health checks", "the container's health check failed: run its command in the image, and check startPeriod"),
    ("no container instance met", "no instance of the cluster has room: check CPU, memory and ports"),
    ("Capacity is unavailable", "AWS has no capacity there now: try again later, or allow other zones"),
    ("reached the limit on the number of", "an account limit is reached: raise the Fargate quota"),
    ("unable to assume the role", "the task or execution role can't be assumed: check its trust policy"),
    (
        "minimumHealthyPercent or maximumPercent",
        "the deployment configuration leaves no room: raise maximumPercent or lower minimumHealthyPercent",
    ),
    ("Your Spot Task was interrupted", "AWS took the Spot capacity back: not the release's fault, run it again"),
    ("alarm detected", "a CloudWatch alarm of the service went off: look at the alarm"),
    ("Essential container in task exited", "the program ended: read its log, and its exit code above"),
];

/// What to do about the first of these texts that is known; the earlier entries of the table know more.
pub fn hint<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    let texts: Vec<&str> = texts.into_iter().collect();
    KNOWN.iter().find(|(words, _)| texts.iter().any(|text| text.contains(words))).map(|(_, advice)| *advice)
}

/// A text that docker or BuildKit is known to use, and what to do.
const BUILD: &[(&str, &str)] = &[
    ("no space left on device", "the builder's disk is full: remove what the job does not need, or take a larger runner"),
    (
        "exec format error",
        "the image is for another CPU than the builder's: add docker/setup-qemu-action, or build on a runner of that CPU",
    ),
    ("could not read Username", "the source can't be fetched: the token may not read the repository"),
    ("Authentication failed for", "the source can't be fetched: the token may not read the repository"),
    ("reference is not a tree", "the source can't be fetched: the repository does not hold this commit; push it, then run this again"),
    ("failed to read dockerfile", "correct `dockerfile` and `context` in the service's file: both are paths from the repository's root"),
    ("target stage", "the Dockerfile has no such stage: correct `test_target` in the service's file"),
    (
        "no basic auth credentials",
        "the registry's login did not reach the build: is `ecr_repo` in DEPLOY_ECR_ACCOUNT_ID and DEPLOY_ECR_REGION?",
    ),
    ("not authorized to perform: ecr:", "allow the role to push: `escher-deploy iam` prints what it needs"),
    ("authorization token has expired", "run it again: the registry's login is renewed"),
    ("name unknown", "the ECR repository does not exist: create it, or correct `ecr_repo`"),
    ("tag is immutable", "an image of this commit is in the registry already: run it again, and it is found"),
    ("toomanyrequests", "Docker Hub limits pulls: log in to it before this step, or take the base image from ECR's public gallery"),
    (
        "subdir not supported yet",
        "this docker engine is too old for a context in a subfolder of a git URL: build on a newer one, or check the repository out",
    ),
    ("failed to connect to the docker API", "no docker engine answers: build on a runner that has one"),
    ("Cannot connect to the Docker daemon", "no docker engine answers: build on a runner that has one"),
];

/// What to do about a build's last lines.
pub fn build_hint<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    let lines: Vec<&str> = lines.into_iter().collect();
    BUILD.iter().find(|(words, _)| lines.iter().any(|line| line.contains(words))).map(|(_, advice)| *advice)
}

/// The build ended before anything was built: its source was not to be had.
pub fn lacks_source<'a>(lines: impl IntoIterator<Item = &'a str>) -> bool {
    build_hint(lines).is_some_and(|hint| hint.starts_with("the source can't be fetched"))
}

/// What an exit code usually means.
pub fn exit_code_meaning(code: i32) -> Option<&'static str> {
    Some(match code {
        126 => "the command can't be executed",
        127 => "the command was not found",
        137 => "killed (SIGKILL): out of memory, or too slow to stop",
        139 => "segmentation fault",
        143 => "terminated (SIGTERM)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_telling_text_wins() {
        let texts = ["Essential container in task exited", "OutOfMemoryError: Container killed due to memory usage"];
        assert!(hint(texts).is_some_and(|advice| advice.contains("memory")));
        let pull = ["CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref r: not found"];
        assert!(hint(pull).is_some_and(|advice| advice.contains("not in the repository")));
        assert_eq!(hint(["all is well"]), None);
    }

    #[test]
    fn a_source_that_is_not_to_be_had_is_no_failed_test() {
        // What BuildKit says of a commit that the repository doesn't have.
        let lost = [
            "fatal: reference is not a tree: d2051d8",
            "ERROR: failed to build: failed to checkout remote http://h/r.git: exit status 128",
        ];
        assert!(lacks_source(lost));
        assert!(!lacks_source([
            "self-test: failed",
            "ERROR: failed to build: process \"/service --self-test\" did not complete successfully"
        ]));
    }
}
