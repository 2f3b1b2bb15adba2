//! The services of a file.

use super::check::Checker;
use super::headers::{name_problem, value_problem};
use super::reference::{self, Part};
use super::{Auth, Service};
use crate::format::{self, At, pointer_to, quoted};
use crate::id::Name;

impl Checker<'_> {
    pub(super) fn services(&mut self) {
        for (name, service) in self.file.services.iter().flatten() {
            let pointer = pointer_to("/services", name);
            if let Err(error) = Name::check(name) {
                self.findings.add_at(&pointer, At::Key, || error.to_string());
            }
            let name = Name::new(name.as_str());
            if let Some(timeout) = self.span(service.timeout.as_deref(), &format!("{pointer}/timeout")) {
                self.service_timeouts.insert(name.clone(), timeout);
            }
            self.base_url(&service.url, &format!("{pointer}/url"));
            let headers = self.service_headers(service, &pointer);
            let auth = service.auth.as_ref().and_then(|auth| self.auth(auth, &pointer));
            let checked = Service {
                name: name.clone(),
                url: service.url.clone(),
                headers,
                auth,
                idempotent: service.idempotency == Some(format::Idempotency::Key),
            };
            self.services.insert(name, checked);
        }
    }

    /// A text with references; nothing where one is wrong.
    fn references(&mut self, text: &str, pointer: &str) -> Option<Vec<Part>> {
        reference::split(text)
            .map_err(|error| self.findings.add_at(pointer, At::Inside(error.offset), || error.message))
            .ok()
    }

    fn base_url(&mut self, url: &str, pointer: &str) {
        let Some(parts) = self.references(url, pointer) else { return };
        let whole_is_outside = !matches!(parts.first(), Some(Part::Text(_)));
        // A reference may stand for any part: for a host as well as for a port.
        let filled: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Secret(_) | Part::Env(_) => "1",
            })
            .collect();
        let checked = if whole_is_outside && !url.is_empty() { url_tail(&filled) } else { http_url(&filled) };
        if let Err(why) = checked {
            self.findings.add(pointer, format!("{} is no base URL: {why}", quoted(url)));
        }
    }

    fn service_headers(&mut self, service: &format::Service, pointer: &str) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in service.headers.iter().flatten() {
            let pointer = pointer_to(&format!("{pointer}/headers"), name);
            if let Some(message) = name_problem(name) {
                self.findings.add_at(&pointer, At::Key, || message);
            }
            if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                self.findings.add_at(&pointer, At::Key, || format!("the header {} stands here twice", quoted(name)));
            }
            if service.auth.is_some() && name.eq_ignore_ascii_case("authorization") {
                self.findings.add_at(&pointer, At::Key, || "`auth` already gives this header; keep one of them".into());
            }
            for part in self.references(value, &pointer).iter().flatten() {
                if let Part::Text(text) = part
                    && let Some(message) = value_problem(text)
                {
                    self.findings.add(&pointer, message);
                }
            }
            headers.push((name.clone(), value.clone()));
        }
        headers
    }

    fn auth(&mut self, auth: &format::Auth, pointer: &str) -> Option<Auth> {
        let pointer = format!("{pointer}/auth");
        match (&auth.bearer, &auth.basic) {
            (Some(token), None) => {
                self.credential(token, &format!("{pointer}/bearer"));
                Some(Auth::Bearer(token.clone()))
            }
            (None, Some(basic)) => {
                self.credential(&basic.user, &format!("{pointer}/basic/user"));
                self.credential(&basic.password, &format!("{pointer}/basic/password"));
                Some(Auth::Basic { user: basic.user.clone(), password: basic.password.clone() })
            }
            _ => {
                self.findings.add(&pointer, "`auth` has either `bearer` or `basic`");
                None
            }
        }
    }

    fn credential(&mut self, text: &str, pointer: &str) {
        for part in self.references(text, pointer).iter().flatten() {
            if let Part::Text(text) = part
                && let Some(message) = value_problem(text)
            {
                self.findings.add(pointer, message);
            }
        }
    }
}

/// Whether this is a URL that can be called over HTTP.
pub(super) fn http_url(url: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("it begins with `http://` or `https://`");
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err("only `http://` and `https://` are called");
    }
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    if authority.contains('@') {
        return Err("credentials belong in `auth`, not in a URL");
    }
    host_and_port(authority)?;
    url_tail(tail)
}

/// Whether this can end a base URL.
fn url_tail(tail: &str) -> Result<(), &'static str> {
    if tail.contains(['?', '#']) {
        return Err("a query or fragment can't stand in it; a call may have a `query`");
    }
    if tail.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c)) {
        return Err("it holds characters that a URL does not have");
    }
    Ok(())
}

fn host_and_port(authority: &str) -> Result<(), &'static str> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("::", port),
        Some(_) => return Err("what stands between `[` and `]` is no IPv6 address"),
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let host_char = |c: char| c.is_alphanumeric() || "-._~%".contains(c);
    if host.is_empty() || host != "::" && !host.chars().all(host_char) {
        return Err("its host is missing or holds characters that a host does not have");
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(number) if number.parse::<u16>().is_ok_and(|number| number > 0) => Ok(()),
        _ => Err("its port is a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_told_from_others() {
        for good in ["http://127.0.0.1:8001", "https://api.example.com/v2/", "HTTP://x", "http://[::1]:80/a"] {
            assert_eq!(http_url(good), Ok(()), "{good}");
        }
        let bad = [
            "",
            "localhost:80",
            "ftp://x",
            "http://",
            "http://a b",
            "http://u:p@x",
            "http://x:0",
            "http://x:70000",
            "http://x:",
            "http://x/?a=1",
            "http://x/#a",
            "http://[::g]",
            "http://x/a b",
            "http://:80",
        ];
        for bad in bad {
            assert!(http_url(bad).is_err(), "{bad}");
        }
    }
}
