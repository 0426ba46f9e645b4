//! List requests: one page of everything, as soon as every backend is listed or the wait is over.

use super::Machine;
use crate::backend::catalogue::List;
use crate::directory::{self, Directory};
use crate::reply::Answer;
use crate::wire::codes::{ErrorObject, INVALID_PARAMS};
use crate::wire::skim;
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::Instant;

/// The answer to a list request. Everything stands on one page, so there is no cursor that could be valid.
pub async fn list(machine: &Machine, list: List, params: Option<Bytes>) -> Answer {
    let cursor = params.as_ref().and_then(|params| skim::member(params, "cursor"));
    if cursor.is_some_and(|range| params.as_ref().is_some_and(|params| &params[range] != b"null")) {
        let error = ErrorObject::new(INVALID_PARAMS, "invalid cursor: the list has one page");
        return Answer::Error(error.into_bytes());
    }
    Answer::Result(settled(machine).await.listing.rendered(list))
}

/// The directory once every backend is listed, or as it is when the wait is over.
pub(super) async fn settled(machine: &Machine) -> Arc<Directory> {
    let deadline = Instant::now() + machine.settings.list_wait;
    directory::wait(&machine.directory, deadline, Directory::is_listed).await
}
