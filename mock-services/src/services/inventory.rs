//! The inventory service: stock, and which order took how much of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Decision, Effect};
use crate::call::{Answer, Call};

/// `product_3` is scarce, so that running short is easy to show.
const INITIAL_STOCK: [(&str, u64); 3] = [("product_1", 1_000_000), ("product_2", 1_000_000), ("product_3", 10)];

/// How much of which product.
type Quantities = BTreeMap<String, u64>;

/// Stock that went to an order, or came back from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Movement {
    order_id: String,
    items: Quantities,
    key: Option<String>,
}

/// What the inventory service remembers.
#[derive(Debug)]
pub(crate) struct Inventory {
    stock: Quantities,
    /// What each order holds now; an order that gave everything back is gone from here.
    taken: BTreeMap<String, Quantities>,
    releases: Vec<Movement>,
}

impl Default for Inventory {
    fn default() -> Inventory {
        Inventory {
            stock: INITIAL_STOCK.map(|(product, count)| (product.to_owned(), count)).into(),
            taken: BTreeMap::new(),
            releases: Vec::new(),
        }
    }
}

impl Inventory {
    pub(super) fn check(&self, call: &Call) -> Result<Decision, Answer> {
        let unavailable = self.unavailable(&items(call)?);
        // Nothing is set aside by a check: a reservation would need somebody to give it back.
        Ok(Decision::told(&json!({
            "all_available": unavailable.is_empty(),
            "unavailable_items": unavailable,
            "reserved_items": [],
        })))
    }

    pub(super) fn update(&self, call: &Call) -> Result<Decision, Answer> {
        let order_id = call.text("order_id")?;
        let wanted = items(call)?;
        let unavailable = self.unavailable(&wanted);
        if !unavailable.is_empty() {
            return Err(Answer::json(422, &json!({ "error": "not enough stock", "unavailable_items": unavailable })));
        }
        let updated: Vec<Value> = wanted
            .iter()
            .map(|(id, quantity)| {
                let before = self.stock.get(id).copied().unwrap_or_default();
                json!({ "id": id, "quantity": quantity, "stock": before.saturating_sub(*quantity) })
            })
            .collect();
        let effect = Effect::Taken(Movement { order_id: order_id.to_owned(), items: wanted, key: call.key.clone() });
        Ok(Decision::done(&json!({ "updated_items": updated }), effect))
    }

    pub(super) fn release(&self, call: &Call) -> Result<Decision, Answer> {
        let order_id = call.text("order_id")?;
        let Some(items) = self.taken.get(order_id) else {
            return Ok(Decision::told(&json!({ "released_items": [] })));
        };
        let released: Vec<Value> =
            items.iter().map(|(id, quantity)| json!({ "id": id, "quantity": quantity })).collect();
        let effect =
            Effect::Released(Movement { order_id: order_id.to_owned(), items: items.clone(), key: call.key.clone() });
        Ok(Decision::done(&json!({ "released_items": released }), effect))
    }

    fn unavailable(&self, wanted: &Quantities) -> Vec<String> {
        wanted
            .iter()
            .filter(|(id, quantity)| self.stock.get(*id).is_none_or(|stock| stock < quantity))
            .map(|(id, _)| id.clone())
            .collect()
    }

    pub(super) fn taken(&mut self, movement: &Movement) {
        let held = self.taken.entry(movement.order_id.clone()).or_default();
        for (id, quantity) in &movement.items {
            let stock = self.stock.entry(id.clone()).or_default();
            *stock = stock.saturating_sub(*quantity);
            *held.entry(id.clone()).or_default() += quantity;
        }
    }

    pub(super) fn released(&mut self, movement: Movement) {
        for (id, quantity) in &movement.items {
            *self.stock.entry(id.clone()).or_default() += quantity;
        }
        self.taken.remove(&movement.order_id);
        self.releases.push(movement);
    }

    pub(super) fn summary(&self) -> Value {
        json!({ "stock": self.stock, "taken": self.taken, "releases": self.releases })
    }
}

