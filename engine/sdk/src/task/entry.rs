//! A task with its types erased: takes JSON, gives JSON.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use engine_runtime::tasks::Undecodable;
use serde::Serialize;

use super::{ArgTypes, TaskFn, TaskResult, stored};
use crate::seal::Seal;
use crate::{StepContext, TaskError};

/// An attempt of a task on its way: gives the JSON of its output.
pub(crate) type Begun = Pin<Box<dyn Future<Output = Result<Vec<u8>, TaskError>> + Send>>;

/// A function that steps call. Cheap to clone.
#[derive(Clone)]
pub(crate) struct TaskEntry {
    function: Arc<dyn Function>,
    id: TypeId,
    path: &'static str,
}

impl TaskEntry {
    pub(crate) fn new<F, Sig>(function: F) -> Self
    where
        F: TaskFn<Sig> + Send + Sync + 'static,
        F::Ret: Future<Output: TaskResult<Ok: Serialize>> + Send + 'static,
        Sig: ArgTypes + 'static,
    {
        let (id, path) = F::identity(Seal);
        Self { function: Arc::new(Typed(function, PhantomData::<fn(Sig)>)), id, path }
    }

    /// Begins an attempt with these arguments, a JSON array.
    ///
    /// # Errors
    /// Where the function can't read them: it was not called.
    pub(crate) fn begin(&self, cx: StepContext, args: &[u8]) -> Result<Begun, Undecodable> {
        self.function.begin(cx, args).map_err(Undecodable)
    }

    /// The function's path, as `shop::charge`.
    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    /// Whether both are the same function.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl fmt::Debug for TaskEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}

trait Function: Send + Sync {
    fn begin(&self, cx: StepContext, args: &[u8]) -> Result<Begun, String>;
}

struct Typed<F, Sig>(F, PhantomData<fn(Sig)>);

impl<F, Sig> Function for Typed<F, Sig>
where
    F: TaskFn<Sig> + Send + Sync,
    F::Ret: Future<Output: TaskResult<Ok: Serialize>> + Send + 'static,
    Sig: ArgTypes,
{
    fn begin(&self, cx: StepContext, args: &[u8]) -> Result<Begun, String> {
        let attempt = self.0.call(cx, stored::read::<Sig>(args)?, Seal);
        Ok(Box::pin(async move {
            let output = attempt.await.into_result(Seal)?;
            serde_json::to_vec(&output).map_err(|error| not_serialisable(&error))
        }))
    }
}

/// The task was carried out, and another attempt would end the same.
fn not_serialisable(error: &serde_json::Error) -> TaskError {
    TaskError::fatal(format!("what the task gives can't be written as JSON: {error}")).code("OUTPUT_NOT_SERIALISABLE")
}
