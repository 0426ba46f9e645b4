//! The program that shows a notification on each system, and whether there is a session that could.
//!
//! Texts are handed over as arguments or in the environment, never put into a script.

#[cfg(not(any(target_os = "macos", windows)))]
mod freedesktop;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(windows)]
mod windows;

#[cfg(not(any(target_os = "macos", windows)))]
pub(super) use freedesktop::{MISSING, Shower, has_session};
#[cfg(target_os = "macos")]
pub(super) use macos::{MISSING, Shower, has_session};
#[cfg(windows)]
pub(super) use windows::{MISSING, Shower, has_session};
