//! A run that is followed wherever it is driven: by this process, by another one, or by the one after that.

use engine_core::event::Recorded;
use engine_core::id::{RunId, Seq};
use engine_runtime::control::AskError;
use engine_runtime::{Finished, RunHandle};
use tokio::task::JoinHandle;

use crate::reach::Reach;

/// A run that is followed.
pub(crate) struct Followed {
    reach: Reach,
    run: RunId,
    /// None while nobody drives it for us.
    handle: Option<RunHandle>,
    /// How it ended, which is being read: kept here, so that dropping the future of `next` does not take a run that has
    /// ended for one that was lost.
    finishing: Option<JoinHandle<Finished>>,
    seen: Seq,
    /// Who drives it now, where that was not told yet.
    untold: Option<Driver>,
}

/// Who drives a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Driver {
    /// This process.
    This,
    /// Another one.
    Other(u32),
}

impl Driver {
    /// That it takes a run over, for people.
    pub(crate) fn goes_on(self) -> String {
        match self {
            Self::This => "this process goes on with it".to_owned(),
            Self::Other(pid) => format!("process {pid} goes on with it"),
        }
    }
}

/// What came of a followed run.
pub(crate) enum News {
    /// The next event, which is durable.
    Event(Box<Recorded>),
    /// It ended, or is followed no further.
    Finished(Finished),
    /// The process that drove it is gone.
    Lost,
    /// Another process goes on with it than the one that was found first, or that was lost.
    TakenOver(Driver),
}

impl Followed {
    /// Has a run driven, and follows it from its first event on.
    pub(crate) async fn drive(reach: &Reach, run: RunId) -> Result<Self, AskError> {
        let handle = Some(reach.drive(run).await?);
        // Whoever was found first may be gone since, and nobody has noticed it but who read or asked something.
        let untold = Some(reach.driver()).filter(|driver| *driver != reach.first_driver());
        Ok(Self { reach: reach.clone(), run, handle, finishing: None, seen: Seq(0), untold })
    }

    /// What comes next. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> News {
        if let Some(driver) = self.untold.take() {
            return News::TakenOver(driver);
        }
        if let Some(handle) = &mut self.handle
            && let Some(recorded) = handle.next().await
        {
            self.seen = recorded.seq;
            return News::Event(Box::new(recorded));
        }
        if let Some(handle) = self.handle.take() {
            self.finishing = Some(tokio::spawn(handle.finish()));
        }
        let Some(finishing) = &mut self.finishing else { return News::Lost };
        let finished = finishing.await;
        self.finishing = None;
        match finished {
            Ok(Finished::Lost) => News::Lost,
            Ok(finished) => News::Finished(finished),
            Err(error) => News::Finished(Finished::Broken(error.to_string())),
        }
    }

    /// How it ended, without its events.
    pub(crate) async fn finish(mut self) -> Result<Finished, AskError> {
        loop {
            match self.next().await {
                News::Event(_) | News::TakenOver(_) => {}
                News::Finished(finished) => return Ok(finished),
                News::Lost => self.again().await?,
            }
        }
    }

    /// Has the run driven by whoever has the directory now, which may be this process.
    pub(crate) async fn again(&mut self) -> Result<(), AskError> {
        self.handle = Some(self.reach.drive(self.run).await?.after(self.seen));
        self.untold = Some(self.reach.driver());
        Ok(())
    }
}
