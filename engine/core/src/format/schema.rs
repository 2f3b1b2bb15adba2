//! The JSON Schema of the file, for editors.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

use super::Workflow;

/// The JSON Schema (2020-12) of a workflow file.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().with_transform(ForAuthors).into_generator();
    let mut schema = generator.into_root_schema_for::<Workflow>();
    // What the file is comes first.
    let mut ordered = Map::new();
    for key in ["$schema", "title", "description"] {
        if let Some(value) = schema.remove(key) {
            ordered.insert(key.into(), value);
        }
    }
    if let Value::Object(rest) = Value::from(schema) {
        ordered.extend(rest);
    }
    Value::Object(ordered)
}

/// Makes of what describes the types what helps an author.
#[derive(Clone, Debug)]
struct ForAuthors;

impl Transform for ForAuthors {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(keys) = schema.as_object_mut() else { return };
        // That the engine never writes a key says nothing to who writes it.
        keys.shift_remove("writeOnly");
        if let Some(Value::String(description)) = keys.get_mut("description") {
            *description = description.replace('\n', " ");
        }
        never_null(keys);
    }
}

/// Takes away the `null` that optional fields would have: a key is left out or has a value.
fn never_null(keys: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = keys.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            keys.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = keys.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            keys.shift_remove("anyOf");
            keys.extend(only);
        }
    }
}
