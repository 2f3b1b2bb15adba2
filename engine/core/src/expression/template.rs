//! JSON and text with expressions in them.

use super::Expression;
use super::budget::{self, Budget};
use super::failure::{EvaluationError, EvaluationErrorKind, ExpressionError, TemplateError, line_and_column};
use super::natives::format::percent_encode;
use super::scan::{self, Piece};
use super::value::{Array, Entries, MAX_VALUE_DEPTH, Object, Value, ValueError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// JSON with expressions in its strings.
///
/// A string that is exactly one expression stands for that expression's value. In a longer string
/// expressions are put in as text: strings as they are, everything else as JSON. Keys of objects
/// are literal. `$${` is a literal `${`.
#[derive(Clone, Debug)]
pub struct Template(Arc<Node>);

#[derive(Debug)]
enum Node {
    /// JSON without any expression.
    Constant(Value),
    /// A string with expressions.
    Text(Text),
    Array(Vec<Node>),
    Object(Vec<(Arc<str>, Node)>),
}

/// A string with at least one expression.
#[derive(Debug)]
struct Text {
    pointer: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Expression(Expression),
}

/// How values are put into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// As (parts of) segments of a path: percent-encoded, so that they cannot become further
    /// segments, and neither a segment that is empty, `.` or `..`.
    PathSegment,
}

impl Template {
    /// Compiles JSON.
    pub fn compile(json: &serde_json::Value, roots: &[&str]) -> Result<Self, TemplateError> {
        let node = Compiler { roots }.json(json, String::new(), MAX_VALUE_DEPTH)?;
        Ok(Self(Arc::new(node)))
    }

    /// Compiles one string.
    pub fn compile_text(text: &str, roots: &[&str]) -> Result<Self, TemplateError> {
        let node = Compiler { roots }.text(text, String::new())?;
        Ok(Self(Arc::new(node)))
    }

    /// The JSON with the values of its expressions. All expressions share one budget.
    pub fn render(&self, document: &Value) -> Result<Value, EvaluationError> {
        let value = Renderer::new(document).node(&self.0)?;
        if value.depth() > MAX_VALUE_DEPTH {
            let message = "what it makes is nested too deeply";
            let kind = EvaluationErrorKind::Error;
            return Err(EvaluationError::new(kind, "", 0, message));
        }
        Ok(value)
    }

    /// The text with the values of its expressions: strings, numbers and booleans. Null, arrays
    /// and objects are errors.
    pub fn render_text(&self, document: &Value, encoding: Encoding) -> Result<String, EvaluationError> {
        match &*self.0 {
            Node::Text(text) => Renderer::new(document).strict_text(text, encoding),
            Node::Constant(Value::String(text)) => Ok(text.to_string()),
            Node::Constant(scalar @ (Value::Bool(_) | Value::Number(_))) => {
                Ok(String::from_utf8_lossy(&scalar.to_vec()).into_owned())
            }
            other => {
                let kind = EvaluationErrorKind::NotText;
                let message = format!("a text is needed, not {}", other.type_name());
                Err(EvaluationError::new(kind, "", 0, message))
            }
        }
    }

    /// The names read as `.steps.NAME`.
    pub fn steps(&self) -> BTreeSet<String> {
        self.names(Expression::steps)
    }

    /// The fixed names read as `.input.NAME`.
    pub fn inputs(&self) -> BTreeSet<String> {
        self.names(Expression::inputs)
    }

    /// The first names read: `input`, `steps`, …
    pub fn roots(&self) -> BTreeSet<String> {
        self.names(Expression::roots)
    }

    /// Whether there is no expression in it.
    pub fn is_constant(&self) -> bool {
        matches!(*self.0, Node::Constant(_))
    }

    /// The expressions, in the order in which they are evaluated.
    pub fn expressions(&self) -> Vec<&Expression> {
        let mut expressions = Vec::new();
        self.0.visit(&mut |expression| expressions.push(expression));
        expressions
    }

    fn names(&self, of: fn(&Expression) -> &BTreeSet<String>) -> BTreeSet<String> {
        let expressions = self.expressions();
        expressions.into_iter().flat_map(of).cloned().collect()
    }
}

