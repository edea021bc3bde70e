//! What form a caller wants the answer to have.

use super::{leave, object};
use crate::{
    chat::Format,
    json::{Fields, Json},
    translate::{Notes, Refused},
};

/// Takes `response_format`; `None`: text.
pub(super) fn read(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Option<Format>, Refused> {
    let Some(raw) = fields.take("response_format") else { return Ok(None) };
    let mut fields = object(raw, "response_format")?;
    let kind: String = fields.take_as("type")?.unwrap_or_default();
    let format = match kind.as_str() {
        "text" => None,
        "json_object" => Some(Format::Json),
        "json_schema" => {
            let inner = fields.take("json_schema");
            // Some clients write here what belongs into `text.format` of responses.
            let flat = inner.is_none() && fields.has("schema");
            let inner = inner.unwrap_or(raw);
            let mut inner = object(inner, "response_format.json_schema")?;
            if flat {
                fields = Fields::default();
                inner.take("type");
            }
            Some(schema(inner, notes)?)
        }
        _ => {
            let reason = "must be `text`, `json_object` or `json_schema`";
            return Err(Refused::new("response_format.type", reason));
        }
    };
    leave(fields, "response_format", notes);
    Ok(format)
}

fn schema(mut fields: Fields<'_>, notes: &mut Notes) -> Result<Format, Refused> {
    const NAME: &str = "response_format.json_schema.schema";
    let Some(schema) = fields.take("schema") else {
        return Err(Refused::new(NAME, "is missing"));
    };
    let schema = Json::from(schema);
    if !schema.is_object() {
        return Err(Refused::new(NAME, "must be an object"));
    }
    let format = Format::Schema {
        name: fields.take_as("name")?,
        description: fields.take_as("description")?,
        schema,
        strict: fields.take_as("strict")?,
    };
    leave(fields, "response_format.json_schema", notes);
    Ok(format)
}
