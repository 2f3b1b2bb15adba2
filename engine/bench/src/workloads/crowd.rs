//! The same thing many times, some at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::BenchError;
use crate::meter::Latencies;

/// Does something `total` times, `width` at a time, and says how long each took. Each is given its number, from 0.
pub(crate) async fn crowd<F, Fut>(width: usize, total: u64, each: F) -> Result<Latencies, BenchError>
where
    F: Fn(u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), BenchError>> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(0));
    let mut members = JoinSet::new();
    for _ in 0..width {
        let (next, each) = (next.clone(), each.clone());
        members.spawn(async move {
            let mut latencies = Latencies::new()?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return Ok(latencies);
                }
                let began = Instant::now();
                each(number).await?;
                latencies.note(began.elapsed());
            }
        });
    }
    let mut latencies = Latencies::new()?;
    while let Some(member) = members.join_next().await {
        latencies.add(&member.map_err(|error| BenchError::new("a measurement broke", error))??);
    }
    Ok(latencies)
}
