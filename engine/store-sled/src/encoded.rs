//! Units as rows: what can be done before it is a unit's turn, by the task that brings it.

use engine_store::codec::{self, Record};
use engine_store::{CommitError, Unit, keys};

/// A unit that has been checked as far as that goes without the database, its large rows encoded.
pub(crate) struct Encoded {
    /// The unit. Its events have gone into records.
    pub(crate) unit: Unit,
    pub(crate) records: Vec<Record>,
    /// The run's index row.
    pub(crate) index: Vec<u8>,
    /// The latest engine time that it speaks of.
    pub(crate) time: engine_core::time::Timestamp,
}

impl Encoded {
    pub(crate) fn new(mut unit: Unit) -> Result<Self, CommitError> {
        unit.check()?;
        let time = unit.time();
        let (mut records, mut index) = (Vec::new(), Vec::new());
        if let Some(write) = &mut unit.run {
            let run = write.run;
            records = codec::records(run, &std::mem::take(&mut write.events))?;
            index = codec::seal(&keys::index(run), &write.row).map_err(|error| error.committing(run, "index row"))?;
        }
        Ok(Self { unit, records, index, time })
    }

    /// About how many bytes it writes.
    pub(crate) fn len(&self) -> usize {
        let records: usize = self.records.iter().map(|record| record.bytes.len()).sum();
        let inbox: usize = self.unit.inbox_put.iter().map(|row| row.body.len()).sum();
        records + self.index.len() + inbox
    }
}
