//! The socket of the process that has the directory.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use engine_store::{Keeper, codec};
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::bounds;
use crate::control::frame;
use crate::control::handed::HandedIn;
use crate::control::hello::Hello;
use crate::control::keep::Keep;
use crate::control::place::{self, Place};
use crate::control::refusal::{Refusal, RefusalKind};
use crate::control::serve::{Serving, Staying};
use crate::control::wire::{Ask, Reply};
use crate::engine::Engine;

/// Answers processes beside this one for as long as it has the directory. They find nobody once this is dropped.
pub struct Control {
    serving: Arc<Serving>,
    accepting: JoinHandle<()>,
    place: Place,
}

impl Control {
    /// Listens, for an engine whose process has the directory's lock. `keeper` keeps its store. A process that only
    /// asks something and goes again takes nothing in.
    ///
    /// # Errors
    /// Where no socket can be made. The engine works all the same, but nobody beside it can be answered.
    pub fn serve(engine: Engine, keeper: Arc<dyn Keeper>, place: Place, takes_runs_in: bool) -> io::Result<Self> {
        place.make()?;
        let listener = UnixListener::bind(place.socket())?;
        let serving = Arc::new(Serving { engine, keeper, handed: HandedIn::new() });
        if !takes_runs_in {
            serving.handed.leave();
        }
        let accepting = tokio::spawn(accept(listener, serving.clone()));
        Ok(Self { serving, accepting, place })
    }

    /// How many runs were handed in and do not rest yet.
    pub fn handed_in(&self) -> usize {
        self.serving.handed.runs()
    }

    /// Whether it does something else for another process, as a backup.
    pub fn is_keeping(&self) -> bool {
        self.serving.handed.others() > 0
    }

    /// Waits until all runs that were handed in rest, and all else is done. Then nothing is taken in any more.
    pub async fn settled(&self) {
        self.serving.handed.settled().await;
    }

    /// Takes nothing in any more. Whoever wants to hand a run in waits for the next process that has the directory.
    pub fn leave(&self) {
        self.serving.handed.leave();
    }

    /// Answers nobody any more. To be called before the directory is given up.
    pub fn close(&self) {
        self.leave();
        self.accepting.abort();
        if let Err(error) = self.place.clear() {
            tracing::warn!(%error, "the control socket stays behind");
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// How long nothing is accepted after the system refused to: it may be out of file handles.
const RESPITE: Duration = Duration::from_millis(100);

async fn accept(listener: UnixListener, serving: Arc<Serving>) {
    let (slots, bounded) = (Arc::new(Semaphore::new(bounds::CONNECTIONS)), Arc::new(Bounded::default()));
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(slot) = slots.clone().acquire_owned().await {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(serving.clone(), bounded.clone(), stream, slot));
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket accepts nobody");
                    tokio::time::sleep(RESPITE).await;
                }
            },
        }
    }
}

/// What only some connections may do at a time.
struct Bounded {
    large: Semaphore,
    waits: Semaphore,
    farewells: Semaphore,
    keepings: Semaphore,
}

impl Default for Bounded {
    fn default() -> Self {
        Self {
            large: Semaphore::new(bounds::LARGE_MESSAGES),
            waits: Semaphore::new(bounds::WAITS),
            farewells: Semaphore::new(bounds::FAREWELLS),
            keepings: Semaphore::new(bounds::KEEPINGS),
        }
    }
}

async fn connection(serving: Arc<Serving>, bounded: Arc<Bounded>, stream: UnixStream, slot: OwnedSemaphorePermit) {
    if let Err(error) = converse(&serving, &bounded, stream, slot).await {
        tracing::debug!(%error, "a process beside this one was not answered");
    }
}

