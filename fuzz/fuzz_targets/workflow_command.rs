#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| escher_deploy_fuzz::workflow_command(text));