impl Node {
    fn visit<'n>(&'n self, see: &mut impl FnMut(&'n Expression)) {
        match self {
            Self::Constant(_) => {}
            Self::Text(text) => {
                for part in &text.parts {
                    if let Part::Expression(expression) = part {
                        see(expression);
                    }
                }
            }
            Self::Array(items) => items.iter().for_each(|item| item.visit(see)),
            Self::Object(entries) => entries.iter().for_each(|(_, value)| value.visit(see)),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Constant(value) => value.type_name(),
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    fn constant(&self) -> Option<&Value> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }
}

struct Compiler<'r> {
    roots: &'r [&'r str],
}

impl Compiler<'_> {
    fn json(&self, json: &serde_json::Value, pointer: String, depth: u32) -> Result<Node, TemplateError> {
        use serde_json::Value as Json;
        let inner = || {
            let depth = depth.checked_sub(1);
            depth.ok_or_else(|| refusal(&pointer, ValueError::TooDeep.to_string()))
        };
        match json {
            Json::String(text) => self.text(text, pointer),
            Json::Array(items) => {
                let depth = inner()?;
                let items = items.iter().enumerate();
                let nodes = items
                    .map(|(place, item)| self.json(item, format!("{pointer}/{place}"), depth))
                    .collect::<Result<Vec<_>, _>>()?;
                let constants = nodes.iter().map(|node| node.constant().cloned());
                Ok(match constants.collect::<Option<Vec<_>>>() {
                    Some(items) => Node::Constant(Value::Array(Arc::new(Array::new(items)))),
                    None => Node::Array(nodes),
                })
            }
            Json::Object(entries) => {
                let depth = inner()?;
                let mut nodes = Vec::new();
                for (key, value) in entries {
                    let step = key.replace('~', "~0").replace('/', "~1");
                    let node = self.json(value, format!("{pointer}/{step}"), depth)?;
                    nodes.push((Arc::from(key.as_str()), node));
                }
                let constants = nodes.iter().map(|(key, node)| Some((Arc::clone(key), node.constant()?.clone())));
                Ok(match constants.collect::<Option<Entries>>() {
                    Some(entries) => Node::Constant(Value::Object(Arc::new(Object::new(entries)))),
                    None => Node::Object(nodes),
                })
            }
            scalar => match Value::from_json(scalar) {
                Ok(value) => Ok(Node::Constant(value)),
                Err(error) => Err(refusal(&pointer, error.to_string())),
            },
        }
    }

    fn text(&self, text: &str, pointer: String) -> Result<Node, TemplateError> {
        let pieces = scan::split(text).map_err(|error| located(&pointer, text, 0, error))?;
        let mut parts = Vec::new();
        for piece in pieces {
            parts.push(match piece {
                Piece::Text(literal) => Part::Literal(literal),
                Piece::Expression(place) => {
                    let start = place.start;
                    let source = text.get(place).unwrap_or_default();
                    let expression = self.expression(source);
                    Part::Expression(expression.map_err(|error| located(&pointer, text, start, error))?)
                }
            });
        }
        Ok(match parts.as_slice() {
            [] => Node::Constant(Value::string("")),
            [Part::Literal(literal)] => Node::Constant(Value::string(literal)),
            _ => Node::Text(Text { pointer, parts }),
        })
    }

    fn expression(&self, source: &str) -> Result<Expression, ExpressionError> {
        let trimmed = source.trim_start();
        for kind in ["secret", "env"] {
            let reference = trimmed.strip_prefix(kind);
            if reference.is_some_and(|rest| rest.trim_start().starts_with(':')) {
                let offset = source.len() - trimmed.len();
                let message = format!("`${{{kind}:…}}` is allowed only in headers, auth and URLs of services");
                return Err(ExpressionError::new(source, offset, message));
            }
        }
        Expression::compile(source, self.roots)
    }
}

fn refusal(pointer: &str, message: String) -> TemplateError {
    TemplateError { pointer: pointer.to_owned(), offset: 0, line: 1, column: 1, message }
}

/// An error of an expression that starts somewhere in a string.
fn located(pointer: &str, text: &str, start: usize, error: ExpressionError) -> TemplateError {
    let offset = start + error.offset;
    let (line, column) = line_and_column(text, offset);
    TemplateError { pointer: pointer.to_owned(), offset, line, column, message: error.message }
}

struct Renderer<'d> {
    document: &'d Value,
    budget: Budget,
}

impl<'d> Renderer<'d> {
    fn new(document: &'d Value) -> Self {
        Self { document, budget: Budget::new(budget::UNITS) }
    }

    fn evaluate(&self, text: &Text, expression: &Expression) -> Result<Value, EvaluationError> {
        expression.evaluate_within(self.document, &self.budget).map_err(|error| error.in_template(&text.pointer))
    }

