//! One run, from its start to its end, as a program holds it.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{Answer, Ask, CancelReason, Client, ClientError, NewRun, RunStatus, StartError, StepFailure};
use crate::history::HistoryEvent;

type Starting<O> = Pin<Box<dyn Future<Output = Result<RunHandle<O>, StartError>> + Send>>;

/// A run about to be started: say more of it, then `.await` it. Nothing happens before that. Once it gives a
/// [`RunHandle`], the run is durable. Dropped in between, the run may have been started or not.
#[must_use = "nothing is started until it is awaited"]
pub struct StartRun<O> {
    client: Arc<dyn Client>,
    /// None once it was sent, or where the input is the problem.
    start: Option<NewRun>,
    problem: Option<StartError>,
    starting: Option<Starting<O>>,
}

impl<O> fmt::Debug for StartRun<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartRun").field("start", &self.start).finish_non_exhaustive()
    }
}

impl<O: 'static> StartRun<O> {
    pub(crate) fn new(client: Arc<dyn Client>, start: Result<NewRun, StartError>) -> Self {
        let (start, problem) = match start {
            Ok(start) => (Some(start), None),
            Err(problem) => (None, Some(problem)),
        };
        Self { client, start, problem, starting: None }
    }

    /// The id that the run is found by, unique per workflow: as an order's number; 1 to 256 bytes, no control characters.
    /// A start with an id that exists gives that run, open or ended; with other input it is refused
    /// ([`StartError::Id`]). So a start with an id can be repeated without harm, also by another process and after a
    /// crash. Without one, each start is a run of its own.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        if let Some(start) = &mut self.start {
            start.workflow_id = Some(id.into());
        }
        self
    }

    /// A label, for whoever looks for the run: `engine list --label NAME=VALUE`. 256 bytes each at most.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Some(start) = &mut self.start {
            start.labels.push((name.into(), value.into()));
        }
        self
    }
}

/// A future, and not only what turns into one: so the compiler finds out what a forgotten `.await` is.
impl<O: 'static> Future for StartRun<O> {
    type Output = Result<RunHandle<O>, StartError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(problem) = self.problem.take() {
            return Poll::Ready(Err(problem));
        }
        if let Some(start) = self.start.take() {
            let client = self.client.clone();
            self.starting = Some(Box::pin(async move {
                let started = client.start_run(start).await?;
                Ok(RunHandle { client, run: started.run, is_new: started.is_new, output: PhantomData })
            }));
        }
        match &mut self.starting {
            Some(starting) => starting.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

/// A run that gives an `O`. Cheap to clone; dropping it changes nothing about the run. It does not outlive the process:
/// the next one gets another by [`Engine::find`](crate::Engine::find).
pub struct RunHandle<O> {
    client: Arc<dyn Client>,
    run: String,
    is_new: bool,
    output: PhantomData<fn() -> O>,
}

impl<O> Clone for RunHandle<O> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), run: self.run.clone(), is_new: self.is_new, output: PhantomData }
    }
}

impl<O> fmt::Debug for RunHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunHandle({})", self.run)
    }
}

impl<O> RunHandle<O> {
    pub(crate) fn found(client: Arc<dyn Client>, run: String) -> Self {
        Self { client, run, is_new: false, output: PhantomData }
    }

    /// The run's id, fresh for every run.
    pub fn id(&self) -> &str {
        &self.run
    }

