//! `--override service.url=URL`: policy changed for one run.

use engine_core::definition::Definition;

use crate::error::CliError;
use crate::pairs;

/// What `*.url` is set to where the mock services are to be used.
const MOCKS: (&str, &str) = ("*.url", "mock:");

/// An override as it was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Override {
    service: String,
    url: String,
}

impl Override {
    /// Reads `service.url=URL`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let usage = "write it as service.url=URL, for instance payment.url=http://127.0.0.1:8003";
        let (key, url) = pairs::split(text).map_err(|why| format!("{why}: {usage}"))?;
        let Some((service, "url")) = key.rsplit_once('.') else {
            return Err(format!("`{key}` can't be overridden, only the URL of a service: {usage}"));
        };
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/') || rest.contains(char::is_whitespace)) {
            return Err(format!("`{url}` is no http:// or https:// URL: {usage}"));
        }
        if rest.is_some_and(|rest| rest.split('/').next().is_some_and(|host| host.contains('@'))) {
            return Err("an override is recorded, so it may hold no password: use `auth` of the service".to_owned());
        }
        Ok(Self { service: service.to_owned(), url: url.to_owned() })
    }
}

/// The overrides of a run, those for all services first; an error where one names no service of the workflow.
pub(crate) fn of_run(
    given: &[Override],
    with_mocks: bool,
    definition: &Definition,
) -> Result<Vec<(String, String)>, CliError> {
    let known: Vec<&str> = definition.services().keys().map(engine_core::id::Name::as_str).collect();
    let mut overrides = Vec::new();
    if with_mocks {
        overrides.push((MOCKS.0.to_owned(), MOCKS.1.to_owned()));
    }
    for Override { service, url } in given {
        if !known.contains(&service.as_str()) {
            return Err(CliError::bad_input(unknown_service(service, definition.name().as_str(), &known)));
        }
        let key = format!("{service}.url");
        overrides.retain(|(other, _)| *other != key);
        overrides.push((key, url.clone()));
    }
    Ok(overrides)
}

fn unknown_service(service: &str, workflow: &str, known: &[&str]) -> String {
    let hint = match nearest(service, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "it has none".to_owned(),
        None => format!("it has {}", known.join(", ")),
    };
    format!("--override: workflow `{workflow}` has no service `{service}`: {hint}")
}

/// The one of `known` that is close to `text`.
pub(crate) fn nearest<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let tolerated = (text.chars().count() / 3).max(1);
    known
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_names_the_url_of_a_service() {
        let read = Override::parse("payment.url=http://127.0.0.1:9/x=1").unwrap();
        assert_eq!(read, Override { service: "payment".to_owned(), url: "http://127.0.0.1:9/x=1".to_owned() });
        for bad in
            ["payment", "payment=http://x", "payment.retry=3", "payment.url=", "payment.url=ftp://x", "p.url=http:///x"]
        {
            assert!(Override::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overrides_name_services_of_the_workflow() {
        let definition = crate::render::sample::definition();
        let good = Override::parse("payment.url=http://a").unwrap();
        let again = Override::parse("payment.url=http://b").unwrap();
        let overrides = of_run(&[good, again], true, &definition).unwrap();
        let expected = [("*.url", "mock:"), ("payment.url", "http://b")];
        assert_eq!(overrides, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));

        let slip = Override::parse("paymnet.url=http://a").unwrap();
        let error = of_run(&[slip], false, &definition).unwrap_err();
        assert!(error.message.contains("did you mean `payment`?"), "{error}");
    }
}