    fn node(&self, node: &Node) -> Result<Value, EvaluationError> {
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Text(text) => self.text(text),
            Node::Array(items) => {
                let items = items.iter().map(|item| self.node(item));
                Ok(Value::array(items.collect::<Result<Vec<_>, _>>()?))
            }
            Node::Object(entries) => {
                let entries = entries.iter().map(|(key, node)| Ok((Arc::clone(key), self.node(node)?)));
                let entries = entries.collect::<Result<Entries, EvaluationError>>()?;
                Ok(Value::Object(Arc::new(Object::new(entries))))
            }
        }
    }

    fn text(&self, text: &Text) -> Result<Value, EvaluationError> {
        if let [Part::Expression(expression)] = text.parts.as_slice() {
            return self.evaluate(text, expression);
        }
        let mut rendered = String::new();
        for part in &text.parts {
            match part {
                Part::Literal(literal) => rendered.push_str(literal),
                Part::Expression(expression) => match self.evaluate(text, expression)? {
                    Value::String(value) => rendered.push_str(&value),
                    other => other.write_json(&mut rendered),
                },
            }
        }
        Ok(Value::string(rendered))
    }

    fn strict_text(&self, text: &Text, encoding: Encoding) -> Result<String, EvaluationError> {
        let mut rendered = String::new();
        // The first expression that stands in the current segment of the path, if any does.
        let mut in_segment: Option<&Expression> = None;
        // Neither the query nor the fragment is made of segments.
        let mut in_path = encoding == Encoding::PathSegment;
        for part in &text.parts {
            match part {
                Part::Literal(literal) => {
                    if let Some(end) = literal.find(['/', '?', '#']) {
                        rendered.push_str(literal.get(..end).unwrap_or_default());
                        check_segment(text, in_segment.take(), &rendered)?;
                        rendered.push_str(literal.get(end..).unwrap_or_default());
                        in_path &= !literal.contains(['?', '#']);
                    } else {
                        rendered.push_str(literal);
                    }
                }
                Part::Expression(expression) => {
                    let value = self.evaluate(text, expression)?;
                    let value = scalar_text(text, expression, &value)?;
                    rendered.push_str(&match encoding {
                        Encoding::Plain => value,
                        Encoding::PathSegment => percent_encode(&value),
                    });
                    if in_path {
                        in_segment = in_segment.or(Some(expression));
                    }
                }
            }
        }
        check_segment(text, in_segment, &rendered)?;
        Ok(rendered)
    }
}

/// Refuses a last segment that would make the path another one, if an expression stands in it.
fn check_segment(text: &Text, expression: Option<&Expression>, path: &str) -> Result<(), EvaluationError> {
    let Some(expression) = expression else { return Ok(()) };
    let segment = path.rsplit('/').next().unwrap_or_default();
    let why = match segment {
        "" => "an empty segment",
        "." | ".." => "a segment of dots",
        _ => return Ok(()),
    };
    let message = format!("it would make {why} in the path");
    Err(not_text(text, expression, message))
}

fn scalar_text(text: &Text, expression: &Expression, value: &Value) -> Result<String, EvaluationError> {
    match value {
        Value::String(value) => Ok(value.to_string()),
        Value::Bool(_) | Value::Number(_) => {
            let mut written = String::new();
            value.write_json(&mut written);
            Ok(written)
        }
        other => {
            let message = format!("it gives {}, where a string, a number or a boolean is needed", other.type_name());
            Err(not_text(text, expression, message))
        }
    }
}

