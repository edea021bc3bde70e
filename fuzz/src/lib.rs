//! What the fuzz targets share: the first bytes of an input say who speaks with whom, the
//! rest of it is what is said.
//!
//! Goes through the public doors of `dialect` only.

use dialect::translate::{Answering, Target, Thread, Told, callers_speak, providers_speak};
use domain::catalog::{Dialect, Quirk, Quirks};

/// Bytes before the body.
const HEAD: usize = 4;

/// An input, taken apart. Its first bytes are printable in the seeds.
pub struct Plan<'a> {
    /// Who the provider is.
    pub from: Dialect,
    /// Who the caller is.
    pub to: Dialect,
    /// How the caller is told.
    pub told: Told,
    /// How the provider differs from others, and what the caller asked for.
    pub choice: u8,
    /// The provider's, or the caller's, bytes.
    pub body: &'a [u8],
}

impl<'a> Plan<'a> {
    /// `None`: the input is too short, or names dialects that are not spoken so.
    pub fn of(input: &'a [u8]) -> Option<Self> {
        let (head, body) = input.split_first_chunk::<HEAD>()?;
        let [from, to, told, choice] = head.map(|it| it.wrapping_sub(b'0'));
        let dialect = |byte: u8| Dialect::ALL[usize::from(byte) % Dialect::ALL.len()];
        let (from, to) = (dialect(from), dialect(to));
        let told = [Told::Events, Told::Whole, Told::Array][usize::from(told) % 3];
        // Only Gemini's callers are told in arrays.
        let told = if to == Dialect::Gemini || told != Told::Array { told } else { Told::Events };
        let spoken = providers_speak(from) && callers_speak(to);
        spoken.then_some(Self { from, to, told, choice, body })
    }

    /// A caller who wants to see all that there is, or not.
    pub fn thread(&self) -> Thread {
        let wants = |bit: u8| self.choice & (1 << bit) == 0;
        Thread {
            request: "req_1".to_owned(),
            received_at: 1_700_000_000,
            alias: "alias".to_owned(),
            stream_usage: wants(0),
            thoughts: wants(1),
            wants_opaque: wants(2),
            completion: !wants(3) && self.to == Dialect::OpenAi,
            emulated_format: (!wants(4)).then(|| "get".to_owned()),
            ..Thread::default()
        }
    }

    /// An answer that nothing has come of yet.
    pub fn answering(&self, streamed: bool) -> Answering {
        Answering::new(self.from, streamed, self.to, self.told, self.thread())
    }

    /// A provider with as many of the quirks as the choice has bits.
    pub fn target(&self, dialect: Dialect) -> Target<'static> {
        let chosen = |(at, _): &(usize, Quirk)| self.choice & (1 << (at % 8)) != 0;
        let quirks: Quirks =
            Quirk::ALL.into_iter().enumerate().filter(chosen).map(|(_, it)| it).collect();
        Target {
            dialect,
            model: "upstream-model",
            quirks,
            output_cap_field: "max_completion_tokens",
            max_output: (self.choice & 1 == 0).then_some(8_192),
            output_cap: (self.choice & 2 == 0).then_some(1_024),
        }
    }
}

/// Most bytes that an answer may have become: events repeat ids and names around each piece
/// of text, and some are told several times over.
pub const fn bound(heard: usize) -> usize {
    64 * 1024 + heard.saturating_mul(400)
}

/// Cuts bytes into pieces of lengths that look like chance.
pub fn cut(mut bytes: &[u8], mut chance: u64, mut piece: impl FnMut(&[u8])) {
    while !bytes.is_empty() {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        // Mostly a few bytes, now and then many, and sometimes none.
        let longest = if chance >> 60 == 0 { 200 } else { 9 };
        let length = usize::try_from((chance >> 33) % longest).unwrap_or(1).min(bytes.len());
        let (now, later) = bytes.split_at(length);
        piece(now);
        bytes = later;
    }
}
