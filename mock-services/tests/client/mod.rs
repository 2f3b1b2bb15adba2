//! A plain HTTP/1.1 client on a socket, one connection per request, that reports a connection
//! closed without an answer as what it is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
    head: String,
}

impl Response {
    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &str| line.split_once(": ").is_some_and(|(given, _)| given.eq_ignore_ascii_case(name));
        let found = self.head.lines().find(|text| line(text))?;
        found.split_once(": ").map(|(_, value)| value)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// GET.
pub(crate) fn get(url: &str, path: &str) -> io::Result<Response> {
    send("GET", url, path, &[], "")
}

/// POST with a JSON body.
pub(crate) fn post(url: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> io::Result<Response> {
    send("POST", url, path, headers, &body.to_string())
}

/// One request on a connection of its own.
pub(crate) fn send(method: &str, url: &str, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Response> {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed without an answer"))?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Response { status, body: body.to_owned(), head: head.to_owned() })
}
