//! Pipes that hold a large answer with fewer changes between the two processes.

use std::os::fd::AsFd;

/// Bytes that a pipe may hold, four times what Linux gives. A user may have 64 MiB of pipes in all without asking,
/// that is 256 of these.
const PIPE_BYTES: usize = 256 * 1024;

/// Lets a pipe hold more, if the system has room for it. One that is larger already stays so.
pub(crate) fn widen(pipe: impl AsFd) {
    if rustix::pipe::fcntl_getpipe_size(&pipe).is_ok_and(|bytes| bytes < PIPE_BYTES) {
        // A pipe that stays small is only slower.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::{PIPE_BYTES, widen};

    #[test]
    fn a_pipe_is_widened_and_a_wider_one_is_left() {
        let (read, _write) = rustix::pipe::pipe().expect("a pipe");
        widen(&read);
        let size = rustix::pipe::fcntl_getpipe_size(&read).expect("a size");
        // A system that is short of room leaves it at its default.
        assert!(size == PIPE_BYTES || size <= 64 * 1024, "{size}");
        rustix::pipe::fcntl_setpipe_size(&read, 2 * PIPE_BYTES).ok();
        let before = rustix::pipe::fcntl_getpipe_size(&read).expect("a size");
        widen(&read);
        assert!(rustix::pipe::fcntl_getpipe_size(&read).expect("a size") >= before);
    }
}