fn not_text(text: &Text, expression: &Expression, message: String) -> EvaluationError {
    let error = expression.error(EvaluationErrorKind::NotText, None, message);
    error.in_template(&text.pointer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ROOTS: &[&str] = &["input", "steps"];

    fn document() -> Value {
        let document = r#"{"input": {"id": "a/b ü", "n": 199.980, "none": null, "dots": "..", "empty": "", "list": [1]}, "steps": {"pay": {"ok": true}}}"#;
        Value::from_slice(document.as_bytes()).unwrap()
    }

    fn path(text: &str) -> Result<String, EvaluationError> {
        Template::compile_text(text, ROOTS).unwrap().render_text(&document(), Encoding::PathSegment)
    }

    #[test]
    fn json_is_rendered_with_typed_values() {
        let template = json!({
            "${ .key }": "${ .input.n }", "text": "n is ${ .input.n }, ${ .input.none }, ${ .input.list }", "same": [1, "x", "$${y}"],
            "in": ["${ .steps.pay.ok }", { "deep": "${ .input.list }" }]
        });
        let template = Template::compile(&template, ROOTS).unwrap();
        let rendered = String::from_utf8(template.render(&document()).unwrap().to_vec()).unwrap();
        assert_eq!(
            rendered,
            r#"{"${ .key }":199.980,"text":"n is 199.980, null, [1]","same":[1,"x","${y}"],"in":[true,{"deep":[1]}]}"#
        );
        assert_eq!(template.steps(), BTreeSet::from(["pay".to_owned()]));
        assert_eq!(template.roots(), BTreeSet::from(["input".to_owned(), "steps".to_owned()]));
        assert!(!template.is_constant());
        assert!(Template::compile(&json!({ "a": ["$${x}", null] }), ROOTS).unwrap().is_constant());
    }

    #[test]
    fn values_in_a_path_stay_in_their_segment() {
        assert_eq!(path("/u/${ .input.id }/x?q=${ .input.n }").unwrap(), "/u/a%2Fb%20%C3%BC/x?q=199.980");
        assert_eq!(path("/u/v${ .input.empty }/${ .steps.pay.ok }").unwrap(), "/u/v/true");
        assert_eq!(path("/u?q=${ .input.empty }&r=a/${ .input.dots }").unwrap(), "/u?q=&r=a/..");
        for (text, message) in [
            ("/u/${ .input.none }", "it gives null, where a string, a number or a boolean is needed"),
            ("/u/${ .input.list }", "it gives array, where a string, a number or a boolean is needed"),
            ("/u/${ .input.dots }/x", "it would make a segment of dots in the path"),
            ("/u/.${ \".\" }", "it would make a segment of dots in the path"),
            ("/u/${ .input.empty }", "it would make an empty segment in the path"),
            ("/u/${ .input.empty }?x", "it would make an empty segment in the path"),
        ] {
            let error = path(text).unwrap_err();
            assert_eq!((error.kind, error.message.as_str()), (EvaluationErrorKind::NotText, message), "{text}");
            assert!(!error.to_string().contains("199"), "{error}");
        }
        let plain = Template::compile_text("${ .input.id }", ROOTS).unwrap();
        assert_eq!(plain.render_text(&document(), Encoding::Plain).unwrap(), "a/b ü");
    }

    #[test]
    fn refusals_say_where() {
        let refused = |json| Template::compile(&json, ROOTS).unwrap_err();
        let error = refused(json!({ "a/b": [0, "x\nü ${ .other }"] }));
        assert_eq!((error.pointer.as_str(), error.offset, error.line, error.column), ("/a~1b/1", 9, 2, 7));
        assert_eq!(error.to_string(), "/a~1b/1: 2:7: `.other` is unknown here; there is `.input`, `.steps`");
        for (text, column) in [("a ${secret:KEY}", 5), ("${ env:HOME }", 4)] {
            let error = refused(json!(text));
            assert!(error.message.contains("allowed only in headers, auth and URLs of services"), "{error}");
            assert_eq!(error.column, column);
        }
        assert!(Template::compile(&json!("$${secret:KEY}"), ROOTS).is_ok());
    }

    #[test]
    fn failures_say_where_in_the_template() {
        let template = Template::compile(&json!({ "a": ["x ${ .input.id.b }"] }), ROOTS).unwrap();
        let error = template.render(&document()).unwrap_err();
        assert_eq!(error.pointer, "/a/0");
        assert_eq!(error.to_string(), "expression `.input.id.b` failed at 1:12: cannot read `b` of string");
    }

    #[test]
    fn all_expressions_share_one_budget() {
        let one = "${ [range(90000)] | length }";
        assert!(Template::compile(&json!([one]), ROOTS).unwrap().render(&document()).is_ok());
        let error =
            Template::compile(&json!([one, one, one, one, one]), ROOTS).unwrap().render(&document()).unwrap_err();
        assert_eq!(error.kind, EvaluationErrorKind::Budget);
    }

    #[test]
    fn what_is_rendered_is_not_too_deep() {
        let deep = (0..99).fold(json!("${ .input.list }"), |inner, _| json!([inner]));
        assert!(Template::compile(&deep, ROOTS).unwrap().render(&document()).is_ok());
        let deeper = Template::compile(&json!([deep]), ROOTS).unwrap();
        assert!(deeper.render(&document()).is_err());
        assert!(Template::compile(&json!([json!([deep])]), ROOTS).is_err());
    }
}