    /// Whether this very start has started it; else its id belonged to it already.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// How the run is now.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn status(&self) -> Result<RunStatus, ClientError> {
        Ok(self.client.look(&self.run).await?.status)
    }

    /// Waits until the run has ended, and gives what its workflow gives. Dropping the future changes nothing, and it can
    /// be asked for again, also by another process. It waits for as long as the run takes, also while that is paused.
    ///
    /// # Errors
    /// How else the run ended, or why it does not end: [`RunError`].
    pub async fn result(&self) -> Result<O, RunError>
    where
        O: DeserializeOwned,
    {
        let view = self.client.rest(&self.run).await?;
        match view.status {
            RunStatus::Completed => {
                let output = view.output.unwrap_or_else(|| b"null".to_vec());
                serde_json::from_slice(&output).map_err(|error| RunError::Output(error.to_string()))
            }
            RunStatus::Compensated => Err(RunError::Compensated { failure: view.failure }),
            RunStatus::Failed => Err(RunError::Failed { failure: view.failure, residue: view.residue }),
            RunStatus::Cancelled => {
                let reason = view.cancelled.unwrap_or(CancelReason::Cancelled);
                Err(RunError::Cancelled { reason, residue: view.residue })
            }
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Waiting
            | RunStatus::Paused
            | RunStatus::Compensating
            | RunStatus::Stuck => Err(RunError::Stuck { run: view.run, reasons: view.stuck }),
        }
    }

    /// Tells the run something that a step waits for, or will. A run keeps a thousand that nobody has waited for yet. No
    /// kind of step that waits for a signal is there yet.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where the run has ended.
    pub async fn signal<T: Serialize + ?Sized>(&self, name: &str, payload: &T) -> Result<Answer, ClientError> {
        let payload = serde_json::to_vec(payload).map_err(|error| ClientError::Refused {
            code: "PAYLOAD_UNREADABLE".to_owned(),
            message: format!("what comes with the signal `{name}` can't be written as JSON: {error}"),
        })?;
        self.ask(Ask::Signal { name: name.to_owned(), payload }).await
    }

    /// Stops the run: nothing new begins, and what may have happened is undone. Once this returns, the demand is durable;
    /// [`RunHandle::result`] tells when it is carried out.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where the run has ended, and where its pivot is done: from there on it only goes forward.
    pub async fn cancel(&self) -> Result<Answer, ClientError> {
        self.ask(Ask::Cancel { reason: None }).await
    }

    /// Forgets the run, with its history and all that it gave. Ended runs are kept until then, and take room: about as
    /// much as what they were given and gave.
    ///
    /// # Errors
    /// [`ClientError::Refused`] while the run is open.
    pub async fn delete(&self) -> Result<(), ClientError> {
        self.ask(Ask::Delete).await.map(drop)
    }

    /// Asks something of the run. Each call is a request of its own; to ask again under the same id after a crash, use
    /// [`Client::ask`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ask(&self, ask: Ask) -> Result<Answer, ClientError> {
        let request_id = crate::engine::fresh_id();
        self.client.ask(&self.run, &request_id, ask).await
    }

    /// All that has happened to the run so far, in order.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn history(&self) -> Result<Vec<HistoryEvent>, ClientError> {
        let mut all: Vec<HistoryEvent> = Vec::new();
        loop {
            let page = self.client.events(&self.run, all.last().map_or(0, |last| last.seq)).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// What happens to the run, from its start on, each event once it is durable; ends where the run rests: it has
    /// ended, or waits for an operator.
    pub fn events(&self) -> Events {
        let (client, run) = (self.client.clone(), self.run.clone());
        let read = stream::unfold(Some((client, run, 0)), |state| async move {
            let (client, run, after) = state?;
            match next_page(&*client, &run, after).await {
                Ok(page) if page.is_empty() => None,
                Ok(page) => {
                    let last = page.last().map_or(after, |last| last.seq);
                    Some((page.into_iter().map(Ok).collect(), Some((client, run, last))))
                }
                Err(error) => Some((vec![Err(error)], None)),
            }
        });
        Events(Box::pin(stream::StreamExt::flat_map(read, |page: Vec<_>| stream::iter(page))))
    }
}

async fn next_page(client: &dyn Client, run: &str, after: u64) -> Result<Vec<HistoryEvent>, ClientError> {
    loop {
        let page = client.events(run, after).await?;
        if !page.is_empty() || !client.has_events(run, after).await? {
            return Ok(page);
        }
    }
}

/// What happens to a run, as it happens: made by [`RunHandle::events`]. A stream, and usable without one's traits.
pub struct Events(Pin<Box<dyn Stream<Item = Result<HistoryEvent, ClientError>> + Send>>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// The next event; none where the run rests. An error is the last that it gives.
    pub async fn next(&mut self) -> Option<Result<HistoryEvent, ClientError>> {
        stream::StreamExt::next(&mut self.0).await
    }
}

impl Stream for Events {
    type Item = Result<HistoryEvent, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

/// Why a run gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A step failed, and all that may have happened was undone.
    #[error("the run failed and was undone{}", because(failure.as_ref()))]
    Compensated {
        /// Why.
        failure: Option<StepFailure>,
    },
    /// A step failed; nothing had to be undone, or not all could be.
    #[error("the run failed{}{}", because(failure.as_ref()), remains(residue))]
    Failed {
        /// Why.
        failure: Option<StepFailure>,
        /// Steps whose effect remains although it should have been undone.
        residue: Vec<String>,
    },
    /// It was ended from outside, or by its timeout.
    #[error("the run was ended by: {reason}{}", remains(residue))]
    Cancelled {
        /// By what.
        reason: CancelReason,
        /// Steps whose effect remains although it should have been undone.
        residue: Vec<String>,
    },
    /// It waits for an operator. It is open: once that is seen to, it goes on.
    #[error("run {run} waits for an operator: {}", reasons.join("; "))]
    Stuck {
        /// The run.
        run: String,
        /// What for, and what to do.
        reasons: Vec<String>,
    },
    /// What it gave is no such type.
    #[error("the run completed, but what it gave can't be read: {0}")]
    Output(String),
    /// It can't be followed.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn because(failure: Option<&StepFailure>) -> String {
    failure.map_or_else(String::new, |failure| format!(": {failure}"))
}

fn remains(residue: &[String]) -> String {
    if residue.is_empty() { String::new() } else { format!("; not undone: {}", residue.join(", ")) }
}
