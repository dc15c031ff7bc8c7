//! The words in which an operation is described.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// A parameter of a query or of a form.
pub struct Field {
    name: &'static str,
    description: Cow<'static, str>,
    schema: Value,
    required: bool,
}

/// A parameter that is text.
pub fn field(name: &'static str, description: impl Into<Cow<'static, str>>) -> Field {
    Field { name, description: description.into(), schema: json!({ "type": "string" }), required: false }
}

impl Field {
    /// It has to be there.
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// It may come several times.
    pub fn repeated(self) -> Self {
        Self { schema: json!({ "type": "array", "items": self.schema }), ..self }
    }

    /// It is one of these.
    pub fn one_of(self, values: &[&str]) -> Self {
        Self { schema: json!({ "type": "string", "enum": values }), ..self }
    }
}

/// What comes back with one status.
#[derive(Clone, Copy)]
pub enum Answer {
    /// JSON of this schema.
    Json(&'static str),
    /// The same, or a token of it.
    JsonOrToken(&'static str),
    /// An OAuth error.
    Refused,
    /// A page.
    Page,
    /// Another address.
    Redirect,
    /// A file that pages load.
    File,
    /// Nothing.
    Empty,
}

/// An operation, for `paths`.
pub struct Operation(Map<String, Value>);

/// With these answers, and those that everything gives when there is too much to do. `tag`: whose it is, `protocol` or `pages`.
pub fn operation(tag: &str, id: &str, summary: &str, answers: &[(&str, Answer)]) -> Operation {
    let plumbing = [("429", None), ("503", None)];
    let answers = answers.iter().map(|(status, answer)| (*status, Some(*answer)));
    let responses: Map<String, Value> =
        answers.chain(plumbing).map(|(status, answer)| (status.to_owned(), response(status, answer))).collect();
    let members = json!({ "operationId": id, "summary": summary, "tags": [tag], "responses": responses });
    Operation(match members {
        Value::Object(members) => members,
        _ => Map::new(),
    })
}

impl Operation {
    /// What its query may hold.
    pub fn query(self, fields: &[Field]) -> Self {
        self.addressed("query", fields)
    }

    /// What its path holds.
    pub fn path(self, fields: &[Field]) -> Self {
        self.addressed("path", fields)
    }

    fn addressed(self, place: &str, fields: &[Field]) -> Self {
        let parameters: Vec<Value> = fields.iter().map(|field| parameter(field, place)).collect();
        // What no reader of HTTP takes in any more (RFC 9110 §15.5.15, RFC 6585 §5).
        self.member("parameters", json!(parameters))
            .responds("414", Some(Answer::Empty))
            .responds("431", Some(Answer::Empty))
    }

    /// The form that it takes.
    pub fn form(self, fields: &[Field]) -> Self {
        let properties: Map<String, Value> = fields
            .iter()
            .map(|field| {
                let mut schema = field.schema.clone();
                if let Value::Object(members) = &mut schema {
                    members.insert("description".to_owned(), json!(field.description));
                }
                (field.name.to_owned(), schema)
            })
            .collect();
        let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let mut schema = json!({ "type": "object", "properties": properties });
        if let Value::Object(members) = &mut schema
            && !required.is_empty()
        {
            members.insert("required".to_owned(), json!(required));
        }
        let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
        self.member("requestBody", json!({ "required": true, "content": content }))
            .responds("408", None)
            .responds("413", None)
    }

    /// The JSON of this schema that it takes.
    pub fn json(self, schema: &str) -> Self {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        let content = json!({ "application/json": { "schema": schema } });
        self.member("requestBody", json!({ "required": true, "content": content }))
            .responds("408", None)
            .responds("413", None)
    }

    /// Whose credentials it takes: one of these.
    pub fn security(self, schemes: &[&str]) -> Self {
        let schemes: Vec<Value> =
            schemes.iter().map(|scheme| if scheme.is_empty() { json!({}) } else { json!({ *scheme: [] }) }).collect();
        self.member("security", json!(schemes))
    }

    fn member(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    fn responds(mut self, status: &str, answer: Option<Answer>) -> Self {
        if let Some(Value::Object(responses)) = self.0.get_mut("responses") {
            responses.entry(status).or_insert_with(|| response(status, answer));
        }
        self
    }
}

/// The operations of an address, by method.
pub fn path(address: &str, operations: impl IntoIterator<Item = (&'static str, Operation)>) -> (String, Value) {
    let operations: Map<String, Value> =
        operations.into_iter().map(|(method, operation)| (method.to_owned(), Value::Object(operation.0))).collect();
    (address.to_owned(), Value::Object(operations))
}

fn parameter(field: &Field, place: &str) -> Value {
    json!({
        "name": field.name, "in": place, "description": field.description, "schema": field.schema,
        "required": field.required || place == "path",
    })
}

/// None: what is answered before an endpoint is reached, in the form that the request accepts (web/refusal.rs).
fn response(status: &str, answer: Option<Answer>) -> Value {
    let error = json!({ "schema": { "$ref": "#/components/schemas/Error" } });
    let html = json!({ "schema": { "type": "string" } });
    let text = json!({ "schema": { "type": "string" } });
    let content = match answer {
        Some(Answer::Json(schema)) => {
            json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
        }
        Some(Answer::JsonOrToken(schema)) => json!({
            "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } },
            "application/jwt": text,
        }),
        Some(Answer::Refused) => json!({ "application/json": error }),
        Some(Answer::Page) => json!({ "text/html": html }),
        Some(Answer::File) => json!({ "text/css": text, "image/svg+xml": text }),
        Some(Answer::Redirect | Answer::Empty) => Value::Null,
        None => json!({ "application/json": error, "text/html": html }),
    };
    let mut members = Map::new();
    members.insert("description".to_owned(), json!(meaning(status)));
    if !content.is_null() {
        members.insert("content".to_owned(), content);
    }
    let headers = match (status, answer) {
        (_, Some(Answer::Redirect)) => json!({ "Location": header("Where to go on.", true) }),
        // RFC 6749 §5.2: after an Authorization header, of its scheme. RFC 6750 §3.
        ("401", _) => json!({ "WWW-Authenticate": header("The scheme to come with.", false) }),
        ("429" | "503", None) => json!({ "Retry-After": header("Seconds to wait.", true) }),
        _ => Value::Null,
    };
    if !headers.is_null() {
        members.insert("headers".to_owned(), headers);
    }
    Value::Object(members)
}

fn header(description: &str, required: bool) -> Value {
    json!({ "description": description, "required": required, "schema": { "type": "string" } })
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" => "Done.",
        "201" => "Registered.",
        "204" => "Gone.",
        "303" => "Go on there, with GET.",
        "304" => "As before.",
        "400" => "The request is wrong.",
        "401" => "The credentials are missing or not good.",
        "403" => "Not allowed.",
        "404" => "There is no such thing.",
        "408" => "The request did not arrive in time.",
        "413" | "414" | "431" => "The request is too large.",
        "422" => "What was filled in is not right.",
        "429" => "Too many requests.",
        _ => "Not now: ask again.",
    }
}
