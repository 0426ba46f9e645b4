//! Large answers wait for room: a client that reads slowly must not make the gate hold every answer in memory.
//!
//! A large body carries its share of a fixed number of bytes until the writer has let go of it.

use crate::limits::{ANSWER_BYTES_QUEUED, ANSWER_DEADLINE, LIGHT_ANSWER_BYTES};
use crate::reply::Answer;
use crate::wire::codes::{ErrorObject, INTERNAL_ERROR};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One share.
const SHARE_BYTES: usize = 1024;

/// The room for large answers. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    room: Arc<Semaphore>,
}

impl Default for Weights {
    fn default() -> Self {
        Weights { room: Arc::new(Semaphore::new(ANSWER_BYTES_QUEUED / SHARE_BYTES)) }
    }
}

/// A body with its share.
struct Weighed {
    body: Bytes,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Weights {
    /// `answer` once there is room for it, or an error when the client has not read for too long.
    pub(super) async fn admit(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Result(body) => self.weigh(body).await.map_or_else(Answer::Error, Answer::Result),
            Answer::Error(body) => Answer::Error(self.weigh(body).await.unwrap_or_else(|error| error)),
            Answer::Silence => Answer::Silence,
        }
    }

    async fn weigh(&self, body: Bytes) -> Result<Bytes, Bytes> {
        if body.len() <= LIGHT_ANSWER_BYTES {
            return Ok(body);
        }
        // A body larger than all room takes all of it.
        let shares = (body.len() / SHARE_BYTES).min(ANSWER_BYTES_QUEUED / SHARE_BYTES);
        let shares = u32::try_from(shares).unwrap_or(u32::MAX);
        match tokio::time::timeout(ANSWER_DEADLINE, self.room.clone().acquire_many_owned(shares)).await {
            Ok(Ok(share)) => Ok(Bytes::from_owner(Weighed { body, _share: share })),
            _ => Err(unread()),
        }
    }
}

fn unread() -> Bytes {
    ErrorObject::new(
        INTERNAL_ERROR,
        "the answer was dropped: the client has not read earlier ones; the tool has run",
    )
    .text("outcome", "withheld")
    .flag("retryable", false)
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big() -> Answer {
        Answer::Result(Bytes::from(vec![b'1'; ANSWER_BYTES_QUEUED / 2 + SHARE_BYTES]))
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_nobody_reads_are_bounded() {
        let weights = Weights::default();
        let first = weights.admit(big()).await;
        assert!(matches!(first, Answer::Result(_)));
        assert!(matches!(weights.admit(big()).await, Answer::Error(_)), "no room while the first is queued");
        assert!(matches!(weights.admit(Answer::Result(Bytes::from_static(b"1"))).await, Answer::Result(_)));
        drop(first);
        assert!(matches!(weights.admit(big()).await, Answer::Result(_)));
    }
}