/// The items of a request; the same product named twice counts together.
fn items(call: &Call) -> Result<Quantities, Answer> {
    let listed = call
        .body
        .get("items")
        .and_then(Value::as_array)
        .filter(|items| !items.is_empty())
        .ok_or_else(|| Answer::refused(422, "`items` must be a non-empty list"))?;
    let mut quantities = Quantities::new();
    for item in listed {
        let id = item.get("id").and_then(Value::as_str);
        let quantity = item.get("quantity").and_then(Value::as_u64);
        let (Some(id), Some(quantity @ 1..=1_000_000_000)) = (id, quantity) else {
            return Err(Answer::refused(422, "every item must have an `id` and a positive whole `quantity`"));
        };
        let sum = quantities.entry(id.to_owned()).or_default();
        *sum = sum.saturating_add(quantity);
    }
    Ok(quantities)
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use super::super::testing::{body, call, carry_out};
    use super::*;
    use crate::catalogue::Endpoint;

    fn update(order: &str, product: &str, quantity: u64) -> Call {
        call(
            Endpoint::InventoryUpdate,
            json!({ "order_id": order, "items": [{ "id": product, "quantity": quantity }] }),
        )
    }

    fn stock(world: &World, product: &str) -> u64 {
        world.summary()["inventory"]["stock"][product].as_u64().unwrap()
    }

    #[test]
    fn a_check_names_what_is_missing_and_takes_nothing() {
        let mut world = World::default();
        let checked = carry_out(
            &mut world,
            &call(
                Endpoint::InventoryCheck,
                json!({ "items": [
                    { "id": "product_1", "quantity": 2, "price": "99.99" },
                    { "id": "missing_1", "quantity": 1 },
                    { "id": "product_3", "quantity": 6 },
                    { "id": "product_3", "quantity": 6 },
                ] }),
            ),
            1,
        );
        assert_eq!(
            body(&checked),
            json!({ "all_available": false, "unavailable_items": ["missing_1", "product_3"], "reserved_items": [] })
        );
        assert_eq!(stock(&world, "product_1"), 1_000_000);
    }

    #[test]
    fn stock_is_taken_and_given_back_once() {
        let mut world = World::default();
        let updated = carry_out(&mut world, &update("o1", "product_3", 4), 1);
        assert_eq!(body(&updated), json!({ "updated_items": [{ "id": "product_3", "quantity": 4, "stock": 6 }] }));
        assert_eq!(world.summary()["inventory"]["taken"], json!({ "o1": { "product_3": 4 } }));
        let release = call(Endpoint::InventoryRelease, json!({ "order_id": "o1" }));
        let first = carry_out(&mut world, &release, 2);
        assert_eq!(body(&first), json!({ "released_items": [{ "id": "product_3", "quantity": 4 }] }));
        let second = carry_out(&mut world, &release, 3);
        assert_eq!(body(&second), json!({ "released_items": [] }));
        assert_eq!(second.effect, None);
        assert_eq!(stock(&world, "product_3"), 10);
        assert_eq!(world.summary()["inventory"]["taken"], json!({}));
    }

    #[test]
    fn more_than_there_is_is_refused() {
        let mut world = World::default();
        let refused = carry_out(&mut world, &update("o1", "product_3", 11), 1);
        assert_eq!(refused.answer.status, 422);
        assert_eq!(refused.effect, None);
        for body in [
            json!({ "order_id": "o1" }),
            json!({ "order_id": "o1", "items": [] }),
            json!({ "order_id": "o1", "items": [{ "id": "product_1", "quantity": 0 }] }),
            json!({ "order_id": "o1", "items": [{ "id": "product_1", "quantity": 1.5 }] }),
            json!("not an object"),
        ] {
            let refused = carry_out(&mut world, &call(Endpoint::InventoryUpdate, body), 1);
            assert_eq!(refused.answer.status, 422);
        }
    }
}
