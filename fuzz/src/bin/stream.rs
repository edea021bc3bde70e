//! Any bytes as a provider's stream: the caller is told an end, and no more than is due.
#![no_main]

use dialect::{chat::Failure, error::ErrorKind, translate::Told};
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{Plan, bound};

fuzz_target!(|input: &[u8]| {
    let Some(plan) = Plan::of(input) else { return };
    for broken_off in [false, true] {
        let mut answering = plan.answering(true);
        let mut told = Vec::new();
        let (first, second) = plan.body.split_at(plan.body.len() / 2);
        for piece in [first, second] {
            told.extend_from_slice(&answering.push(piece));
            if broken_off {
                told.extend_from_slice(&answering.ping());
            }
        }
        told.extend_from_slice(&if broken_off {
            answering.break_off(&Failure {
                kind: ErrorKind::UpstreamFailed,
                message: "it broke off".to_owned(),
                code: None,
                param: None,
            })
        } else {
            answering.finish()
        });
        assert!(answering.is_over());
        assert!(answering.push(plan.body).is_empty() && answering.finish().is_empty());
        assert!(told.len() <= bound(plan.body.len()), "{} bytes told", told.len());
        let text = std::str::from_utf8(&told);
        assert!(text.is_ok(), "what is told is no text");
        check(plan.told, text.unwrap_or_default());
        // Who is told whole hears of a failure by other ways.
        assert_eq!(told.is_empty(), plan.told == Told::Whole && answering.failed().is_some());
    }
});

fn check(told: Told, text: &str) {
    let parsed = |it: &str| serde_json::from_str::<serde_json::Value>(it);
    match told {
        Told::Whole | Told::Array if text.is_empty() => {}
        Told::Whole | Told::Array => assert!(parsed(text).is_ok(), "{text}"),
        Told::Events => {
            for line in text.lines() {
                let fine = match line.split_once(':') {
                    _ if line.is_empty() => true,
                    Some(("data", data)) if data == " [DONE]" => true,
                    Some(("data", data)) => parsed(data).is_ok(),
                    Some(("event" | "", _)) => true,
                    _ => false,
                };
                assert!(fine, "{line}");
            }
        }
    }
}
