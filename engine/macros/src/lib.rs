//! `#[engine::test]`, and nothing more. It keeps the test's own tokens as they are, so that messages of the compiler
//! point at what was written.

use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

/// Makes a test of an `async fn name(t: TestEngine)`: it gets an engine of its own, on simulated time and with nothing
/// around it but what the test says.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let made = match arguments.into_iter().next() {
        Some(argument) => Err(Refused(argument.span(), "`#[engine::test]` takes no arguments")),
        None => test_of(item),
    };
    made.unwrap_or_else(Refused::into_error)
}

/// What can't be made a test, and why.
struct Refused(Span, &'static str);

/// `attributes visibility async fn NAME ARGUMENTS RESULT BODY` becomes
/// `#[test] attributes visibility fn NAME() RESULT { async fn NAME … ; run(NAME) }`.
fn test_of(item: TokenStream) -> Result<TokenStream, Refused> {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let is = |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(ident) if ident.to_string() == word);
    let no_function = || Refused(Span::call_site(), "`#[engine::test]` goes on an `async fn name(t: TestEngine)`");
    let place = tokens.iter().position(|token| is(token, "fn")).ok_or_else(no_function)?;
    let start = place.checked_sub(1).filter(|at| tokens.get(*at).is_some_and(|token| is(token, "async")));
    let Some(start) = start else {
        let span = tokens.get(place).map_or_else(Span::call_site, TokenTree::span);
        return Err(Refused(span, "a test under `#[engine::test]` is an `async fn name(t: TestEngine)`"));
    };
    let (before, function) = tokens.split_at(start);
    let [_async, _fn, TokenTree::Ident(name), arguments, rest @ ..] = function else { return Err(no_function()) };
    match arguments {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
            if group.stream().is_empty() {
                let message = "a test under `#[engine::test]` takes its engine: `async fn name(t: TestEngine)`";
                return Err(Refused(group.span(), message));
            }
        }
        other => return Err(Refused(other.span(), "a test can't be generic")),
    }
    let result = rest.split_last().map_or(&[][..], |(_body, result)| result);
    let mut made: Vec<TokenTree> = parsed("#[::core::prelude::v1::test]");
    made.extend(before.iter().cloned());
    made.push(Ident::new("fn", name.span()).into());
    made.push(name.clone().into());
    made.push(Group::new(Delimiter::Parenthesis, TokenStream::new()).into());
    made.extend(result.iter().cloned());
    let mut body: Vec<TokenTree> = function.to_vec();
    body.extend(parsed("::engine::testing::run"));
    body.push(Group::new(Delimiter::Parenthesis, TokenTree::Ident(name.clone()).into()).into());
    made.push(Group::new(Delimiter::Brace, body.into_iter().collect()).into());
    Ok(made.into_iter().collect())
}

/// Tokens written here, which always can be read.
fn parsed(text: &str) -> Vec<TokenTree> {
    text.parse::<TokenStream>().unwrap_or_default().into_iter().collect()
}

impl Refused {
    fn into_error(self) -> TokenStream {
        let Self(span, message) = self;
        let mut message = Literal::string(message);
        message.set_span(span);
        let mut error = parsed("::core::compile_error!");
        error.push(Group::new(Delimiter::Brace, TokenTree::Literal(message).into()).into());
        let spanned = error.into_iter().map(|mut token| {
            token.set_span(span);
            token
        });
        spanned.collect()
    }
}
