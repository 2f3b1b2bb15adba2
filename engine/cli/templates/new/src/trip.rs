//! A trip: a flight and a hotel, or neither.

use engine::{DefinitionError, Outcome, StepContext, TaskError, Workflow, assemble};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Trip {
    pub traveller: String,
    pub nights: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Booked {
    pub flight: String,
    pub hotel: String,
}

pub fn workflow() -> Result<Workflow<Trip, Booked>, DefinitionError> {
    let wf = Workflow::builder("trip");
    wf.example(&Trip { traveller: "Ada".into(), nights: 3 });
    let trip = wf.input::<Trip>();
    let flight = wf.step("book_flight", book_flight, trip).compensate(cancel_flight, ());
    let hotel = wf.step("book_hotel", book_hotel, trip).after(flight);
    wf.finish(assemble!(Booked { flight: flight, hotel: hotel }))
}

async fn book_flight(cx: StepContext, trip: Trip) -> Result<String, TaskError> {
    // A real one would call a service, with a key that is the same for every attempt:
    // cx.service("airline").post("/bookings").json(&trip).send().await
    Ok(format!("flight for {}, booked under key {}", trip.traveller, cx.key()))
}

async fn cancel_flight(_cx: StepContext, booked: Outcome<String>) -> Result<(), TaskError> {
    match booked {
        Outcome::Done(_flight) => Ok(()),
        // Nobody knows whether it was booked: a real one would cancel whatever was booked under its key.
        Outcome::Unknown => Ok(()),
    }
}

async fn book_hotel(_cx: StepContext, trip: Trip) -> Result<String, TaskError> {
    if trip.nights > 14 {
        return Err(TaskError::refused("NO_ROOM").message("no room for so many nights"));
    }
    Ok(format!("room for {} nights", trip.nights))
}

#[cfg(test)]
mod tests {
    use engine::RunError;
    use engine::testing::TestEngine;

    use super::*;

    fn trip(nights: u32) -> Trip {
        Trip { traveller: "Ada".into(), nights }
    }

    #[engine::test]
    async fn a_short_trip_is_booked(t: TestEngine) {
        let run = t.start(&workflow().unwrap(), trip(3)).await.unwrap();
        assert_eq!(run.result().await.unwrap().hotel, "room for 3 nights");
    }

    #[engine::test]
    async fn without_a_hotel_the_flight_is_cancelled(t: TestEngine) {
        let run = t.start(&workflow().unwrap(), trip(30)).await.unwrap();
        assert!(matches!(run.result().await, Err(RunError::Compensated { .. })));
        assert_eq!(t.undone(), ["book_flight"]);
    }

    #[engine::test]
    async fn killed_at_any_moment_it_comes_to_the_same_end(t: TestEngine) {
        for nights in [3, 30] {
            t.crash_after_every_commit(async |t| {
                t.fail("book_hotel").times(2);
                let run = t.start(&workflow().unwrap(), trip(nights)).await.unwrap();
                assert_eq!(run.result().await.is_ok(), nights == 3);
            })
            .assert_same_outcome();
        }
    }
}
