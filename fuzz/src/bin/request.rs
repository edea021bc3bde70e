//! Any bytes as a caller's request: what is read can be written, and what is written read.
#![no_main]

use bytes::Bytes;
use dialect::{
    anthropic_hosted::{BEDROCK_BETAS, Host, edit},
    peek::peek_in,
    splice::{Change, OutputCap, splice},
    translate::{self, PathWords, callers_speak, providers_speak, sniff},
};
use domain::catalog::Dialect;
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{Plan, bound};

fuzz_target!(|input: &[u8]| {
    let Some(plan) = Plan::of(input) else { return };
    let named = (plan.to == Dialect::Gemini).then_some("gemini-model");
    looked_at(&plan, named);
    let path = PathWords { model: named, stream: named.map(|_| plan.choice & 1 == 0) };
    let readings = [
        translate::read(plan.to, plan.body, path),
        translate::read_completion(plan.body, PathWords::default()),
    ];
    for reading in readings.into_iter().flatten() {
        for to in Dialect::ALL.into_iter().filter(|it| providers_speak(*it)) {
            let Ok(outgoing) = reading.write(&plan.target(to), "req_1", 1_700_000_000) else {
                continue;
            };
            let text = String::from_utf8_lossy(&outgoing.body);
            assert!(outgoing.body.len() <= bound(plan.body.len()), "{} bytes", text.len());
            let parsed = serde_json::from_str::<serde_json::Value>(&text);
            assert!(parsed.is_ok_and(|it| it.is_object()), "{text}");
            // It stands in a header.
            let notes = outgoing.notes.to_string();
            assert!(notes.bytes().all(|it| (b' '..=b'~').contains(&it)), "{notes}");
            if callers_speak(to) {
                let path = PathWords { model: Some("m"), stream: None };
                let again = translate::read(to, &outgoing.body, path);
                assert!(again.is_ok(), "{:?} of {text}", again.err());
            }
        }
    }
    let target = plan.target(plan.from);
    let _ =
        translate::read_count(plan.to, plan.body, path).map(|it| translate::count(&it, &target));
    if let Ok(errand) = translate::embed(plan.to, plan.body, &target) {
        let _ = errand.way.back(plan.body);
    }
});

fn looked_at(plan: &Plan<'_>, named: Option<&str>) {
    let Ok(peek) = peek_in(plan.to, plan.body, named) else { return };
    for path in Dialect::ALL {
        for version in [false, true] {
            sniff(path, &peek, version);
        }
    }
    let _ = (peek.input_text_estimate(), peek.input_reserve_estimate(), peek.asked_output());
    let body = Bytes::copy_from_slice(plan.body);
    for host in [Host::Vertex, Host::VertexCount, Host::BedrockInvoke] {
        let edited = edit(&body, host, ["effort-2025-11-24,x"], BEDROCK_BETAS);
        let parsed = serde_json::from_slice::<serde_json::Value>(&edited);
        assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&edited));
    }
    let cap = OutputCap { field: "max_tokens", tokens: 77 };
    let change = Change {
        model: "another",
        ask_usage: plan.choice & 1 != 0,
        output_cap: (plan.choice & 2 != 0).then_some(cap),
    };
    let spliced = splice(&body, &peek, change);
    let again = peek_in(plan.to, &spliced, named);
    assert!(again.is_ok(), "{:?} of {}", again.err(), String::from_utf8_lossy(&spliced));
    if let (Ok(again), None) = (again, named) {
        assert_eq!(again.model, "another");
        assert_eq!(again.stream, peek.stream);
    }
}
