#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| escher_deploy_fuzz::services_file(data));
