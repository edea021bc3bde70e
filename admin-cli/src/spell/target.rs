//! `ACCOUNT[/MODEL][@WEIGHT]`.

use proto::admin::v1;

/// Reads a target. The first `/` ends the account's name, so a model may hold more of
/// them; only an `@` followed by nothing but digits is a weight.
pub(crate) fn target(text: &str) -> Result<v1::Target, String> {
    let (rest, weight) = match text.rsplit_once('@') {
        Some((rest, digits)) if digits.bytes().all(|it| it.is_ascii_digit()) => {
            let weight = digits.parse::<u32>().ok().filter(|it| *it <= 1_000_000);
            let weight = weight.ok_or_else(|| {
                format!("the weight `{digits}` of `{text}` is not within 0 to 1000000")
            })?;
            (rest, Some(weight))
        }
        Some(_) | None => (text, None),
    };
    let (account, model) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = account.parse::<domain::name::Name>().is_ok()
        || account.parse::<domain::id::AccountId>().is_ok();
    if !is_name || (rest.contains('/') && model.is_empty()) {
        return Err(format!("`{text}` is not written ACCOUNT[/MODEL][@WEIGHT]"));
    }
    Ok(v1::Target { account: account.to_owned(), model: model.to_owned(), weight })
}

/// The opposite of [`target`]; a weight of 1 is left out.
pub(crate) fn target_text(target: &v1::Target) -> String {
    let mut text = target.account.clone();
    if !target.model.is_empty() {
        text = format!("{text}/{}", target.model);
    }
    match target.weight {
        None | Some(1) => text,
        Some(weight) => format!("{text}@{weight}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_name_an_account_and_perhaps_a_model_and_a_weight() {
        let check = |text, account: &str, model: &str, weight| {
            let target = target(text).unwrap();
            assert_eq!(
                (target.account.as_str(), target.model.as_str(), target.weight),
                (account, model, weight),
                "{text}"
            );
            assert_eq!(target_text(&target), text);
        };
        check("main", "main", "", None);
        check("main@0", "main", "", Some(0));
        check("main/gpt-4o", "main", "gpt-4o", None);
        check("main/gpt-4o@3", "main", "gpt-4o", Some(3));
        check("or/meta/llama@v2", "or", "meta/llama@v2", None);
        check("or/meta/llama@v2@7", "or", "meta/llama@v2", Some(7));
    }

    #[test]
    fn what_is_not_a_target_is_refused() {
        for bad in ["", "@3", "/gpt", "main/", "main/@3", "Main", "main@1000001", "main@"] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
