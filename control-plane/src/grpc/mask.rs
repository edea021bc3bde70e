//! Field masks: which fields of an update replace the stored ones.
//!
//! Knows wire messages as values with named fields, and nothing of what they mean.

use prost_types::FieldMask;
use proto::convert::Invalid;

/// A field that an update can replace.
pub(super) struct Field<T> {
    /// Its path, as the mask writes it.
    pub(super) path: &'static str,
    /// Whether the message sets it.
    pub(super) is_set: fn(&T) -> bool,
    /// Takes it over.
    pub(super) copy: fn(&mut T, &T),
}

/// A table of [`Field`]s of one message, `field` or `field.part`.
macro_rules! fields {
    ($message:ty: $($name:ident $(. $part:ident)?),+ $(,)?) => {
        &[$($crate::grpc::mask::field!($message, $name $(. $part)?)),+]
    };
}

macro_rules! field {
    ($message:ty, $name:ident) => {
        $crate::grpc::mask::Field::<$message> {
            path: stringify!($name),
            is_set: |it| $crate::grpc::mask::is_set(&it.$name),
            copy: |to, from| to.$name.clone_from(&from.$name),
        }
    };
    ($message:ty, $name:ident . $part:ident) => {
        $crate::grpc::mask::Field::<$message> {
            path: concat!(stringify!($name), ".", stringify!($part)),
            is_set: |it| it.$name.as_ref().is_some_and(|it| $crate::grpc::mask::is_set(&it.$part)),
            copy: |to, from| {
                let part = from.$name.as_ref().map(|it| it.$part.clone()).unwrap_or_default();
                to.$name.get_or_insert_default().$part = part;
            },
        }
    };
}

pub(super) use {field, fields};

/// Whether a field of a proto3 message is set: it is not what it is when left out.
pub(super) fn is_set<T: Default + PartialEq>(value: &T) -> bool {
    *value != T::default()
}

/// The paths that an update replaces: those of the mask, or with none those that
/// are set. `*` stands for all; the path of a message for each of its parts.
///
/// # Errors
/// Every path that cannot be replaced, and which ones can.
pub(super) fn chosen<'a, T>(
    fields: &'a [Field<T>],
    from: &T,
    mask: Option<&FieldMask>,
) -> Result<Vec<&'a Field<T>>, Vec<Invalid>> {
    let paths = mask.map(|it| it.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        return Ok(fields.iter().filter(|it| (it.is_set)(from)).collect());
    }
    let mut wrong = Vec::new();
    let mut chosen: Vec<&Field<T>> = Vec::new();
    for path in paths {
        let before = chosen.len();
        chosen.extend(fields.iter().filter(|it| covers(path, it.path)));
        if chosen.len() == before {
            let known: Vec<_> = fields.iter().map(|it| it.path).collect();
            let path: String = path.chars().take(80).collect();
            let reason = format!("`{path}` cannot be updated: use {}", known.join(", "));
            wrong.push(Invalid::new("update_mask", reason));
        }
    }
    if wrong.is_empty() { Ok(chosen) } else { Err(wrong) }
}

fn covers(asked: &str, path: &str) -> bool {
    asked == "*"
        || path == asked
        || path.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::admin::v1::{Account, ClientSettings};

    const FIELDS: &[Field<Account>] =
        fields!(Account: credential, disabled, client.idle_timeout_ms, client.extra_headers);

    fn update(mask: &[&str]) -> Result<Account, Vec<Invalid>> {
        let client = ClientSettings { idle_timeout_ms: 7, ..Default::default() };
        let from = Account { disabled: true, client: Some(client), ..Default::default() };
        let mut to = Account { credential: "old".into(), ..Default::default() };
        let mask = FieldMask { paths: mask.iter().map(ToString::to_string).collect() };
        for field in chosen(FIELDS, &from, Some(&mask))? {
            (field.copy)(&mut to, &from);
        }
        Ok(to)
    }

    #[test]
    fn without_a_mask_what_is_set_is_taken() {
        let to = update(&[]).unwrap();
        assert!(to.disabled && to.credential == "old");
        assert_eq!(to.client.unwrap().idle_timeout_ms, 7);
    }

    #[test]
    fn a_mask_takes_what_it_names_set_or_not() {
        let to = update(&["credential"]).unwrap();
        assert!(!to.disabled && to.credential.is_empty() && to.client.is_none());
        let to = update(&["client"]).unwrap();
        assert!(!to.disabled && to.client.unwrap().idle_timeout_ms == 7);
        let to = update(&["*"]).unwrap();
        assert!(to.disabled && to.credential.is_empty());
    }

    #[test]
    fn unknown_paths_are_all_named() {
        let wrong = update(&["name", "disabled", "nonsense"]).unwrap_err();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].reason.contains("`name`") && wrong[1].reason.contains("`nonsense`"));
        assert!(wrong[0].reason.contains("client.idle_timeout_ms"));
    }
}