async fn converse(
    serving: &Serving,
    bounded: &Bounded,
    mut stream: UnixStream,
    slot: OwnedSemaphorePermit,
) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer != place::user() && peer != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let own = Hello::own(serving.is_leaving());
    let said = timeout(bounds::HELLO_TIME, frame::read(&mut stream, bounds::HELLO_LEN)).await??;
    let Some(hello) = Hello::from_bytes(&said) else { return Err(io::ErrorKind::InvalidData.into()) };
    timeout(bounds::HELLO_TIME, frame::write(&mut stream, &own.to_bytes())).await??;
    if !own.understands(&hello) {
        return Ok(());
    }
    let ask = timeout(bounds::ANSWER_TIME, read_ask(&mut stream, &bounded.large)).await??;
    let (reply, staying) = match ask {
        Ask::Wait { run, after } => {
            let patience = bounded.waits.try_acquire().map(|permit| (bounds::WAIT_TIME, permit)).ok();
            let time = patience.as_ref().map_or(Duration::ZERO, |(time, _)| *time);
            tokio::select! {
                biased;
                reply = serving.wait(run, after, time) => (reply, None),
                // Nobody waits any more.
                _ = stream.read_u8() => return Ok(()),
            }
        }
        Ask::Keep(asked) => return keep(serving, bounded, stream, asked).await,
        Ask::Brief(brief) => serving.answer(brief).await,
    };
    let (reply, staying) = serving.unless_leaving((reply, staying));
    let told = tell(&mut stream, &reply).await;
    drop(slot);
    if let Some(staying) = staying {
        stay(staying, stream, bounded).await;
    }
    told
}

/// Does something with the directory as a whole, and gives signs of life meanwhile. The process stays until the answer
/// is told. It is given up where nobody waits for it any more.
async fn keep(serving: &Serving, bounded: &Bounded, mut stream: UnixStream, asked: Keep) -> io::Result<()> {
    let Some(_stay) = serving.handed.enter() else { return tell(&mut stream, &Reply::Leaving).await };
    let Ok(_permit) = bounded.keepings.try_acquire() else {
        let pid = std::process::id();
        let busy = format!("process {pid} copies or looks through the data directory for others. Try again later");
        return tell(&mut stream, &Reply::Refused(Refusal::new(RefusalKind::NotNow, busy))).await;
    };
    let mut work = pin!(serving.keep(asked));
    loop {
        tokio::select! {
            biased;
            reply = &mut work => return tell(&mut stream, &reply).await,
            _ = stream.read_u8() => return Err(io::ErrorKind::UnexpectedEof.into()),
            () = tokio::time::sleep(bounds::SIGN_OF_LIFE) => tell(&mut stream, &Reply::Working).await?,
        }
    }
}

async fn read_ask(stream: &mut UnixStream, large: &Semaphore) -> io::Result<Ask> {
    let len = frame::read_len(stream, bounds::MESSAGE_LEN).await?;
    // Never closed; should it be, the message is read all the same.
    let _large = if len > bounds::LARGE_MESSAGE { large.acquire().await.ok() } else { None };
    let bytes = frame::read_rest(stream, len).await?;
    codec::read_message(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

async fn tell(stream: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    let bytes = codec::message(reply).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    timeout(bounds::ANSWER_TIME, frame::write(stream, &bytes)).await?
}

/// Stays for a run: until it rests, and then a little for a follower that still reads. The run goes on where its
/// follower has gone; one stay is enough for it then.
async fn stay(mut staying: Staying, mut stream: UnixStream, bounded: &Bounded) {
    let farewell = bounded.farewells.try_acquire();
    let rests = farewell.is_ok()
        && tokio::select! {
            biased;
            () = staying.rested() => true,
            _ = stream.read_u8() => false,
        };
    if rests {
        // Whether it goes or the time is over comes to the same.
        let _ = timeout(bounds::FAREWELL_TIME, stream.read_u8()).await;
    } else {
        drop((stream, farewell));
        if let Some(mut staying) = staying.unless_others_stay() {
            staying.rested().await;
        }
    }
}
