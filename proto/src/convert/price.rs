//! What tokens of a model cost.

use super::Wrong;
use crate::admin::v1;
use domain::catalog::Price;

/// A million dollars per million tokens, in nano-dollars: dearer is a slip of the pen.
const MOST_NANOUSD: u64 = 1_000_000_000_000_000;

/// A price of the wire: what is said of no kind of input is as other input.
pub(super) fn price_from(wire: &v1::Price, wrong: &mut Wrong) -> Price {
    let mut read = |field: &str, nanousd: u64| {
        if MOST_NANOUSD < nanousd {
            let reason = format!("must be at most {MOST_NANOUSD} nano-dollars per million tokens");
            wrong.add(format!("price.{field}"), reason);
        }
        nanousd
    };
    let input = read("input_nanousd", wire.input_nanousd);
    Price {
        input,
        cached_input: read(
            "cached_input_nanousd",
            wire.cached_input_nanousd.unwrap_or(wire.input_nanousd),
        ),
        cache_write: read(
            "cache_write_nanousd",
            wire.cache_write_nanousd.unwrap_or(wire.input_nanousd),
        ),
        output: read("output_nanousd", wire.output_nanousd),
    }
}

/// A price for the wire.
pub(super) const fn price_to(price: Price) -> v1::Price {
    v1::Price {
        input_nanousd: price.input,
        cached_input_nanousd: Some(price.cached_input),
        cache_write_nanousd: Some(price.cache_write),
        output_nanousd: price.output,
    }
}
