//! The command line and the private configuration.

use super::*;

fn build() -> Build {
    Build {
        context: Context::Git { url: "https://github.com/escher-dbai/a.git#0123:sub".into(), token: Some("ghs_secret".into()) },
        dockerfile: "Dockerfile".into(),
        target: None,
        platform: "linux/arm64".into(),
        labels: vec![("org.opencontainers.image.revision", "0123".into())],
        arguments: vec![("REVISION", "0123".into())],
        tag: "registry/a:sha-0123".into(),
        cache: None,
    }
}

fn line(build: &Build) -> String {
    let words = arguments(build, Path::new("/t/m.json"));
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_command_line_holds_everything_but_the_token() {
    assert_eq!(
        line(&build()),
        "buildx build --progress plain --platform linux/arm64 --file Dockerfile --label org.opencontainers.image.revision=0123 \
         --build-arg REVISION=0123 --tag registry/a:sha-0123 --push --metadata-file /t/m.json \
         --secret id=GIT_AUTH_TOKEN,env=GIT_AUTH_TOKEN -- https://github.com/escher-dbai/a.git#0123:sub"
    );
    let test = Build { target: Some("test".into()), context: Context::Folder("/src".into()), ..build() };
    assert!(line(&test).ends_with("--target test --output type=cacheonly -- /src"), "{}", line(&test));
}

#[test]
fn a_cache_is_read_and_written_whole() {
    let bare = cache_options("registry/cache:gateway");
    assert_eq!(bare, ("type=registry,ref=registry/cache:gateway".into(), "type=registry,ref=registry/cache:gateway,mode=max".into()));
    let own = cache_options("type=gha,mode=min,scope=x");
    assert_eq!(own, ("type=gha,scope=x".into(), "type=gha,mode=min,scope=x".into()));
}

#[test]
fn the_private_configuration_is_the_users_own_with_our_login_and_goes_away() {
    let own = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(own.path().join("cli-plugins")).expect("a folder");
    std::fs::write(
        own.path().join("config.json"),
        r#"{"credsStore":"desktop","auths":{"ghcr.io":{"auth":"x"}},"credHelpers":{"r":"ecr-login"}}"#,
    )
    .expect("a file");
    let folder = own.path().join("private");
    let login = Login { host: "r".into(), auth: "QVdTOnB3".into() };
    let docker = Docker::login(folder.clone(), Some(own.path()), &login, &[]).expect("a configuration");
    let config: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).expect("a file")).expect("JSON");
    assert_eq!(config, json!({"auths": {"ghcr.io": {"auth": "x"}, "r": {"auth": "QVdTOnB3"}}, "credHelpers": {}}));
    assert!(folder.join("cli-plugins").is_dir());
    let mode = |path: &Path| std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).expect("there").permissions()) & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("config.json"))), (0o700, 0o600));
    drop(docker);
    assert!(!folder.exists() && own.path().join("cli-plugins").is_dir(), "the user's own folder stays");
}
