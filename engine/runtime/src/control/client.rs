//! A process beside the one that has the directory.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use engine_core::id::{RunId, Seq};
use engine_core::request::{Answer, Request};
use engine_store::{Store, StoreError, codec};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::bounds;
use crate::control::frame;
use crate::control::hello::{self, Hello};
use crate::control::look::{Look, LookStore, Looked, Looker};
use crate::control::place::Place;
use crate::control::refusal::Refusal;
use crate::control::wire::{Ask, Brief, Bytes, HandIn, Reply};
use crate::handle::RunHandle;
use crate::report::{Report, Reports};
use crate::start::{Start, Started};

/// Asks the process that has the directory. Each question has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    place: Arc<Place>,
    pid: u32,
}

/// Keeps the process that a run was handed to there until the run's end is read.
#[derive(Debug)]
pub struct Presence {
    _stream: UnixStream,
}

/// Why the process that has the directory can't be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers: it has not begun to listen, is about to end, or can't listen.
    #[error("it does not answer: {0}")]
    Nobody(io::Error),
    /// It speaks otherwise.
    #[error(
        "process {pid}, which has the data directory, runs version {version} of the engine, and this is {}. Use that \
         version, or stop that process",
        hello::version()
    )]
    OtherVersion {
        /// Its process.
        pid: u32,
        /// Its version.
        version: String,
    },
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The process is gone, or gives the directory up: ask the one that has it next.
    #[error("the process that had the data directory is gone: {0}")]
    Lost(String),
    /// It can't be done.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<E: Into<Refusal>> From<E> for AskError {
    fn from(refusal: E) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<AskError> for StoreError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Lost(_) => Self::Closed,
            AskError::Refused(refusal) => Self::Unusable(refusal.message),
            AskError::Store(error) => error,
        }
    }
}

impl Client {
    /// Finds the process that has the directory; also says whether it is about to give it up.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(place: Place) -> Result<(Self, bool), ConnectError> {
        let (_, hello) = greet(&place).await?;
        Ok((Self { place: Arc::new(place), pid: hello.pid }, hello.leaving))
    }

    /// The process that has the directory.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What that process has stored, to be read.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(LookStore(self.clone()))
    }

    /// Whether that process drives a run.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn drives(&self, run: RunId) -> Result<bool, AskError> {
        match self.ask(Brief::Drives(run)).await? {
            (Reply::Drives(drives), _) => Ok(drives),
            (reply, _) => Err(other(&reply)),
        }
    }

    /// The runs to be taken up after a restart, as [`Engine::recover`](crate::Engine::recover).
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn recover(&self) -> Result<Vec<RunId>, AskError> {
        match self.ask(Brief::Recover).await? {
            (Reply::Runs(runs), _) => Ok(runs),
            (reply, _) => Err(other(&reply)),
        }
    }

    /// Has a run started and driven. The same request id gives the same run, whichever process is asked. `faults` are
    /// the fault rules of the mock services, where the run is to use those.
    ///
    /// # Errors
    /// See [`AskError`]; nothing was stored, except perhaps where the process was lost.
    pub async fn start(&self, start: &Start, faults: Option<&[String]>) -> Result<(Started, Presence), AskError> {
        let start = start.clone();
        let hand_in = HandIn {
            source: Bytes(start.definition.source().to_vec()),
            workflow_id: start.workflow_id,
            request_id: start.request_id,
            actor: start.actor,
            input: Bytes(start.input.to_vec()),
            labels: start.labels,
            overrides: start.overrides,
            reuse: start.reuse,
            faults: faults.map(<[String]>::to_vec),
        };
        match self.ask(Brief::Start(Box::new(hand_in))).await? {
            (Reply::Started { run, fresh }, stream) => Ok((Started { run, fresh }, Presence { _stream: stream })),
            (reply, _) => Err(other(&reply)),
        }
    }

    /// Asks something of a run, as [`Engine::request`](crate::Engine::request).
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn request(&self, run: RunId, request: Request) -> Result<Answer, AskError> {
        match self.ask(Brief::Request { run, request }).await? {
            (Reply::Answered(answer), _) => Ok(answer),
            (reply, _) => Err(other(&reply)),
        }
    }

    /// Has a run driven until it rests, whether or not anybody follows it.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn adopt(&self, run: RunId) -> Result<(), AskError> {
        self.ask_to_adopt(run).await.map(drop)
    }

    /// Has a run driven, and follows it.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn drive(&self, run: RunId) -> Result<RunHandle, AskError> {
        let (report, presence) = self.ask_to_adopt(run).await?;
        Ok(self.follow(run, report, Some(presence)))
    }

    async fn ask_to_adopt(&self, run: RunId) -> Result<(Report, Presence), AskError> {
        match self.ask(Brief::Adopt(run)).await? {
            (Reply::Report(Some(report)), stream) => Ok((report, Presence { _stream: stream })),
            (reply, _) => Err(other(&reply)),
        }
    }

    /// Follows a run that the process drives, without asking it to; none where it drives it not.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn watch(&self, run: RunId) -> Result<Option<RunHandle>, AskError> {
        match self.ask(Ask::Wait { run, after: Seq(0) }).await? {
            (Reply::Report(report), _) => Ok(report.map(|report| self.follow(run, report, None))),
            (reply, _) => Err(other(&reply)),
        }
    }

    fn follow(&self, run: RunId, report: Report, presence: Option<Presence>) -> RunHandle {
        let reports = Reports::new(report);
        let followed = reports.follow();
        tokio::spawn(self.clone().pass_on(run, reports));
        RunHandle::beside(run, self.store(), followed, presence)
    }

    /// Passes on how far a run is, until it rests, the process is lost, or nobody wants to know.
    async fn pass_on(self, run: RunId, reports: Reports) {
        loop {
            let (last, began) = (reports.last().last, Instant::now());
            let wait = Ask::Wait { run, after: last };
            let reply = tokio::select! {
                biased;
                () = reports.unfollowed() => return,
                reply = self.ask(wait) => reply,
            };
            match reply {
                Ok((Reply::Report(Some(report)), _)) => {
                    let (is_over, is_news) = (report.rests(), report.last > last);
                    reports.tell(report);
                    if is_over {
                        return;
                    }
                    // Where too many wait it answers at once.
                    if !is_news && began.elapsed() < bounds::WAIT_TIME / 2 {
                        tokio::time::sleep(bounds::CROWDED_PAUSE).await;
                    }
                }
                Err(AskError::Lost(_)) => return,
                Ok(_) => {
                    let why = format!("process {} drives it no more", self.pid);
                    reports.amend(|report| report.broken = Some(why));
                    return;
                }
                Err(error) => {
                    reports.amend(|report| report.broken = Some(error.to_string()));
                    return;
                }
            }
        }
    }

    /// Asks one question; gives the connection too, which says that somebody still listens.
    async fn ask(&self, ask: impl Into<Ask>) -> Result<(Reply, UnixStream), AskError> {
        let lost = |error: io::Error| AskError::Lost(error.to_string());
        let (mut stream, hello) = greet(&self.place).await.map_err(|error| AskError::Lost(error.to_string()))?;
        if hello.pid != self.pid {
            return Err(AskError::Lost(format!("process {} has it now", hello.pid)));
        }
        send(&mut stream, &ask.into()).await.map_err(lost)?;
        loop {
            match receive(&mut stream).await.map_err(lost)? {
                Reply::Working => {}
                Reply::Leaving => return Err(AskError::Lost(format!("process {} gives it up", self.pid))),
                Reply::Refused(refusal) => return Err(AskError::Refused(refusal)),
                reply => return Ok((reply, stream)),
            }
        }
    }

    /// The same for what reads and keeps stores: a process that was lost is [`StoreError::Closed`].
    pub(crate) async fn told(&self, ask: impl Into<Ask>) -> Result<Reply, StoreError> {
        Ok(self.ask(ask).await?.0)
    }
}

