//! Answers that are given again for the same `Idempotency-Key`: a client that repeats a request because its
//! connection broke learns what it was told the first time. Kept in this process only.

use super::limits::{IDEMPOTENCY_KEY_BYTES, IDEMPOTENT_ANSWERS, IDEMPOTENT_BYTES, IDEMPOTENT_LIFE};
use super::reply::Refusal;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// A client's key.
pub(super) type Key = (String, String);

/// The answers kept, the oldest first.
#[derive(Default)]
pub(super) struct Idempotency {
    answers: BTreeMap<Key, Kept>,
    order: VecDeque<(Key, Instant)>,
}

#[derive(Clone)]
struct Kept {
    request: [u8; 32],
    status: StatusCode,
    body: Bytes,
}

/// The key of a request of `client`; `None` without one.
pub(super) fn key(client: &str, headers: &HeaderMap) -> Result<Option<Key>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES {
        let text = format!("Idempotency-Key: must be 1 to {IDEMPOTENCY_KEY_BYTES} printable characters");
        return Err(Refusal::malformed(text));
    }
    Ok(Some((client.to_owned(), key.to_owned())))
}

impl Idempotency {
    /// The answer that was given to this request before.
    ///
    /// # Errors
    /// 422 when the key was used for another request.
    pub(super) fn find(
        &mut self,
        key: &Key,
        request: &[u8],
        now: Instant,
    ) -> Result<Option<(StatusCode, Bytes)>, Refusal> {
        self.forget(now);
        let Some(kept) = self.answers.get(key) else { return Ok(None) };
        if kept.request != digest(request) {
            let text = "Idempotency-Key: it was used for another request; use a new one";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, text));
        }
        Ok(Some((kept.status, kept.body.clone())))
    }

    /// Keeps an answer. One that is too long is not kept: the request is then worked on again.
    pub(super) fn keep(&mut self, key: Key, request: &[u8], status: StatusCode, body: Bytes, now: Instant) {
        if body.len() > IDEMPOTENT_BYTES || self.answers.contains_key(&key) {
            return;
        }
        while self.order.len() >= IDEMPOTENT_ANSWERS {
            let Some((oldest, _)) = self.order.pop_front() else { break };
            self.answers.remove(&oldest);
        }
        self.order.push_back((key.clone(), now));
        self.answers.insert(key, Kept { request: digest(request), status, body });
    }

    fn forget(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(_, since)| now.duration_since(*since) >= IDEMPOTENT_LIFE) {
            if let Some((key, _)) = self.order.pop_front() {
                self.answers.remove(&key);
            }
        }
    }
}

fn digest(request: &[u8]) -> [u8; 32] {
    Sha256::digest(request).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(name: &str) -> Key {
        ("client".into(), name.into())
    }

    #[test]
    fn the_same_request_gets_the_same_answer_until_it_is_forgotten() {
        let (mut kept, now) = (Idempotency::default(), Instant::now());
        kept.keep(key_of("a"), b"request", StatusCode::OK, Bytes::from_static(b"answer"), now);
        let answer = kept.find(&key_of("a"), b"request", now).expect("the same request").expect("kept");
        assert_eq!(answer, (StatusCode::OK, Bytes::from_static(b"answer")));
        assert!(kept.find(&key_of("a"), b"other", now).is_err(), "another request");
        assert_eq!(kept.find(&("else".into(), "a".into()), b"request", now), Ok(None), "another client");
        assert_eq!(kept.find(&key_of("a"), b"request", now + IDEMPOTENT_LIFE), Ok(None), "too old");
        assert!(kept.answers.is_empty() && kept.order.is_empty());
    }

    #[test]
    fn only_so_many_are_kept() {
        let (mut kept, now) = (Idempotency::default(), Instant::now());
        for n in 0..=IDEMPOTENT_ANSWERS {
            kept.keep(key_of(&n.to_string()), b"r", StatusCode::OK, Bytes::new(), now);
        }
        assert_eq!(kept.answers.len(), IDEMPOTENT_ANSWERS);
        assert_eq!(kept.find(&key_of("0"), b"r", now), Ok(None), "the oldest went");
    }
}
