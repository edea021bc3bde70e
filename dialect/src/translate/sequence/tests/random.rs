//! Whatever a provider says in whatever order, what callers are told is strict, and
//! nothing of it is lost.

use super::*;
use proptest::prelude::*;

/// Breaks unless the steps are in the order that [`crate::chat::event`] says, and each
/// whole is what its pieces were.
#[track_caller]
pub(super) fn assert_strict(steps: &[Step]) {
    let mut blocks: BTreeMap<u32, Checked> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        assert_eq!(matches!(step, Step::Start(_)), at == 0, "start at {at}");
        let terminal = matches!(step, Step::End { .. } | Step::Failed(_));
        assert_eq!(terminal, at == steps.len() - 1, "terminal at {at} of {}", steps.len());
        match step {
            Step::Open { choice, index, block } => {
                let checked = blocks.entry(*choice).or_default();
                assert!(checked.open.is_none() && !checked.stopped, "{step:?}");
                assert_eq!(*index, checked.blocks);
                if let Block::Call { number, id, name, .. } = block {
                    assert_eq!(*number, checked.calls);
                    assert!(!id.is_empty() && !name.is_empty());
                    checked.calls += 1;
                }
                checked.open = Some((block.clone(), String::new(), None));
            }
            Step::Delta { choice, index, delta } => {
                let checked = blocks.get_mut(choice).unwrap();
                assert_eq!(*index, checked.blocks);
                let (block, text, state) = checked.open.as_mut().unwrap();
                assert!(state.is_none(), "behind the state: {step:?}");
                match (&*block, delta) {
                    (Block::Text, Delta::Text { text: more, logprobs }) => {
                        assert!(!more.is_empty() || logprobs.is_some());
                        text.push_str(more);
                    }
                    (Block::Text, Delta::Cite(_)) => {}
                    (Block::Refusal, Delta::Refusal(more))
                    | (Block::Thinking, Delta::Thinking(more))
                    | (Block::Call { .. }, Delta::Input(more)) => {
                        assert!(!more.is_empty());
                        text.push_str(more);
                    }
                    (Block::Thinking, Delta::State(opaque)) => *state = Some(opaque.clone()),
                    (block, delta) => panic!("{delta:?} in {block:?}"),
                }
            }
            Step::Close { choice, index, whole } => {
                let checked = blocks.get_mut(choice).unwrap();
                assert_eq!(*index, checked.blocks);
                let (block, text, state) = checked.open.take().unwrap();
                assert_whole(&block, &text, state.as_ref(), whole);
                checked.blocks += 1;
            }
            Step::Stop { choice, stop } => {
                let checked = blocks.entry(*choice).or_default();
                assert!(checked.open.is_none() && !checked.stopped);
                assert!(*stop != Stop::End || checked.calls == 0);
                assert!(*stop != Stop::Calls || checked.calls > 0);
                checked.stopped = true;
            }
            Step::End { .. } => {
                assert!(!blocks.is_empty() && blocks.values().all(|it| it.stopped));
            }
            Step::Start(_) | Step::Ping | Step::Failed(_) => {}
        }
    }
}

#[derive(Default)]
struct Checked {
    blocks: u32,
    calls: u32,
    open: Option<(Block, String, Option<Opaque>)>,
    stopped: bool,
}

#[track_caller]
fn assert_whole(block: &Block, text: &str, state: Option<&Opaque>, whole: &Part) {
    match (block, &whole.content) {
        (Block::Text, Content::Text(it)) => assert_eq!(it.text, text),
        (Block::Refusal, Content::Refusal(it)) => assert_eq!(it, text),
        (Block::Thinking, Content::Thinking(it)) => {
            assert_eq!((it.text.as_str(), it.opaque.as_ref(), it.redacted), (text, state, false));
        }
        (Block::Redacted(opaque), Content::Thinking(it)) => {
            assert!(it.redacted && it.opaque.as_ref() == Some(opaque) && it.text.is_empty());
        }
        (Block::Call { id, name, namespace, custom, .. }, Content::Call(it)) => {
            assert_eq!((&it.id, &it.name, &it.namespace), (id, name, namespace));
            match &it.input {
                CallInput::Json(json) => assert!(!custom && json.as_str() == text),
                CallInput::Text(whole) => assert_eq!(whole, text),
            }
        }
        (block, content) => panic!("{content:?} closes {block:?}"),
    }
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![2 => "[a-z é]{1,5}", 1 => Just(String::new())]
}