#[async_trait]
impl Looker for Client {
    async fn look(&self, look: Look) -> Result<Looked, StoreError> {
        match self.told(Brief::Look(look)).await? {
            Reply::Looked(looked) => looked,
            reply => Err(other(&reply).into()),
        }
    }
}

async fn send(stream: &mut UnixStream, ask: &Ask) -> io::Result<()> {
    let bytes = codec::message(ask).map_err(invalid)?;
    timeout(bounds::ANSWER_TIME, frame::write(stream, &bytes)).await?
}

async fn receive(stream: &mut UnixStream) -> io::Result<Reply> {
    let bytes = timeout(bounds::ANSWER_TIME, frame::read(stream, bounds::MESSAGE_LEN)).await??;
    codec::read_message(&bytes).map_err(invalid)
}

/// Connects, and learns who answers.
async fn greet(place: &Place) -> Result<(UnixStream, Hello), ConnectError> {
    let own = Hello::own(false);
    let greeting = async {
        let mut stream = UnixStream::connect(place.socket()).await?;
        place.check_all()?;
        frame::write(&mut stream, &own.to_bytes()).await?;
        let said = frame::read(&mut stream, bounds::HELLO_LEN).await?;
        let hello = Hello::from_bytes(&said).ok_or_else(|| invalid("something else listens there"))?;
        Ok::<_, io::Error>((stream, hello))
    };
    let greeted = timeout(bounds::HELLO_TIME, greeting).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
    let (stream, hello) = greeted.map_err(ConnectError::Nobody)?;
    if own.understands(&hello) {
        Ok((stream, hello))
    } else {
        Err(ConnectError::OtherVersion { pid: hello.pid, version: hello.version })
    }
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

pub(crate) fn other(reply: &Reply) -> AskError {
    tracing::error!(?reply, "another question was answered");
    AskError::Store(StoreError::Unusable(
        "the process that has the data directory answered another question".to_owned(),
    ))
}
