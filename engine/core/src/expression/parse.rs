//! From the text of an expression to jaq's syntax tree.
//!
//! jaq's parser is recursive and does not bound its depth, so brackets and prefix operators are
//! counted before it runs.

use super::failure::ExpressionError;
use super::scan::{MAX_NESTING, MAX_SOURCE, check_brackets};
use jaq_core::load::lex::{Expect, Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Parser, Pattern, Term};
use jaq_core::path::Part;

/// jaq's syntax tree over the text of the expression.
pub(super) type Ast<'s> = Term<&'s str>;

/// A parsed expression.
pub(super) struct Parsed<'s> {
    pub(super) ast: Ast<'s>,
    /// Where the first `..` stands: the tree does not say.
    pub(super) recursion: Option<usize>,
}

/// Words and signs after which jaq's parser calls itself without a bracket.
const PREFIXES: [&str; 9] = ["-", "try", "if", "elif", "reduce", "foreach", "label", "def", "as"];

/// Parses an expression.
pub(super) fn parse(source: &str) -> Result<Parsed<'_>, ExpressionError> {
    let fail = |offset, message: String| Err(ExpressionError::new(source, offset, message));
    if source.len() > MAX_SOURCE {
        return fail(0, format!("expression longer than {MAX_SOURCE} bytes"));
    }
    check_brackets(source)?;
    let tokens = match Lexer::new(source).lex() {
        Ok(tokens) => tokens,
        Err(errors) => {
            let Some((expected, at)) = errors.first() else {
                return fail(0, "cannot be read".to_owned());
            };
            let message = match (expected, at.chars().next()) {
                (Expect::Token, Some(found)) => format!("unexpected `{}`", found.escape_debug()),
                (expected, _) => format!("expected {}", expected.as_str()),
            };
            return fail(offset(source, at), message);
        }
    };
    let mut survey = Survey::default();
    survey.tokens(source, &tokens);
    if survey.prefixes > MAX_NESTING {
        let message = format!("more than {MAX_NESTING} of `-`, `try`, `if`, `as`");
        return fail(0, message);
    }
    match Parser::new(&tokens).parse(Parser::term) {
        Ok(ast) => Ok(Parsed { ast, recursion: survey.recursion }),
        Err(errors) => {
            let Some((expected, found)) = errors.first() else {
                return fail(0, "cannot be parsed".to_owned());
            };
            let at = Token::opt_as_str(*found, source);
            let shown: String = at.chars().take(20).collect();
            let found = if at.is_empty() { "the end of the expression".to_owned() } else { format!("`{shown}`") };
            let message = match expected.as_str() {
                "nothing" => format!("unexpected {found}"),
                expected => format!("expected {expected}, found {found}"),
            };
            fail(offset(source, at), message)
        }
    }
}

/// What must be known of the tokens before they are parsed.
#[derive(Default)]
struct Survey {
    prefixes: usize,
    recursion: Option<usize>,
}

impl Survey {
    fn tokens(&mut self, source: &str, tokens: &[Token<&str>]) {
        for Token(text, kind) in tokens {
            self.prefixes += usize::from(PREFIXES.contains(text));
            if *text == ".." && self.recursion.is_none() {
                self.recursion = Some(offset(source, text));
            }
            match kind {
                Tok::Block(inner) => self.tokens(source, inner),
                Tok::Str(parts) => {
                    for part in parts {
                        if let StrPart::Term(Token(_, Tok::Block(inner))) = part {
                            self.tokens(source, inner);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Where a part of the source stands in it; the tree is made of such parts.
pub(super) fn offset(source: &str, part: &str) -> usize {
    let offset = part.as_ptr().addr().wrapping_sub(source.as_ptr().addr());
    offset.min(source.len())
}

/// Where a term stands: the first of its parts that has a place in the source.
pub(super) fn position(source: &str, term: &Ast<'_>) -> Option<usize> {
    let inside = |part: &str| {
        let start = source.as_ptr().addr();
        let found = part.as_ptr().addr();
        (start..=start + source.len()).contains(&found).then(|| found - start)
    };
    let of = |term: &Ast<'_>| position(source, term);
    match term {
        Term::Id | Term::Recurse | Term::Arr(None) => None,
        Term::Num(text) | Term::Var(text) | Term::Break(text) => inside(text),
        Term::Call(name, _) | Term::Fold(name, ..) | Term::Label(name, _) => inside(name),
        Term::Str(Some(format), _) => inside(format),
        Term::Str(None, parts) => parts.iter().find_map(|part| match part {
            StrPart::Str(text) => inside(text),
            StrPart::Term(term) => of(term),
            StrPart::Char(_) => None,
        }),
        Term::Arr(Some(term)) | Term::Neg(term) | Term::TryCatch(term, _) | Term::Def(_, term) => of(term),
        Term::Obj(entries) => entries.iter().find_map(|(key, value)| of(key).or_else(|| value.as_ref().and_then(of))),
        Term::IfThenElse(cases, _) => cases.iter().find_map(|(condition, then)| of(condition).or_else(|| of(then))),
        Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), right) => {
            of(left).or_else(|| first_variable(pattern).and_then(inside)).or_else(|| of(right))
        }
        Term::BinOp(left, _, right) => of(left).or_else(|| of(right)),
        Term::Path(head, path) => of(head).or_else(|| {
            path.0.iter().find_map(|(part, _)| match part {
                Part::Index(index) => of(index),
                Part::Range(from, to) => {
                    let from = from.as_ref().and_then(of);
                    from.or_else(|| to.as_ref().and_then(of))
                }
            })
        }),
    }
}

fn first_variable<'s>(pattern: &Pattern<&'s str>) -> Option<&'s str> {
    match pattern {
        Pattern::Var(name) => Some(name),
        Pattern::Arr(items) => items.iter().find_map(first_variable),
        Pattern::Obj(entries) => entries.iter().find_map(|(_, pattern)| first_variable(pattern)),
    }
}

/// The text of a string without escapes and interpolation.
pub(super) fn literal<'s>(term: &Ast<'s>) -> Option<&'s str> {
    match term {
        Term::Str(None, parts) => match parts.as_slice() {
            [StrPart::Str(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}
