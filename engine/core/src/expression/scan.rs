//! Finds `${…}` in text.
//!
//! Where an expression ends is decided by jq's own lexing: a `}` in a string, in a comment, or in
//! brackets of the expression does not end it.

use super::failure::ExpressionError;
use std::ops::Range;

/// The longest expression, in bytes.
pub const MAX_SOURCE: usize = 4096;

/// The deepest nesting of brackets, and the most prefix operators, in an expression.
pub const MAX_NESTING: usize = 32;

/// A part of a text with expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Literal text; `$${` has become `${`.
    Text(String),
    /// The place of what stands between `${` and `}`, in bytes.
    Expression(Range<usize>),
}

/// Splits a text into literal text and expressions. Offsets of errors are offsets in the text.
pub fn split(text: &str) -> Result<Vec<Piece>, ExpressionError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(found) = rest.find("${") {
        let (before, opened) = rest.split_at(found);
        if let Some(before) = before.strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${");
            rest = opened.strip_prefix("${").unwrap_or_default();
            continue;
        }
        literal.push_str(before);
        let brace = text.len() - opened.len() + 1;
        let end = closing_brace(text, brace)?;
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Expression(brace + 1..end));
        rest = text.get(end + 1..).unwrap_or_default();
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// Whether the text holds any `${` that opens an expression.
pub fn has_expression(text: &str) -> bool {
    // A `$${` that is not closed is no error, so only a real opening can fail.
    split(text).map_or(true, |pieces| pieces.iter().any(|piece| matches!(piece, Piece::Expression(_))))
}

/// Checks that the brackets and strings of a whole expression are closed and not nested too
/// deeply, before any parser sees it.
pub(super) fn check_brackets(source: &str) -> Result<(), ExpressionError> {
    let mut scanner = Scanner::new(source, 0);
    if let Some(end) = scanner.run()? {
        let found = source.as_bytes().get(end).copied().unwrap_or(b'}');
        let message = format!("unexpected `{}`", char::from(found));
        return Err(ExpressionError::new(source, end, message));
    }
    scanner.finish()
}

/// The offset of the `}` that closes the `{` at `brace`.
fn closing_brace(text: &str, brace: usize) -> Result<usize, ExpressionError> {
    let mut scanner = Scanner::new(text, brace + 1);
    let end = scanner.run()?;
    if let Some(end) = end
        && text.as_bytes().get(end) == Some(&b'}')
    {
        return Ok(end);
    }
    if let Some(end) = end {
        let found = text.as_bytes().get(end).copied().unwrap_or(b'?');
        let message = format!("`{}` does not close `{{`", char::from(found));
        return Err(ExpressionError::new(text, end, message));
    }
    scanner.finish()?;
    Err(ExpressionError::new(text, brace, "`{` is not closed"))
}

/// What is open.
#[derive(Clone, Copy)]
struct Open {
    /// The byte that opened it; `"` for a string.
    opener: u8,
    at: usize,
}

impl Open {
    fn closer(self) -> u8 {
        match self.opener {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            string => string,
        }
    }
}

