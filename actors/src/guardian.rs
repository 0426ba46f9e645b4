//! The guardian: a helper process that ends the children of a proxy that was killed.
//!
//! A proxy that gets SIGKILL runs no code, and what its children started (`npx` → `node`) knows nothing of it. The
//! guardian holds the reading end of a pipe of the proxy's; the end of that pipe is the proxy's end, however it
//! came. Lines on it name the groups that live:
//!
//! | line | meaning |
//! |---|---|
//! | `+<pgid>` | the group lives, end it when the pipe ends |
//! | `-<pgid>` | forget the group |
//!
//! Where job objects do the same (Windows) the guardian is empty.

#[cfg(unix)]
mod keeper;
#[cfg(not(unix))]
mod none;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
#[cfg(unix)]
mod watch;

#[cfg(unix)]
pub use keeper::Guardian;
#[cfg(not(unix))]
pub use none::{Guardian, run};
#[cfg(unix)]
pub use watch::run;
