//! libFuzzer's entry: the target's name comes from the environment, so that one program serves all.
#![no_main]

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("BELAY_FUZZ_TARGET").unwrap_or_default();
        let found = belay_fuzz::TARGETS.iter().find(|(target, _)| *target == name);
        found.map(|(_, run)| *run).expect("set BELAY_FUZZ_TARGET to one of the targets in fuzz/src/lib.rs")
    })(data);
});
