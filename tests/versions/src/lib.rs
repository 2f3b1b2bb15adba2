//! A shop that was deployed four times. All versions take the same order: they reserve it, and charge it.

#![allow(clippy::unused_async, reason = "the tasks of tests have little to wait for")]

use engine::{DefinitionError, Outcome, Registry, StepContext, TaskError, Workflow, task};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use engine_cli::App;

/// Set, has `charge@1` wait for ever, so that the program can be stopped before it is done.
pub const WAITS: &str = "CHARGE_WAITS";

/// A program that registers this.
pub fn program(register: impl FnOnce(&mut Registry) -> Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    engine_cli::main(App::new("shop", env!("CARGO_PKG_VERSION")).register(register))
}

/// The workflow as it was first: it charges by `charge@1`.
///
/// # Errors
/// None, unless the builder is broken.
pub fn first() -> Result<Workflow<u32, String>, DefinitionError> {
    let wf = Workflow::builder("order");
    let cents = wf.input::<u32>();
    let reserved = wf.step("reserve", reserve, cents).compensate(release, ());
    let charged = wf.step("charge", charge, cents).after(reserved);
    wf.finish(charged)
}

/// The workflow as it is now: it charges by `charge@2`.
///
/// # Errors
/// None, unless the builder is broken.
pub fn second() -> Result<Workflow<u32, String>, DefinitionError> {
    let wf = Workflow::builder("order");
    let cents = wf.input::<u32>();
    let reserved = wf.step("reserve", reserve, cents).compensate(release, ());
    let charged = wf.step("charge", task!("charge"@2 = charge_in_euros), cents).after(reserved);
    wf.finish(charged)
}

async fn reserve(_cx: StepContext, _cents: u32) -> Result<(), TaskError> {
    Ok(())
}

async fn release(_cx: StepContext, _: Outcome<()>) -> Result<(), TaskError> {
    Ok(())
}

/// `charge@1`.
///
/// # Errors
/// None.
pub async fn charge(cx: StepContext, cents: u32) -> Result<String, TaskError> {
    if std::env::var_os(WAITS).is_some() {
        cx.sleep(Duration::from_hours(1)).await;
    }
    Ok(format!("{cents} cents by charge@1"))
}

/// `charge@1` of somebody who forgot to give a changed argument a new version.
///
/// # Errors
/// None.
pub async fn charge_by_name(_cx: StepContext, cents: String) -> Result<String, TaskError> {
    Ok(format!("{cents} cents, as a text"))
}

async fn charge_in_euros(_cx: StepContext, cents: u32) -> Result<String, TaskError> {
    Ok(format!("{} euros by charge@2", cents / 100))
}
