//! `${secret:NAME}` and `${env:NAME}`: what a service's URL, headers and credentials take from outside.
//!
//! They are resolved when a request is sent and never recorded. Expressions can't stand here: a service is bound
//! anew at each send, whatever run sends.

/// A part of a text with references.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// Literal text; `$${` has become `${`.
    Text(String),
    /// The secret with this name.
    Secret(String),
    /// The environment variable with this name.
    Env(String),
}

/// A `${…}` that is no reference.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ReferenceError {
    /// Where, in bytes from the start of the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

/// Splits a text into literal text and references.
pub fn split(text: &str) -> Result<Vec<Part>, ReferenceError> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some((before, opened)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${");
            rest = opened;
            continue;
        }
        literal.push_str(before);
        let offset = text.len() - opened.len() - 2;
        let Some((inside, after)) = opened.split_once('}') else {
            return Err(ReferenceError { offset, message: "this `${` is never closed".into() });
        };
        let part = reference(inside.trim()).map_err(|message| ReferenceError { offset, message })?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(part);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

fn reference(inside: &str) -> Result<Part, String> {
    let (kind, name) = match inside.split_once(':') {
        Some(("secret", name)) => (Part::Secret as fn(String) -> Part, name),
        Some(("env", name)) => (Part::Env as fn(String) -> Part, name),
        _ => {
            return Err("only `${secret:NAME}` and `${env:NAME}` can stand in a service: \
                        it is the same for all runs, so no expression can be evaluated here"
                .into());
        }
    };
    let fine = !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.len() <= crate::bounds::ID_LEN
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if fine {
        Ok(kind(name.to_owned()))
    } else {
        Err("a reference names its secret or variable by letters, digits and `_`, as `${secret:API_KEY}`".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found() {
        let parts = split("Bearer ${secret:API_KEY}/$${x}/${ env:HOST }").unwrap();
        let expected = [
            Part::Text("Bearer ".into()),
            Part::Secret("API_KEY".into()),
            Part::Text("/${x}/".into()),
            Part::Env("HOST".into()),
        ];
        assert_eq!(parts, expected);
        assert_eq!(split("").unwrap(), []);
    }

    #[test]
    fn everything_else_is_refused_where_it_stands() {
        for (text, offset) in
            [("${ .input.x }", 0), ("a${secret:}", 1), ("ü${secret:a-b}", 2), ("${env:1}", 0), ("ab${env:A", 2)]
        {
            assert_eq!(split(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
