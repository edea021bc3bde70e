//! However a provider's stream is cut, the caller gets the same bytes and we see the same.
#![no_main]

use bytes::Bytes;
use dialect::{
    aws_stream::{Content, Reframing},
    relay::Relay,
    translate::{Answering, First},
};
use domain::{
    catalog::{Dialect, Operation},
    tokens::Tokens,
};
use libfuzzer_sys::fuzz_target;
use sluice_fuzz::{Plan, cut};

fuzz_target!(|input: &[u8]| {
    let Some(plan) = Plan::of(input) else { return };
    let chance = plan
        .body
        .iter()
        .fold(u64::from(plan.choice), |sum, it| sum.wrapping_mul(31).wrapping_add(u64::from(*it)));
    let cuts = [chance, !chance];
    let whole = translated(&plan, |push| push(plan.body));
    assert_eq!(translated(&plan, |push| plan.body.chunks(1).for_each(push)), whole);
    for chance in cuts {
        assert_eq!(translated(&plan, |push| cut(plan.body, chance, push)), whole);
    }
    for hide in [false, true] {
        let whole = relayed(plan.from, hide, |push| push(plan.body));
        for chance in cuts {
            assert_eq!(relayed(plan.from, hide, |push| cut(plan.body, chance, push)), whole);
        }
        assert!(hide || whole.0 == plan.body);
    }
    for content in [|| Content::Converse, || Content::Anthropic] {
        let whole = reframed(content(), |push| push(plan.body));
        for chance in cuts {
            assert_eq!(reframed(content(), |push| cut(plan.body, chance, push)), whole);
        }
    }
});

type Push<'a> = &'a mut dyn FnMut(&[u8]);

fn translated(
    plan: &Plan<'_>,
    feed: impl FnOnce(Push<'_>),
) -> (Vec<u8>, Option<Tokens>, First, u64) {
    let mut answering: Answering = plan.answering(true);
    let mut told = Vec::new();
    feed(&mut |piece| told.extend_from_slice(&answering.push(piece)));
    told.extend_from_slice(&answering.finish());
    assert!(answering.is_over());
    (told, answering.usage(), answering.first(), answering.output_estimate())
}

fn relayed(dialect: Dialect, hide: bool, feed: impl FnOnce(Push<'_>)) -> (Vec<u8>, String) {
    let mut relay = Relay::new(dialect, Operation::Chat, true, hide);
    let mut told = Vec::new();
    feed(&mut |piece| told.extend_from_slice(&relay.push(Bytes::copy_from_slice(piece))));
    told.extend_from_slice(&relay.finish());
    (told, format!("{:?}", relay.seen()))
}

fn reframed(content: Content, feed: impl FnOnce(Push<'_>)) -> (Vec<u8>, bool) {
    let mut reframing = Reframing::new(content);
    let (mut told, mut fine) = (Vec::new(), true);
    feed(&mut |piece| fine = fine && reframing.push(piece, &mut told).is_ok());
    (told, fine && reframing.finish().is_ok())
}