fn event() -> impl Strategy<Value = Event> {
    let choice = || prop_oneof![4 => Just(0u32), 1 => Just(1)];
    let slot = || 0..3u64;
    let id = prop_oneof![Just(""), Just("a"), Just("b")];
    let name = prop_oneof![6 => Just("f"), 2 => Just("g"), 1 => Just("")];
    let piece = prop_oneof![
        4 => "[{}\\[\\]\",:a1\\\\]{0,4}",
        1 => Just("{\"x\":1}".to_owned()),
        1 => Just("{}".to_owned()),
        1 => Just("null".to_owned()),
    ];
    prop_oneof![
        8 => (choice(), words()).prop_map(|(choice, text)| Event::Text { choice, text, logprobs: None }),
        2 => (choice(), words()).prop_map(|(choice, text)| Event::Refusal { choice, text }),
        4 => (choice(), words()).prop_map(|(choice, text)| Event::Thinking { choice, text }),
        2 => (choice(), any::<bool>()).prop_map(|(choice, redacted)| {
            Event::ThinkingState { choice, opaque: opaque("s"), redacted }
        }),
        6 => (choice(), slot(), id, name, any::<bool>()).prop_map(|(choice, slot, id, name, custom)| {
            let (id, name, namespace, opaque) = (id.to_owned(), name.to_owned(), None, None);
            Event::CallStart { choice, slot, id, name, namespace, custom, opaque }
        }),
        12 => (choice(), slot(), piece).prop_map(|(choice, slot, text)| Event::CallInput { choice, slot, text }),
        2 => (choice(), slot()).prop_map(|(choice, slot)| Event::CallEnd { choice, slot }),
        3 => choice().prop_map(|choice| Event::BlockEnd { choice }),
        1 => choice().prop_map(|choice| Event::Stop { choice, stop: Stop::End }),
        1 => choice().prop_map(|choice| Event::Stop { choice, stop: Stop::Calls }),
        1 => Just(Event::Ping),
        1 => Just(Event::Usage(Tokens::default())),
        1 => Just(Event::Start(Start { id: "x".to_owned(), ..Start::default() })),
    ]
}

/// All words of one answer, in their order, but for calls.
fn words_said(events: &[Event]) -> BTreeMap<u32, String> {
    let mut said: BTreeMap<u32, String> = BTreeMap::new();
    for event in events {
        if let Event::Text { choice, text, .. }
        | Event::Refusal { choice, text }
        | Event::Thinking { choice, text } = event
        {
            said.entry(*choice).or_default().push_str(text);
        }
    }
    said.retain(|_, text| !text.is_empty());
    said
}

fn words_told(steps: &[Step]) -> BTreeMap<u32, String> {
    let mut told: BTreeMap<u32, String> = BTreeMap::new();
    for step in steps {
        if let Step::Delta {
            choice,
            delta: Delta::Text { text, .. } | Delta::Refusal(text) | Delta::Thinking(text),
            ..
        } = step
        {
            told.entry(*choice).or_default().push_str(text);
        }
    }
    told
}

/// Calls that go by without starts in between: a provider that tells slots apart.
fn orderly() -> impl Strategy<Value = (Vec<Vec<String>>, Vec<usize>)> {
    let call = prop::collection::vec("[a-z]{0,3}", 0..5);
    let calls = prop::collection::vec(call, 1..5);
    (calls, prop::collection::vec(0..5usize, 0..40))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Bug 9 of the list: blocks without a start or a stop, and gaps in their numbers.
    #[test]
    fn whatever_is_said_is_told_in_strict_order(
        events in prop::collection::vec(event(), 0..40),
        ended in any::<bool>(),
    ) {
        let end = ended.then_some(Event::End);
        let steps = steps(events.clone().into_iter().chain(end));
        assert_strict(&steps);
        if matches!(steps.last(), Some(Step::End { .. })) {
            prop_assert_eq!(words_told(&steps), words_said(&events));
        }
    }

    #[test]
    fn calls_are_told_whole_however_their_pieces_come((calls, order) in orderly()) {
        let mut left: Vec<_> = calls.iter().map(|it| it.iter()).collect();
        let mut events: Vec<_> = (0..calls.len()).map(|it| call(it as u64, "", "f")).collect();
        let mut push = |slot: usize, text: &str| events.push(input(slot as u64, text));
        // An array in a string, so that its end is only seen at its end.
        (0..calls.len()).for_each(|slot| push(slot, "{\"x\":\""));
        for slot in order.into_iter().filter(|it| *it < calls.len()) {
            if let Some(piece) = left[slot].next() {
                push(slot, piece);
            }
        }
        for (slot, rest) in left.into_iter().enumerate() {
            rest.for_each(|piece| push(slot, piece));
            push(slot, "\"}");
        }
        events.push(stop(Stop::End));
        let steps = steps(events);
        assert_strict(&steps);
        let wholes: Vec<_> = steps.iter().filter_map(|it| if let Step::Close { whole, .. } = it { Some(whole_text(whole)) } else { None }).collect();
        let expected: Vec<_> = calls.iter().map(|it| format!("{{\"x\":\"{}\"}}", it.concat())).collect();
        prop_assert_eq!(wholes, expected);
    }
}
