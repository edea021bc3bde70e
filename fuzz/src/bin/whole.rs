//! Any bytes as a provider's whole answer, or as its error: the caller is told JSON.
#![no_main]

use dialect::translate::{self, Told};
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{Plan, bound};

fuzz_target!(|input: &[u8]| {
    let Some(plan) = Plan::of(input) else { return };
    let mut answering = plan.answering(false);
    let told = [answering.push(plan.body), answering.finish()].concat();
    assert!(answering.is_over());
    assert!(told.len() <= bound(plan.body.len()), "{} bytes told", told.len());
    match plan.told {
        Told::Whole if answering.failed().is_some() => assert!(told.is_empty()),
        Told::Whole | Told::Array => is_json(&told),
        Told::Events => assert!(std::str::from_utf8(&told).is_ok()),
    }
    let status = 400 + u16::from(plan.choice);
    let failure = translate::failure(plan.from, status, plan.body);
    is_json(&translate::error_body(plan.to, &failure, "req_1"));
});

fn is_json(told: &[u8]) {
    let parsed = serde_json::from_slice::<serde_json::Value>(told);
    assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(told));
}
