//! Services that `http` steps, and tasks by `cx.service(..)`, call.

use engine_core::format;

/// An HTTP service. URL, headers and credentials may hold `${secret:NAME}` and `${env:NAME}`, which are resolved at
/// each send and never recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct HttpService(pub(super) format::Service);

impl HttpService {
    /// The service at this base URL, as `https://payments.example`.
    pub fn url(url: &str) -> Self {
        Self(format::Service { url: url.to_owned(), ..format::Service::default() })
    }

    /// It honours the header `Idempotency-Key`: a key that it has carried out is answered as the first time, one that
    /// is being carried out with 409, a refused one stays refused.
    pub fn idempotent(mut self) -> Self {
        self.0.idempotency = Some(format::Idempotency::Key);
        self
    }

    /// The timeout of one attempt for steps that name none.
    pub fn timeout(mut self, span: &str) -> Self {
        self.0.timeout = Some(span.to_owned());
        self
    }

    /// A header of every call.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let headers = self.0.headers.get_or_insert_default();
        headers.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Authentication by a token, as `${secret:PAYMENT_TOKEN}`.
    pub fn bearer(mut self, token: &str) -> Self {
        self.0.auth = Some(format::Auth { bearer: Some(token.to_owned()), ..format::Auth::default() });
        self
    }

    /// Authentication by a user and a password.
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        let basic = format::Basic { user: user.to_owned(), password: password.to_owned(), ..format::Basic::default() };
        self.0.auth = Some(format::Auth { basic: Some(basic), ..format::Auth::default() });
        self
    }
}