/// Walks over an expression with jq's rules for strings, `\(`, brackets and comments.
struct Scanner<'t> {
    text: &'t str,
    start: usize,
    at: usize,
    open: Vec<Open>,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, start: usize) -> Self {
        Self { text, start, at: start, open: Vec::new() }
    }

    fn fail<T>(&self, at: usize, message: impl Into<String>) -> Result<T, ExpressionError> {
        Err(ExpressionError::new(self.text, at, message))
    }

    /// Walks until a bracket that closes what was opened before the start.
    fn run(&mut self) -> Result<Option<usize>, ExpressionError> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at).copied() {
            if self.at - self.start > MAX_SOURCE {
                let message = format!("expression longer than {MAX_SOURCE} bytes");
                return self.fail(self.start, message);
            }
            match self.open.last().copied() {
                Some(Open { opener: b'"', .. }) => self.in_string(byte)?,
                open => match byte {
                    b'"' | b'(' | b'[' | b'{' => self.push(byte, self.at)?,
                    b')' | b']' | b'}' => {
                        let Some(open) = open else {
                            return Ok(Some(self.at));
                        };
                        if open.closer() != byte {
                            let (byte, opener) = (char::from(byte), char::from(open.opener));
                            let message = format!("`{byte}` does not close `{opener}`");
                            return self.fail(self.at, message);
                        }
                        self.open.pop();
                    }
                    b'#' => self.comment(),
                    _ => {}
                },
            }
            self.at += 1;
        }
        Ok(None)
    }

    fn push(&mut self, opener: u8, at: usize) -> Result<(), ExpressionError> {
        if self.open.len() >= MAX_NESTING {
            return self.fail(at, format!("nested deeper than {MAX_NESTING}"));
        }
        self.open.push(Open { opener, at });
        Ok(())
    }

    fn in_string(&mut self, byte: u8) -> Result<(), ExpressionError> {
        if byte == b'"' {
            self.open.pop();
        } else if byte == b'\\' {
            // Whatever is escaped ends neither the string nor, with `\(`, goes unnoticed.
            self.at += 1;
            if self.text.as_bytes().get(self.at) == Some(&b'(') {
                self.push(b'(', self.at)?;
            }
        }
        Ok(())
    }

    /// Walks to the end of a comment: a line that ends in an odd number of backslashes goes on.
    fn comment(&mut self) {
        loop {
            let rest = self.text.get(self.at + 1..).unwrap_or_default();
            let (line, more) = match rest.split_once('\n') {
                Some((line, _)) => (line, true),
                None => (rest, false),
            };
            self.at += 1 + line.len();
            let line = line.strip_suffix('\r').unwrap_or(line);
            let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
            if !more || backslashes % 2 == 0 {
                return;
            }
        }
    }

    /// Complains about whatever is still open at the end of the text.
    fn finish(&self) -> Result<(), ExpressionError> {
        match self.open.last() {
            None => Ok(()),
            Some(Open { opener: b'"', at }) => self.fail(*at, "string is not closed"),
            Some(Open { opener, at }) => self.fail(*at, format!("`{}` is not closed", char::from(*opener))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a text, expressions in angle brackets.
    fn pieces(text: &str) -> Vec<String> {
        let show = |piece| match piece {
            Piece::Text(text) => text,
            Piece::Expression(place) => format!("<{}>", &text[place]),
        };
        split(text).unwrap().into_iter().map(show).collect()
    }

    fn refusal(text: &str) -> (usize, String) {
        let error = split(text).unwrap_err();
        (error.offset, error.message)
    }

    #[test]
    fn expressions_end_where_jq_ends_them() {
        assert_eq!(pieces("Hi ${ .a }, ${ {a: 1} | .a }"), ["Hi ", "< .a >", ", ", "< {a: 1} | .a >"]);
        assert_eq!(pieces(r#"${ "a}b" }x"#), [r#"< "a}b" >"#, "x"]);
        assert_eq!(pieces(r#"${ "\("}")" }x"#), [r#"< "\("}")" >"#, "x"]);
        assert_eq!(pieces(r#"${ "\"}" }x"#), [r#"< "\"}" >"#, "x"]);
        assert_eq!(pieces("${ .a # } not here\n }x"), ["< .a # } not here\n >", "x"]);
        assert_eq!(pieces("${ .a # goes on \\\n } still\n }x"), ["< .a # goes on \\\n } still\n >", "x"]);
        assert_eq!(pieces("${.a}${.b}"), ["<.a>", "<.b>"]);
        assert_eq!(pieces(""), Vec::<String>::new());
    }

    #[test]
    fn a_doubled_dollar_is_literal() {
        assert_eq!(pieces("a $${x} ${ 1 }"), ["a ${x} ", "< 1 >"]);
        assert_eq!(pieces("$ {} $$ $"), ["$ {} $$ $"]);
        assert_eq!(pieces("$$${1}"), ["$${1}"]);
        assert!(!has_expression("$${x}"));
        assert!(has_expression("${x}"));
    }

    #[test]
    fn what_is_not_closed_is_pointed_at() {
        assert_eq!(refusal("ab ${ .x"), (4, "`{` is not closed".to_owned()));
        assert_eq!(refusal("a ${ (.x }"), (9, "`}` does not close `(`".to_owned()));
        assert_eq!(refusal("${ .x) }"), (5, "`)` does not close `{`".to_owned()));
        assert_eq!(refusal("${ \"x }"), (3, "string is not closed".to_owned()));
        let deep = format!("${{ {} }}", "[".repeat(MAX_NESTING + 1));
        assert!(refusal(&deep).1.starts_with("nested deeper"));
        let long = format!("${{ {} }}", " ".repeat(MAX_SOURCE + 1));
        assert!(refusal(&long).1.starts_with("expression longer"));
    }
}
