//! What exists: the six services, their ports and endpoints.
//!
//! Routing, the fault grammar and the error texts all read this one table.

use serde::{Deserialize, Serialize};

/// The names of the six services, in the order of their fixed ports (8001 to 8006).
pub const SERVICES: [&str; 6] = ["user", "order", "payment", "notification", "inventory", "analytics"];

/// One of the six services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Service {
    User,
    Order,
    Payment,
    Notification,
    Inventory,
    Analytics,
}

impl Service {
    pub(crate) const ALL: [Service; 6] = [
        Service::User,
        Service::Order,
        Service::Payment,
        Service::Notification,
        Service::Inventory,
        Service::Analytics,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::User => "user",
            Service::Order => "order",
            Service::Payment => "payment",
            Service::Notification => "notification",
            Service::Inventory => "inventory",
            Service::Analytics => "analytics",
        }
    }

    pub(crate) fn fixed_port(self) -> u16 {
        match self {
            Service::User => 8001,
            Service::Order => 8002,
            Service::Payment => 8003,
            Service::Notification => 8004,
            Service::Inventory => 8005,
            Service::Analytics => 8006,
        }
    }

    /// Whether the service honours `Idempotency-Key`; the others only write it down.
    pub(crate) fn honours_keys(self) -> bool {
        matches!(self, Service::Order | Service::Payment | Service::Inventory)
    }

    pub(crate) fn named(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The endpoints of this service.
    pub(crate) fn endpoints(self) -> impl Iterator<Item = Endpoint> {
        Endpoint::ALL.into_iter().filter(move |endpoint| endpoint.service() == self)
    }
}

/// One endpoint of a service. All of them are `POST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Endpoint {
    UserValidate,
    OrderCreate,
    OrderMarkFailed,
    PaymentValidate,
    PaymentProcess,
    PaymentRefund,
    NotificationSend,
    InventoryCheck,
    InventoryUpdate,
    InventoryRelease,
    AnalyticsTrack,
}

impl Endpoint {
    pub(crate) const ALL: [Endpoint; 11] = [
        Endpoint::UserValidate,
        Endpoint::OrderCreate,
        Endpoint::OrderMarkFailed,
        Endpoint::PaymentValidate,
        Endpoint::PaymentProcess,
        Endpoint::PaymentRefund,
        Endpoint::NotificationSend,
        Endpoint::InventoryCheck,
        Endpoint::InventoryUpdate,
        Endpoint::InventoryRelease,
        Endpoint::AnalyticsTrack,
    ];

    pub(crate) fn service(self) -> Service {
        match self {
            Endpoint::UserValidate => Service::User,
            Endpoint::OrderCreate | Endpoint::OrderMarkFailed => Service::Order,
            Endpoint::PaymentValidate | Endpoint::PaymentProcess | Endpoint::PaymentRefund => Service::Payment,
            Endpoint::NotificationSend => Service::Notification,
            Endpoint::InventoryCheck | Endpoint::InventoryUpdate | Endpoint::InventoryRelease => Service::Inventory,
            Endpoint::AnalyticsTrack => Service::Analytics,
        }
    }

    /// The path below the service; `*` stands for one id.
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Endpoint::UserValidate => "users/*/validate",
            Endpoint::OrderCreate => "create",
            Endpoint::OrderMarkFailed => "orders/*/mark_failed",
            Endpoint::PaymentValidate => "validate",
            Endpoint::PaymentProcess => "process",
            Endpoint::PaymentRefund => "refund",
            Endpoint::NotificationSend => "send",
            Endpoint::InventoryCheck => "check",
            Endpoint::InventoryUpdate => "update",
            Endpoint::InventoryRelease => "release",
            Endpoint::AnalyticsTrack => "track",
        }
    }

    /// The short name: the last part of the path, unique within its service.
    pub(crate) fn name(self) -> &'static str {
        let pattern = self.pattern();
        pattern.rsplit('/').next().unwrap_or(pattern)
    }

    /// The endpoint of `service` that a path names, with the id in it, still percent-encoded.
    pub(crate) fn route(service: Service, path: &str) -> Option<(Endpoint, Option<&str>)> {
        let path = path.trim_matches('/');
        service.endpoints().find_map(|endpoint| {
            let id = match_pattern(endpoint.pattern(), path)?;
            Some((endpoint, id))
        })
    }
}

/// `Some(None)`: matches and has no id; `Some(Some(id))`: matches with this id.
#[allow(clippy::option_option, reason = "matched or not, and with an id or not, are two questions")]
fn match_pattern<'p>(pattern: &str, path: &'p str) -> Option<Option<&'p str>> {
    let Some((before, after)) = pattern.split_once('*') else {
        return (pattern == path).then_some(None);
    };
    let id = path.strip_prefix(before)?.strip_suffix(after)?;
    (!id.contains('/')).then_some(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_names_are_those_of_the_enum() {
        assert_eq!(SERVICES, Service::ALL.map(Service::name));
    }

    #[test]
    fn paths_find_their_endpoint_and_id() {
        assert_eq!(
            Endpoint::route(Service::User, "/users/test_user_123/validate"),
            Some((Endpoint::UserValidate, Some("test_user_123")))
        );
        assert_eq!(Endpoint::route(Service::User, "/users//validate"), Some((Endpoint::UserValidate, Some(""))));
        assert_eq!(Endpoint::route(Service::User, "/users/a/b/validate"), None);
        assert_eq!(Endpoint::route(Service::Inventory, "/check"), Some((Endpoint::InventoryCheck, None)));
        assert_eq!(Endpoint::route(Service::Payment, "/check"), None);
        assert_eq!(Endpoint::OrderMarkFailed.name(), "mark_failed");
    }
}
